//! `milepost track`: events from a file or a pipe, sent to a front door, and counted.
//!
//! A thread reads lines (`lines`, `csv`); they are cut into batches (`batches`), sent with retries
//! (`send`), judged by what comes back (`fates`) and counted (`tally`). `resume` keeps how
//! far it came. Envelopes (`envelopes`) take another way: onto the queue itself.
//!
//! **Invariant**: every line that is not blank has one fate, so the counts add up; and it has the
//! same event id in every run, so no run counts anything twice.

mod batches;
mod csv;
mod envelopes;
mod fates;
mod lines;
mod resume;
mod send;
mod tally;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use command::ending::{Ending, Stopped};
use command::output::Output;
use command::queues::Place;
use dead_letters::pace::Pace;
use futures_util::{StreamExt as _, stream};
use host::clock::SystemClock;
use host::entropy::SystemEntropy;
use indicatif::ProgressBar;
use shared::ports::Clock;
use shared::submission::BATCH_EVENTS_MAX;
use tokio::sync::mpsc;

use crate::{input, requeue};

use batches::{Batch, Batches};
use fates::{Fate, fates};
use resume::Resume;
use send::{Reply, Sender};
use tally::{NAMED_MAX, Tally};

/// Lines that are read ahead of sending.
const LINES_AHEAD: usize = 1_000;

/// Send events from a file to a front door
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Send events from a file to a front door, and count what became of them: to try a \
                  stack, to bring in a day that was kept elsewhere, to move from another system.\n\n\
                  Each line is one event, as POST /events/track takes it; blank lines are skipped. \
                  A file .csv has a header that names the fields: eventName, email, module_slug, ts. \
                  A row that does not fit the header is refused, and the others are sent. \
                  A line without an eventId gets one, made from its number and its content: so a \
                  file can be sent again, after a break or by mistake, and nothing counts twice. \
                  (Leave the lines where they are, then; append only.)\n\n\
                  With --envelopes each line is a dead letter of `milepost dlq export`, or an envelope, and \
                  goes onto the events queue itself: SQS, or with --data that of a `serve` or \
                  `local`.\n\n\
                  Network faults, 429 and 5xx are retried. It ends with 1 when a line was \
                  rejected, refused or failed, and names those lines; with 3 when the front door can't be reached.",
    after_help = "Example: milepost track examples/events.jsonl\n\
                  Example: zcat events.gz | milepost track - --url https://… --rate 200\n\
                  Example: milepost track history.csv --resume history.progress\n\
                  Example: milepost track --envelopes letters.jsonl\n\
                  Read on in docs/http.md."
)]
pub struct Args {
    /// The file with one event a line; - reads standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,

    /// How the input is written [default: csv for a file .csv, else jsonl]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,

    /// Keep in this file how far it came, and go on from there
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,

    /// The lines are envelopes: put them on the events queue
    #[arg(long, conflicts_with_all = ["format", "resume", "url", "batch", "concurrency", "token"])]
    envelopes: bool,

    /// The front door, with its stage prefix if it has one
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8787")]
    url: reqwest::Url,

    /// Maximum events in a request; 1 sends each alone
    #[arg(long, value_name = "EVENTS", default_value_t = BATCH_EVENTS_MAX as u16,
          value_parser = clap::value_parser!(u16).range(1..=BATCH_EVENTS_MAX as i64))]
    batch: u16,

    /// Maximum events a second [default: no limit]
    #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,

    /// Maximum requests under way at once
    #[arg(long, value_name = "REQUESTS", default_value_t = 4,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: u16,

    /// Send this token along, for IDENTITY_POLICY=signed
    #[arg(long, value_name = "JWT")]
    token: Option<String>,

    #[command(flatten)]
    place: Place,
}

