//! `milepost audit`: the weekly spot check of progress in HubSpot, on a sample or on everybody.
//!
//! [`invariants`] judges one contact, [`sample`] draws whom. With `--repair`, a recompute goes to the
//! queue for each contact that fails and that a recompute would change: a worker then derives the
//! milestones from the state, and never the other way round.
//!
//! **Invariant**: without `--repair` nothing is changed, and no queue is needed.

pub(crate) mod invariants;
mod sample;

use std::path::PathBuf;

use hubspot::contact::{Contact, Properties};
use serde::Serialize;
use shared::catalog::Catalog;
use shared::envelope::Content;
use shared::properties::{
    COMPLETED_COURSES, ENROLLED_COURSES, PROGRESS_STATE, TOTAL_PROGRESS, names_to_read,
};

use crate::crm::{self, Crm};
use crate::ending::{Ending, Stopped};
use crate::output::{Mark, Output};
use crate::queues::{Place, Queues};
use crate::repair::{self, Repairs};
use crate::stop::Stop;
use invariants::{Broken, broken};

/// Whoever holds one of these has progress to be checked.
const HOLDING: [&str; 4] = [PROGRESS_STATE, ENROLLED_COURSES, COMPLETED_COURSES, TOTAL_PROGRESS];
/// HubSpot's most inputs of one read.
const READ_MAX: usize = 100;

/// Check that the milestones of contacts match their progress
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Check that the milestones of contacts match their progress. Of each contact with \
                  progress, three things must hold:\n\n  \
                  enrolled_courses   hhl_enrolled_courses matches the state\n  \
                  completed_courses  hhl_completed_courses is part of hhl_enrolled_courses\n  \
                  total_progress     hhl_total_progress counts the completed modules of the state\n\n\
                  It takes ten contacts by chance, --sample N of them, or --all. It ends with 1 \
                  when one fails, and says which and why.\n\n\
                  --repair asks the workers, through the queue, to derive the milestones of those \
                  who fail from their state. --dry-run says what that would change and sends \
                  nothing.",
    after_help = "Example: milepost audit --sample 100\n\
                  Example: milepost audit --all --repair --dry-run\n\
                  Read on in docs/repair.md."
)]
pub(crate) struct Args {
    /// Check so many contacts, taken by chance
    #[arg(long, value_name = "CONTACTS", default_value_t = 10, conflicts_with = "all",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    sample: u32,

    /// Check every contact
    #[arg(long)]
    all: bool,

    /// With --all, go on from here: what an earlier run gave as `next`
    #[arg(long, value_name = "ID", requires = "all")]
    after: Option<String>,

    /// Have the milestones of those who fail derived from their state
    #[arg(long)]
    repair: bool,

    /// Say what --repair would change, and send nothing
    #[arg(long, requires = "repair")]
    dry_run: bool,

    /// Send at most so many repairs a second
    #[arg(long, value_name = "REPAIRS", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,

    /// The catalog that --repair foresees by [default: CATALOG_PATH, else catalog]
    #[arg(long, value_name = "DIR")]
    catalog: Option<PathBuf>,

    #[command(flatten)]
    place: Place,
}

/// What `audit --json` prints.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    /// Contacts that were judged.
    checked: u64,
    /// Those of whom all holds.
    sound: u64,
    /// Those of whom something does not.
    failing: Vec<Failing>,
    /// Repairs on the queue.
    sent: u64,
    /// Whether it was told to change nothing.
    dry_run: bool,
    /// Whether it was stopped before the end.
    interrupted: bool,
    /// With `--all`: where to go on, if it was not the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A contact of whom something does not hold.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failing {
    /// The record id.
    id: String,
    /// The message group, as in the logs.
    contact: String,
    broken: Vec<Broken>,
    /// With `--repair`.
    #[serde(skip_serializing_if = "Option::is_none")]
    repair: Option<Foreseen>,
}

/// What a recompute would do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Foreseen {
    /// The properties that it would change.
    changes: Vec<String>,
    /// What would be broken still.
    left: Vec<Broken>,
}

