//! `milepost dlq replay`: dead letters back to the events queue, and what became of each.
//!
//! A letter is sent in its contact's group and deleted once that is known to have succeeded. The
//! deduplication id is made from the letter: where a run was killed between the two, the next one
//! sends the same and the queue stores it once, or, after its five minutes, the join makes the
//! double harmless.
//!
//! A letter that died again is known by its deduplication id: the worker keeps the one that it was
//! sent back under.
//!
//! **Invariant**: nothing is lost, whenever the command ends; and what died again in a run is not
//! sent again by that run, or it would go round for ever.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::ProgressBar;
use shared::ports::{Outgoing, QueueFault};

use super::filter::{Filters, Meant};
use super::letter::{Letter, replay_id};
use super::note_unseen;
use super::walk::{AT_ONCE, Manner, Walk};
use crate::ending::{Ending, Stopped};
use crate::output::Output;
use crate::pace::Pace;
use crate::queues::{Place, Queues, stopped};
use crate::stop::Stop;

mod report;

use report::{Fate, Report};

/// How often a send is tried that the queue did not answer, and the pause between.
const TRIES_MAX: u32 = 5;
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How often it is looked whether the events are through.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// SQS counts about right, and late: so many looks must find the events queue empty.
const EMPTY_LOOKS: u32 = 3;

/// Send dead letters back to the events queue
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Send dead letters back to the events queue, in their contact's group, and say what \
                  became of each. Mend the cause first: `milepost dlq list` names it.\n\n\
                  It can be stopped and killed at any time: run it again, and it goes on. No event \
                  is lost, and none counts twice. What a killed run had in hand is back after 30 \
                  seconds.\n\n\
                  It ends with 1 when letters died again or are left.",
    after_help = "Example: milepost dlq replay --reason REJECTED --dry-run\n\
                  Example: milepost dlq replay --reason REJECTED --rate 50\n\
                  Read on in docs/queue.md, Reasons."
)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    filters: Filters,

    /// Say what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,

    /// Send at most so many letters a second, as 50 or 50/s
    #[arg(long, value_name = "LETTERS", default_value = "100", value_parser = per_second)]
    rate: u32,

    /// Wait so many seconds at most for the worker, to say how it ended; 0 does not wait
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    follow: u32,
}

/// A replay under way.
struct Replay<'a> {
    queues: &'a Queues,
    meant: Meant,
    pace: Pace,
    sent: Sent,
    report: Report,
    bar: ProgressBar,
}