/// How an input is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON object a line
    Jsonl,
    /// A header, and one event a record
    Csv,
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`]: the file can't be read, or the front door can't be reached at all.
pub async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    if args.envelopes {
        let queues = args.place.open()?;
        return requeue::run(&args.file, envelopes::in_line, args.rate, &queues, output).await;
    }
    if args.place.is_typed() {
        return Err(Stopped::Usage(
            "--data is for --envelopes; hint: events go to a front door, which --url names".into(),
        ));
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let entropy = SystemEntropy::seeded().map_err(|fault| Stopped::Usage(fault.to_string()))?;
    let has_token = args.token.is_some();
    let sender = Sender::new(&args.url, args.token, clock.clone(), Arc::new(entropy))?;
    let resume = Resume::read(args.resume)?;
    let begun = resume.input();
    let (text, bytes_total) = input::open(&args.file)?;
    let format = args.format.unwrap_or_else(|| Format::of(&args.file));
    let bar = output.progress(bytes_total);

    // A thread of its own: standard input may stay silent while answers come in, and must not
    // hold up the end of the process.
    let (lines_in, lines_out) = mpsc::channel(LINES_AHEAD);
    std::thread::spawn(move || match format {
        Format::Jsonl => lines::read(text, begun, &lines_in),
        Format::Csv => csv::read(text, begun, &lines_in),
    });
    let mut batches = Batches::new(lines_out, usize::from(args.batch));
    let mut pace = Pace::new(args.rate, clock.uptime());
    let mut run = Run { tally: Tally::default(), resume, has_token, output, bar };
    let began_at = clock.uptime();

    // The first request goes alone, so that one request finds a missing front door, not many.
    while let Some(first) = batches.next().await {
        pace.start_of(first.sent(), clock.uptime());
        let reply = sender.send(&first).await;
        if let Reply::Nothing(cause) = &reply {
            run.bar.finish_and_clear();
            return Err(Stopped::OtherSide(format!(
                "{} can't be reached: {cause}; hint: start a stack with `milepost local`, or say \
                 with --url where the front door is",
                args.url
            )));
        }
        run.finished(&first, &reply)?;
        if first.sent() > 0 {
            break;
        }
    }
    {
        let (sender, clock) = (&sender, &*clock);
        let sent = stream::unfold(&mut batches, async |batches| {
            batches.next().await.map(|batch| (batch, batches))
        })
        .map(|batch| {
            let start_at = pace.start_of(batch.sent(), clock.uptime());
            async move {
                clock.sleep(start_at.saturating_sub(clock.uptime())).await;
                let reply = sender.send(&batch).await;
                (batch, reply)
            }
        })
        .buffer_unordered(usize::from(args.concurrency));
        let mut sent = std::pin::pin!(sent);
        while let Some((batch, reply)) = sent.next().await {
            run.finished(&batch, &reply)?;
        }
    }
    run.bar.finish_and_clear();
    let tally = run.tally;
    let took = clock.uptime().saturating_sub(began_at);
    output.result(&tally, || tally.text(took))?;
    if tally.failed > 0 {
        output.note("hint: send the same input again; what was accepted does not count twice");
    }
    if let Some(error) = batches.broken {
        return Err(input::unreadable(&args.file, &error));
    }
    Ok(if tally.wrong() == 0 { Ending::Done } else { Ending::Found })
}

impl Format {
    /// What the name of a file promises.
    fn of(file: &Path) -> Self {
        let is_csv = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        if is_csv { Self::Csv } else { Self::Jsonl }
    }
}

/// A run under way.
struct Run<'a> {
    tally: Tally,
    resume: Resume,
    has_token: bool,
    output: &'a Output,
    bar: ProgressBar,
}

impl Run<'_> {
    /// A request is over.
    ///
    /// # Errors
    /// [`Stopped::Usage`], when its progress can't be kept.
    fn finished(&mut self, batch: &Batch, reply: &Reply) -> Result<(), Stopped> {
        let fates = fates(batch, reply, self.has_token);
        for (line, fate) in batch.lines.iter().zip(&fates) {
            if !matches!(fate, Fate::Failed(_)) {
                self.resume.through(line);
            }
        }
        self.resume.write()?;
        let named = self.tally.count(batch, fates);
        self.bar.suspend(|| {
            for line in &named {
                self.output.note(line.to_string());
            }
            if !named.is_empty() && self.tally.lines.len() == NAMED_MAX {
                self.output.note("further lines are counted, and not named");
            }
        });
        self.bar.inc(batch.lines.iter().map(|line| line.bytes).sum());
        let Tally { sent, rejected, failed, refused, .. } = &self.tally;
        self.bar.set_message(format!(
            "{sent} sent, {rejected} rejected, {failed} failed, {refused} refused"
        ));
        Ok(())
    }
}