/// An audit under way.
struct Audit<'a> {
    catalog: Option<Catalog>,
    repairs: Option<Repairs<'a>>,
    report: Report,
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`].
pub(crate) async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    let crm = crm::beside_workers()?;
    let catalog = args.repair.then(|| repair::catalog(args.catalog)).transpose()?;
    let sends = args.repair && !args.dry_run;
    let queues: Option<Queues> = sends.then(|| args.place.open()).transpose()?;
    let mut audit = Audit {
        catalog,
        repairs: queues.as_ref().map(|queues| Repairs::new(queues, args.rate)),
        report: Report { dry_run: args.dry_run, next: args.after, ..Report::default() },
    };
    let stop = Stop::listen();
    let walked = match args.all {
        true => audit.all(&crm, &stop, output).await,
        false => audit.sample(&crm, args.sample as usize, &stop).await,
    };
    audit.report.sent = audit.repairs.as_ref().map_or(0, |repairs| repairs.sent);
    audit.report.interrupted = stop.is_requested();
    output.result(&audit.report, || audit.report.text(output))?;
    if let Some(next) = &audit.report.next {
        output.note(format!("hint: it goes on with --all --after {next}"));
    }
    walked?;
    if audit.report.interrupted {
        output.note("note: stopped before the end; not everybody was checked");
    }
    let is_well = audit.report.failing.is_empty() && !audit.report.interrupted;
    Ok(if is_well { Ending::Done } else { Ending::Found })
}

impl Audit<'_> {
    /// Everybody from `next` on. If it is to stop in the middle, the page stays the next one.
    async fn all(&mut self, crm: &Crm, stop: &Stop, output: &Output) -> Result<(), Stopped> {
        let names = names_to_read();
        let bar = output.progress(None);
        loop {
            let from = self.report.next.as_deref();
            let page = crm.patiently(async || crm.client.list(from, &names).await).await?;
            for contact in page.contacts {
                if stop.is_requested() {
                    bar.finish_and_clear();
                    return Ok(());
                }
                if HOLDING.iter().any(|name| contact.properties.contains_key(*name)) {
                    self.judge(contact).await?;
                }
            }
            self.flush().await?;
            let Report { checked, failing, .. } = &self.report;
            bar.set_message(format!("{checked} checked, {} failing", failing.len()));
            bar.tick();
            self.report.next = page.next;
            if self.report.next.is_none() {
                bar.finish_and_clear();
                return Ok(());
            }
        }
    }

    async fn sample(&mut self, crm: &Crm, size: usize, stop: &Stop) -> Result<(), Stopped> {
        let names = names_to_read();
        for ids in sample::sample(crm, size).await?.chunks(READ_MAX) {
            if stop.is_requested() {
                break;
            }
            // The search's own values are seconds old.
            let found = crm.patiently(async || crm.client.read_by_id(ids, &names).await).await?;
            for contact in found.contacts {
                self.judge(contact).await?;
            }
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Stopped> {
        match &mut self.repairs {
            Some(repairs) => repairs.flush().await,
            None => Ok(()),
        }
    }

    async fn judge(&mut self, contact: Contact) -> Result<(), Stopped> {
        self.report.checked += 1;
        let broken = broken(&contact.properties);
        if broken.is_empty() {
            self.report.sound += 1;
            return Ok(());
        }
        let person = repair::person(&contact);
        let repair = self.catalog.as_ref().map(|catalog| Foreseen::of(&contact, catalog));
        if let (Some(repairs), Some(person)) = (&mut self.repairs, &person)
            && repair.as_ref().is_some_and(|repair| !repair.changes.is_empty())
        {
            repairs.send(person.clone(), Content::Recompute).await?;
        }
        let group = person.map(|person| person.group()).unwrap_or_default();
        self.report.failing.push(Failing { id: contact.id, contact: group, broken, repair });
        Ok(())
    }
}

impl Foreseen {
    fn of(contact: &Contact, catalog: &Catalog) -> Self {
        let changed: Properties = match repair::foreseen(contact, catalog) {
            Ok(foreseen) => foreseen.changed,
            Err(_) => Properties::new(),
        };
        let changes = changed.keys().cloned().collect();
        let mut after = contact.properties.clone();
        after.extend(changed);
        Self { changes, left: broken(&after) }
    }
}

impl Report {
    fn text(&self, output: &Output) -> String {
        let mut lines = Vec::new();
        for Failing { id, broken, repair, .. } in &self.failing {
            for Broken { invariant, why } in broken {
                lines.push(format!("{} {id} {invariant}: {why}", output.mark(Mark::Bad)));
            }
            if let Some(Foreseen { changes, left }) = repair {
                lines.push(match changes.is_empty() {
                    true => "    a recompute changes nothing".to_owned(),
                    false => format!("    a recompute changes {}", changes.join(", ")),
                });
                for Broken { invariant, why } in left {
                    lines.push(format!("    and leaves {invariant}: {why}"));
                }
            }
        }
        let Self { checked, sound, failing, sent, .. } = self;
        let mark = output.mark(if failing.is_empty() { Mark::Good } else { Mark::Bad });
        let repairs = match (sent, self.dry_run) {
            (_, true) => ", nothing sent".to_owned(),
            (0, false) => String::new(),
            (sent, false) => format!(", {sent} repairs sent"),
        };
        let failing = failing.len();
        lines
            .push(format!("{mark} {checked} checked = {sound} sound + {failing} failing{repairs}"));
        lines.join("\n")
    }
}
