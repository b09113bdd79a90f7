//! `milepost contact forget`: a person deleted from HubSpot for good, and the dead letters too.
//!
//! The wish goes to the queue, into the group of each name that the person has: a worker deletes the
//! contact when nobody else can be writing it, and drops the events that are in its hands beside the
//! wish. This command waits for that, looks in HubSpot whether it is so, and then deletes the dead
//! letters.
//!
//! **Invariant**: it ends with 0 only when HubSpot knows none of the names and no letter is left.

use std::io::IsTerminal as _;
use std::time::Duration;

use serde::Serialize;
use shared::envelope::Content;

use super::named::{self, Known, Names};
use crate::crm::{self, Crm};
use crate::dlq::dead_letter::DeadLetter;
use crate::dlq::note_unseen;
use crate::dlq::scan::{AT_ONCE, Mode, Scan, Unseen};
use crate::ending::{Ending, Stopped};
use crate::output::Output;
use crate::queues::{Place, Queues};
use crate::repair::Repairs;
use crate::stop::Stop;

/// How often HubSpot is asked whether the contact is gone.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// One person has a handful of names: they need no pace.
const RATE: u32 = 100;

/// Delete one contact for good, with its dead letters
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Delete one contact for good: HubSpot's permanent delete, with all that HubSpot \
                  holds of the person, not only the progress. Events of the person that are in the \
                  queue beside the wish are dropped and counted; the person's dead letters are \
                  deleted.\n\n\
                  It says whom it would delete and asks; without a terminal it needs --yes. It can't \
                  be undone.\n\n\
                  Milepost keeps no list of the forgotten. An event that comes later is like any \
                  other: HubSpot may refuse to create the person again, and may not. Stop what sends \
                  them first. It ends with 1 when the person is still there, or letters are: run it \
                  again.",
    after_help = "Example: milepost contact forget ada@example.org\n\
                  Read on in docs/repair.md, Forgetting."
)]
pub(super) struct Args {
    /// The contact's e-mail, any of them, or its record id
    #[arg(value_name = "EMAIL|ID")]
    contact: String,

    /// Delete without asking
    #[arg(long)]
    yes: bool,

    /// Wait so many seconds at most for the worker
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    follow: u32,

    #[command(flatten)]
    place: Place,
}

/// What `contact forget --json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    /// The message group, as in the logs.
    contact: String,
    /// Whether HubSpot had the contact.
    found: bool,
    /// Names of the person: groups that the wish was sent to.
    names: u64,
    /// Whether HubSpot knows none of the names now.
    gone: bool,
    /// Dead letters that were deleted.
    letters_deleted: u64,
    /// Dead letters that could not be.
    letters_left: u64,
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`].
pub(super) async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(Stopped::Usage(
            "nobody can be asked here; hint: look with `contact show` first, then forget with --yes"
                .into(),
        ));
    }
    let crm = crm::from_environment()?;
    let queues = args.place.open()?;
    let stop = Stop::listen();
    let known = named::look_up(&crm, &args.contact).await?;
    if !args.yes && !is_agreed(&known, &stop, output).await {
        output.note("nothing was deleted");
        return Ok(Ending::Found);
    }
    let Known { contact, names } = known;
    let mut repairs = Repairs::new(&queues, RATE);
    for person in names.people() {
        repairs.send(person, Content::Forget).await?;
    }
    repairs.flush().await?;
    let gone = is_gone(&crm, &names, Duration::from_secs(args.follow.into()), &stop).await?;
    let (deleted, left, unseen) = scrub(&queues, &names, &stop).await?;
    let report = Report {
        contact: names.canonical.group(),
        found: contact.is_some(),
        names: repairs.sent,
        gone,
        letters_deleted: deleted,
        letters_left: left,
    };
    output.result(&report, || report.text())?;
    note_unseen(unseen, output);
    let is_done = gone && left == 0 && unseen.is_none() && !stop.is_requested();
    if !is_done {
        output.note("hint: run it again; the wish stands on the queue until a worker has done it");
    }
    Ok(if is_done { Ending::Done } else { Ending::Found })
}

async fn is_agreed(known: &Known, stop: &Stop, output: &Output) -> bool {
    output.note(match &known.contact {
        Some(contact) => format!(
            "Contact {}, group {}: HubSpot deletes it with all that it holds of this person, and it \
             can't be undone. Type yes:",
            contact.id,
            known.names.canonical.group()
        ),
        None => "HubSpot has no such contact. Delete the dead letters, and have HubSpot block the \
                 address? Type yes:"
            .to_owned(),
    });
    stop.is_yes_typed().await
}

/// Whether HubSpot knows none of the names any more, within so much time.
async fn is_gone(
    crm: &Crm,
    names: &Names,
    wait_max: Duration,
    stop: &Stop,
) -> Result<bool, Stopped> {
    let deadline = crm.clock.uptime() + wait_max;
    loop {
        let is_gone = names.are_unknown(crm).await?;
        if is_gone || crm.clock.uptime() >= deadline || stop.is_requested() {
            return Ok(is_gone);
        }
        crm.clock.sleep(LOOK_EVERY).await;
    }
}

/// Deletes the person's dead letters; how many, and how many it could not.
async fn scrub(queues: &Queues, names: &Names, stop: &Stop) -> Result<(u64, u64, Unseen), Stopped> {
    let mut scan = Scan::new(queues, stop.signal(), Mode::Drain);
    let (mut deleted, mut left) = (0, 0);
    loop {
        let seen = scan.next(AT_ONCE).await?;
        if seen.is_empty() {
            break;
        }
        let mine: Vec<DeadLetter> =
            seen.into_iter().filter(|letter| names.are_in(letter)).collect();
        let missing = scan.remove(mine.iter().map(|letter| letter.message_id.as_str())).await;
        left += missing;
        deleted += mine.len() as u64 - missing;
    }
    let unseen = scan.unseen;
    scan.hand_back().await;
    Ok((deleted, left, unseen))
}

impl Report {
    fn text(&self) -> String {
        let Self { found, names, gone, letters_deleted, letters_left, .. } = self;
        let hubspot = match (found, gone) {
            (true, true) => "deleted from HubSpot for good",
            (true, false) => "still in HubSpot",
            (false, true) => "not in HubSpot",
            (false, false) => "in HubSpot since",
        };
        format!(
            "{hubspot}; {names} names; {letters_deleted} dead letters deleted, {letters_left} left"
        )
    }
}
