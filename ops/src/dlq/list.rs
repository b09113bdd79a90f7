//! `milepost dlq list`: the dead letters by reason, each with its fix.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use shared::state::instant;

use super::dead_letter::{DeadLetter, Shown};
use super::filter::Filters;
use super::note_unseen;
use super::reasons::explained;
use super::scan::{AT_ONCE, Mode, Scan};
use crate::ending::{Ending, Stopped};
use crate::output::Output;
use crate::queues::Place;
use crate::stop::Stop;

/// How many dead letters of a reason the text lists; `--json` lists all.
const LISTED_MAX: usize = 5;

/// Dead letters by reason: how many, from when to when, and the fix
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Dead letters by reason: how many, from when to when, and the fix. It changes \
                  nothing: it holds each dead letter while it runs, and hands it back.\n\n\
                  A contact is shown as its message group, as in the logs. With --json every dead \
                  letter is listed.",
    after_help = "Example: milepost dlq list --since 1d\n\
                  Read on in docs/queue.md, Reasons."
)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    filters: Filters,
}

/// What `dlq list --json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    /// Dead letters on the queue.
    total: u64,
    /// Dead letters that the filters match.
    matched: usize,
    /// Dead letters hidden behind others of their contact.
    behind: u64,
    /// Dead letters that another command holds.
    in_other_hands: u64,
    reasons: Vec<Group<'a>>,
    letters: Vec<Shown<'a>>,
}

/// The dead letters of one reason.
#[derive(Debug, Serialize)]
struct Group<'a> {
    reason: &'a str,
    count: usize,
    oldest: String,
    newest: String,
    what: &'static str,
    fix: &'static str,
    #[serde(skip)]
    ids: Vec<&'a str>,
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`].
pub(super) async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    let queues = args.place.open()?;
    let filter = args.filters.at(queues.clock.now());
    let stop = Stop::listen();
    let mut scan = Scan::new(&queues, stop.signal(), Mode::Peek);
    let total = scan.total().await?;
    let bar = output.progress(Some(total));
    let mut letters: Vec<DeadLetter> = Vec::new();
    while !filter.is_enough(letters.len() as u64) {
        let seen = scan.next(AT_ONCE).await?;
        if seen.is_empty() {
            break;
        }
        bar.inc(seen.len() as u64);
        for letter in seen {
            if filter.matches(&letter) && !filter.is_enough(letters.len() as u64) {
                letters.push(letter);
            }
        }
    }
    bar.finish_and_clear();
    let unseen = scan.unseen;
    scan.hand_back().await;
    let listed = Listed {
        total,
        matched: letters.len(),
        behind: unseen.behind,
        in_other_hands: unseen.in_other_hands,
        reasons: by_reason(&letters),
        letters: letters.iter().map(DeadLetter::shown).collect(),
    };
    output.result(&listed, || text(&listed))?;
    note_unseen(unseen, output);
    if stop.is_requested() {
        output.note("note: stopped before the end; there may be more");
    }
    Ok(Ending::Done)
}

/// The dead letters by reason, the most frequent first.
fn by_reason(letters: &[DeadLetter]) -> Vec<Group<'_>> {
    let mut by_reason: BTreeMap<&str, Vec<&DeadLetter>> = BTreeMap::new();
    for letter in letters {
        by_reason.entry(&letter.reason).or_default().push(letter);
    }
    let mut groups: Vec<Group<'_>> = by_reason
        .into_iter()
        .map(|(reason, mut letters)| {
            letters.sort_by_key(|letter| letter.failed_at);
            let time = |letter: Option<&&DeadLetter>| {
                letter.map(|letter| instant(letter.failed_at)).unwrap_or_default()
            };
            let explained = explained(reason);
            Group {
                reason,
                count: letters.len(),
                oldest: time(letters.first()),
                newest: time(letters.last()),
                what: explained.what,
                fix: explained.fix,
                ids: letters.iter().rev().map(|letter| letter.id.as_str()).collect(),
            }
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

fn text(listed: &Listed<'_>) -> String {
    let Listed { total, matched, reasons, .. } = listed;
    if *total == 0 {
        return "no dead letters".to_owned();
    }
    let mut text = format!("{matched} of {total} dead letters");
    for Group { reason, count, oldest, newest, what, fix, ids } in reasons {
        // Writing to a `String` can't fail.
        let _written = write!(
            text,
            "\n\n{reason}  {count}, from {oldest} to {newest}\n  what: {what}\n  fix: {fix}\n  \
             newest: {}{}",
            ids[..ids.len().min(LISTED_MAX)].join(" "),
            if ids.len() > LISTED_MAX { " …" } else { "" },
        );
    }
    text
}