/// What was sent, so that it is known when it dies again. Both lead to the letter's message id.
#[derive(Default)]
struct Sent {
    by_deduplication_id: BTreeMap<String, String>,
    by_event_id: BTreeMap<String, String>,
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`].
pub(super) async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    let queues = args.place.open()?;
    let clock = queues.clock.clone();
    let began_at = clock.uptime();
    let stop = Stop::listen();
    let manner = if args.dry_run { Manner::Looks } else { Manner::Insists };
    let mut walk = Walk::new(&queues, &stop, manner);
    let mut replay = Replay {
        queues: &queues,
        meant: args.filters.meant(clock.now()),
        pace: Pace::new(Some(args.rate), began_at),
        sent: Sent::default(),
        report: Report::new(args.dry_run, args.rate),
        bar: output.progress(Some(walk.total().await?)),
    };
    let walked = replay.walk(&mut walk, args.dry_run).await;
    replay.bar.finish_and_clear();
    let unseen = walk.unseen;
    walk.hand_back().await;
    let mut report = replay.report;
    report.sending_took = clock.uptime().saturating_sub(began_at);
    if !replay.sent.by_deduplication_id.is_empty() && args.follow > 0 && walked.is_ok() {
        let wait_max = Duration::from_secs(args.follow.into());
        follow(&queues, &stop, wait_max, &replay.sent, &mut report, output).await?;
    }
    report.interrupted = stop.is_requested();
    report.behind = unseen.behind;
    report.in_other_hands = unseen.in_other_hands;
    output.result(&report.document(), || report.text())?;
    note_unseen(unseen, output);
    walked?;
    if report.is_unfinished() {
        output.note("hint: run it again; it goes on with what is left");
    }
    Ok(if report.is_all_well() { Ending::Done } else { Ending::Found })
}

impl Replay<'_> {
    async fn walk(&mut self, walk: &mut Walk<'_>, dry_run: bool) -> Result<(), Stopped> {
        // A batch is through within a second or so, and its hold far from its end.
        let at_once = match self.report.rate {
            rate if rate < AT_ONCE => rate,
            _ => AT_ONCE,
        };
        while !self.meant.is_enough(self.report.matched()) {
            let letters = walk.next(self.meant.room(self.report.matched(), at_once)).await?;
            if letters.is_empty() {
                break;
            }
            self.bar.inc(letters.len() as u64);
            let mut mine = Vec::new();
            for letter in letters {
                if let Some(first) = self.sent.by_deduplication_id.get(&letter.deduplication_id) {
                    self.report.dead_again(first, letter.reason);
                } else if !self.meant.includes(&letter) {
                    self.report.skipped += 1;
                } else if dry_run {
                    self.report.fate(&letter, Fate::WouldBeSent);
                } else {
                    mine.push(letter);
                }
            }
            if !mine.is_empty() {
                self.send(walk, mine).await?;
            }
            let Report { skipped, .. } = &self.report;
            let sent = self.sent.by_deduplication_id.len();
            self.bar.set_message(format!("{sent} sent, {skipped} skipped"));
        }
        Ok(())
    }

    /// Sends letters, and then deletes those that are known to be sent.
    async fn send(&mut self, walk: &mut Walk<'_>, letters: Vec<Letter>) -> Result<(), Stopped> {
        let clock = &*self.queues.clock;
        let start_at = self.pace.start_of(letters.len(), clock.uptime());
        clock.sleep(start_at.saturating_sub(clock.uptime())).await;
        let outgoing: Vec<Outgoing> = letters.iter().map(outgoing).collect();
        let results = send(self.queues, outgoing).await;
        let mut sent = Vec::new();
        let mut away = None;
        for (letter, result) in letters.iter().zip(results) {
            match result {
                Ok(()) => {
                    self.sent.note(letter);
                    self.report.fate(letter, Fate::Sent);
                    sent.push(letter.message_id.as_str());
                }
                Err(fault) => {
                    self.report.fate(letter, Fate::Left(fault.to_string()));
                    if matches!(fault, QueueFault::Unavailable(_)) {
                        away = Some(fault);
                    }
                }
            }
        }
        self.report.undeleted += walk.remove(sent).await;
        match away {
            None => Ok(()),
            Some(fault) => Err(stopped(&fault)),
        }
    }
}

impl Sent {
    fn note(&mut self, letter: &Letter) {
        let name = || letter.message_id.clone();
        self.by_deduplication_id.insert(replay_id(&letter.group, &letter.message_id), name());
        if let Some(envelope) = &letter.envelope {
            self.by_event_id.insert(envelope.id.clone(), name());
        }
    }

    /// The letter that was sent, if this is what became of it. A hop makes a new message of the
    /// event, which only its id still ties to the letter.
    fn first_of(&self, letter: &Letter) -> Option<&String> {
        let hopped = || letter.envelope.as_ref().filter(|envelope| envelope.hopped);
        self.by_deduplication_id
            .get(&letter.deduplication_id)
            .or_else(|| self.by_event_id.get(&hopped()?.id))
    }
}

/// Sends, and again what the queue did not answer.
async fn send(queues: &Queues, outgoing: Vec<Outgoing>) -> Vec<Result<(), QueueFault>> {
    let mut results = queues.events.send(outgoing.clone()).await;
    for _ in 1..TRIES_MAX {
        let is_open = |place: &usize| matches!(results[*place], Err(QueueFault::Unavailable(_)));
        let open: Vec<usize> = (0..results.len()).filter(is_open).collect();
        if open.is_empty() {
            break;
        }
        queues.clock.sleep(TRY_AGAIN).await;
        let again = open.iter().map(|place| outgoing[*place].clone()).collect();
        for (place, result) in open.into_iter().zip(queues.events.send(again).await) {
            results[place] = result;
        }
    }
    results
}

/// What goes to the events queue for a letter.
fn outgoing(letter: &Letter) -> Outgoing {
    Outgoing {
        body: letter.body.clone(),
        group: letter.group.clone(),
        deduplication_id: replay_id(&letter.group, &letter.message_id),
        attributes: BTreeMap::new(),
    }
}

/// Waits until the events queue is empty, and then looks which events are dead again: the others
/// are applied. If it does not get empty in time, those are still under way.
async fn follow(
    queues: &Queues,
    stop: &Stop,
    wait_max: Duration,
    sent: &Sent,
    report: &mut Report,
    output: &Output,
) -> Result<(), Stopped> {
    let clock = &*queues.clock;
    let deadline = clock.uptime() + wait_max;
    let bar = output.progress(None);
    let mut empty_looks = 0;
    while empty_looks < EMPTY_LOOKS && clock.uptime() < deadline && !stop.is_requested() {
        let depth = queues.events.depth().await.map_err(|fault| stopped(&fault))?.total();
        bar.set_message(format!("{depth} events on the queue"));
        bar.tick();
        empty_looks = if depth == 0 { empty_looks + 1 } else { 0 };
        clock.sleep(LOOK_EVERY).await;
    }
    bar.finish_and_clear();
    let is_drained = empty_looks == EMPTY_LOOKS;
    let mut walk = Walk::new(queues, stop, Manner::Looks);
    loop {
        let letters = walk.next(AT_ONCE).await?;
        if letters.is_empty() {
            break;
        }
        for letter in letters {
            if let Some(first) = sent.first_of(&letter) {
                report.dead_again(first, letter.reason);
            }
        }
    }
    walk.hand_back().await;
    report.settle_sent(is_drained);
    Ok(())
}

/// `50` or `50/s`.
fn per_second(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    number
        .parse()
        .ok()
        .filter(|rate| *rate > 0)
        .ok_or_else(|| "write it like 50 or 50/s, and at least 1".to_owned())
}
