//! `milepost backfill`: milestones and roll-ups of every contact, derived anew from its state.
//!
//! The command walks over all contacts in the order of their record ids and sends a recompute for
//! each that has a state; the workers do the rest when the contact is in their hands. It foresees by
//! the catalog that it has here what each would change.
//!
//! **Invariant**: a page is passed only when its recomputes stand on the queue. Whatever a run sends
//! twice changes nothing the second time.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hubspot::contact::Contact;
use serde::Serialize;
use shared::catalog::Catalog;
use shared::envelope::Content;
use shared::milestones::StateFault;
use shared::properties::{PROGRESS_STATE, names_to_read};

use crate::crm::{self, Crm};
use crate::ending::{Ending, Stopped};
use crate::output::Output;
use crate::queues::{Place, Queues};
use crate::repair::{self, Repairs};
use crate::stop::Stop;

/// How many contacts with a fault are named; the rest is counted.
const NAMED_MAX: usize = 100;

/// Derive the milestones of every contact anew from its progress state
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Derive the milestones and roll-ups of every contact anew from its progress state, \
                  by the catalog as it is now: after the catalog changed, or for contacts whose \
                  progress is older than the milestones.\n\n\
                  It sends a wish for each contact to the queue, and the workers carry it out \
                  beside their other work. A list never loses a course. What is sent twice changes \
                  nothing the second time, so it can be stopped and run again; --after goes on \
                  where a run ended.",
    after_help = "Example: milepost backfill --dry-run\n\
                  Example: milepost backfill --changed-only --rate 20\n\
                  Read on in docs/repair.md."
)]
pub(crate) struct Args {
    /// Say what would change, and send nothing
    #[arg(long)]
    dry_run: bool,

    /// Leave out contacts of whom nothing would change
    #[arg(long)]
    changed_only: bool,

    /// Go on from here: what an earlier run gave as `next`
    #[arg(long, value_name = "ID")]
    after: Option<String>,

    /// Send at most so many a second
    #[arg(long, value_name = "CONTACTS", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,

    /// The catalog that it foresees by [default: CATALOG_PATH, else catalog]
    #[arg(long, value_name = "DIR")]
    catalog: Option<PathBuf>,

    #[command(flatten)]
    place: Place,
}

/// What `backfill --json` prints.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    dry_run: bool,
    /// Contacts that were read.
    contacts: u64,
    /// Those without a state: nothing can be derived.
    without_state: u64,
    /// Those of whom something changes, as foreseen here.
    changed: u64,
    /// Those of whom nothing does.
    unchanged: u64,
    /// Those whose state can't be read, or would not fit.
    faulty: u64,
    /// Recomputes on the queue.
    sent: u64,
    /// How many contacts each property changes of.
    properties: BTreeMap<String, u64>,
    /// The first of the faulty.
    faults: Vec<Faulty>,
    /// Where to go on, if it was not the end.
    next: Option<String>,
    #[serde(skip)]
    is_at_end: bool,
}

#[derive(Debug, Serialize)]
struct Faulty {
    /// The record id.
    id: String,
    why: String,
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`].
pub(crate) async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    let crm = crm::beside_workers()?;
    let catalog = repair::catalog(args.catalog)?;
    let queues: Option<Queues> = (!args.dry_run).then(|| args.place.open()).transpose()?;
    let mut repairs = queues.as_ref().map(|queues| Repairs::new(queues, args.rate));
    let mut report = Report { dry_run: args.dry_run, next: args.after, ..Report::default() };
    let stop = Stop::listen();
    let bar = output.progress(None);
    let mut ended = Ok(());
    while ended.is_ok() && !report.is_at_end && !stop.is_requested() {
        let backfill = Backfill { crm: &crm, catalog: &catalog, stop: &stop };
        ended = backfill.page(args.changed_only, &mut repairs, &mut report).await;
        let Report { contacts, changed, sent, .. } = &report;
        bar.set_message(format!("{contacts} contacts, {changed} change, {sent} sent"));
        bar.tick();
    }
    bar.finish_and_clear();
    output.result(&report, || report.text())?;
    if let Some(next) = report.next.as_ref().filter(|_| !report.is_at_end) {
        output.note(format!("hint: it goes on with --after {next}"));
    }
    ended?;
    let is_whole = report.is_at_end && report.faulty == 0;
    Ok(if is_whole { Ending::Done } else { Ending::Found })
}

/// A backfill under way.
struct Backfill<'a> {
    crm: &'a Crm,
    catalog: &'a Catalog,
    stop: &'a Stop,
}

impl Backfill<'_> {
    /// Reads the page that is next and sends what is to be sent of it. If it is to stop in the middle,
    /// the page stays the next one.
    async fn page(
        &self,
        changed_only: bool,
        repairs: &mut Option<Repairs<'_>>,
        report: &mut Report,
    ) -> Result<(), Stopped> {
        let names = names_to_read();
        let after = report.next.as_deref();
        let client = &self.crm.client;
        let page = self.crm.patiently(async || client.list(after, &names).await).await?;
        for contact in &page.contacts {
            if self.stop.is_requested() {
                return Ok(());
            }
            let is_wanted = report.counts(contact, self.catalog, changed_only);
            if let (true, Some(repairs), Some(person)) =
                (is_wanted, repairs.as_mut(), repair::person(contact))
            {
                repairs.send(person, Content::Recompute).await?;
                report.sent = repairs.sent;
            }
        }
        if let Some(repairs) = repairs {
            repairs.flush().await?;
            report.sent = repairs.sent;
        }
        report.is_at_end = page.next.is_none();
        report.next = page.next;
        Ok(())
    }
}

impl Report {
    /// Counts a contact; whether a recompute of it is to be sent.
    fn counts(&mut self, contact: &Contact, catalog: &Catalog, changed_only: bool) -> bool {
        self.contacts += 1;
        if !contact.properties.contains_key(PROGRESS_STATE) {
            self.without_state += 1;
            return false;
        }
        let changed = match repair::foreseen(contact, catalog) {
            Ok(foreseen) => foreseen.changed,
            Err(fault) => {
                self.faulty(contact, &fault);
                return false;
            }
        };
        if changed.is_empty() {
            self.unchanged += 1;
            return !changed_only;
        }
        self.changed += 1;
        for name in changed.into_keys() {
            *self.properties.entry(name).or_default() += 1;
        }
        true
    }

    fn faulty(&mut self, contact: &Contact, fault: &StateFault) {
        self.faulty += 1;
        if self.faults.len() < NAMED_MAX {
            self.faults.push(Faulty { id: contact.id.clone(), why: fault.to_string() });
        }
    }

    fn text(&self) -> String {
        let Self { contacts, without_state, changed, unchanged, faulty, sent, .. } = self;
        let mut lines = Vec::new();
        for Faulty { id, why } in &self.faults {
            lines.push(format!("{id}: {why}"));
        }
        for (name, count) in &self.properties {
            lines.push(format!("{name:<24} changes of {count}"));
        }
        lines.push(format!(
            "{contacts} contacts = {changed} changed + {unchanged} unchanged + {faulty} faulty + \
             {without_state} without a state; {sent} sent"
        ));
        lines.join("\n")
    }
}
