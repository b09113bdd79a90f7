//! `milepost dlq list`: the dead letters by reason, with the mend for each.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use shared::state::instant;

use super::filter::Filters;
use super::letter::{Letter, Shown};
use super::note_unseen;
use super::reasons::explained;
use super::walk::{AT_ONCE, Manner, Walk};
use crate::ending::{Ending, Stopped};
use crate::output::Output;
use crate::queues::Place;
use crate::stop::Stop;

/// How many letters of a reason are named to people; `--json` names all.
const NAMED_MAX: usize = 5;

/// Dead letters by reason: how many, from when to when, and the mend
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Dead letters by reason: how many, from when to when, and the mend. It changes \
                  nothing: each letter is held while the command runs, and handed back.\n\n\
                  A contact is shown as its message group, as in the logs. With --json every letter \
                  is named.",
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
    /// Letters that the queue has.
    total: u64,
    /// Letters that are meant.
    matched: usize,
    /// Letters that could not be seen behind others of their contact.
    behind: u64,
    /// Letters in somebody else's hands.
    in_other_hands: u64,
    reasons: Vec<Group<'a>>,
    letters: Vec<Shown<'a>>,
}

/// The letters of one reason.
#[derive(Debug, Serialize)]
struct Group<'a> {
    reason: &'a str,
    count: usize,
    oldest: String,
    newest: String,
    what: &'static str,
    mend: &'static str,
    #[serde(skip)]
    names: Vec<&'a str>,
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`].
pub(super) async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    let queues = args.place.open()?;
    let meant = args.filters.meant(queues.clock.now());
    let stop = Stop::listen();
    let mut walk = Walk::new(&queues, stop.signal(), Manner::Looks);
    let total = walk.total().await?;
    let bar = output.progress(Some(total));
    let mut letters: Vec<Letter> = Vec::new();
    while !meant.is_enough(letters.len() as u64) {
        let seen = walk.next(AT_ONCE).await?;
        if seen.is_empty() {
            break;
        }
        bar.inc(seen.len() as u64);
        for letter in seen {
            if meant.includes(&letter) && !meant.is_enough(letters.len() as u64) {
                letters.push(letter);
            }
        }
    }
    bar.finish_and_clear();
    let unseen = walk.unseen;
    walk.hand_back().await;
    let listed = Listed {
        total,
        matched: letters.len(),
        behind: unseen.behind,
        in_other_hands: unseen.in_other_hands,
        reasons: by_reason(&letters),
        letters: letters.iter().map(Letter::shown).collect(),
    };
    output.result(&listed, || text(&listed))?;
    note_unseen(unseen, output);
    if stop.is_requested() {
        output.note("note: stopped before the end; there may be more");
    }
    Ok(Ending::Done)
}

/// The letters by reason, the most frequent first.
fn by_reason(letters: &[Letter]) -> Vec<Group<'_>> {
    let mut by_reason: BTreeMap<&str, Vec<&Letter>> = BTreeMap::new();
    for letter in letters {
        by_reason.entry(&letter.reason).or_default().push(letter);
    }
    let mut groups: Vec<Group<'_>> = by_reason
        .into_iter()
        .map(|(reason, mut letters)| {
            letters.sort_by_key(|letter| letter.failed_at);
            let time = |letter: Option<&&Letter>| {
                letter.map(|letter| instant(letter.failed_at)).unwrap_or_default()
            };
            let explained = explained(reason);
            Group {
                reason,
                count: letters.len(),
                oldest: time(letters.first()),
                newest: time(letters.last()),
                what: explained.what,
                mend: explained.mend,
                names: letters.iter().rev().map(|letter| letter.id.as_str()).collect(),
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
    for Group { reason, count, oldest, newest, what, mend, names } in reasons {
        // Writing to a `String` can't fail.
        let _written = write!(
            text,
            "\n\n{reason}  {count}, from {oldest} to {newest}\n  what: {what}\n  mend: {mend}\n  \
             newest: {}{}",
            names[..names.len().min(NAMED_MAX)].join(" "),
            if names.len() > NAMED_MAX { " …" } else { "" },
        );
    }
    text
}
