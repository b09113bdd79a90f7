//! The report of a replay: what became of each dead letter, and the counts.
//!
//! **Invariant**: every dead letter that the filter matches has exactly one fate.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::dead_letter::DeadLetter;

/// How many dead letters that did not end well the text lists; `--json` lists all.
const LISTED_MAX: usize = 20;

/// What became of a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "fate", content = "why")]
pub enum Fate {
    /// It would be sent if this were not a dry run.
    WouldBeSent,
    /// On the events queue; the replay did not wait for the worker.
    Sent,
    /// Still on the events queue when the wait ended.
    UnderWay,
    /// Applied to HubSpot.
    Applied,
    /// It died again, for this reason.
    DeadAgain(String),
    /// Still a dead letter, because the events queue did not take it; the cause.
    Left(String),
}

/// The counts of a replay.
#[derive(Debug)]
pub struct Report {
    is_dry_run: bool,
    /// The requested rate, in dead letters per second.
    pub rate: u32,
    /// Dead letters that the filter does not match.
    pub skipped: u64,
    /// Dead letters that were sent but could not be deleted.
    pub undeleted: u64,
    /// How long the sending took.
    pub sending_took: Duration,
    /// Whether it was stopped early.
    pub interrupted: bool,
    /// Dead letters hidden behind others of their contact.
    pub behind: u64,
    /// Dead letters that another command holds.
    pub in_other_hands: u64,
    /// By message id: the dead letter's id and its fate.
    fates: BTreeMap<String, (String, Fate)>,
}

/// What `dlq replay --json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document<'a> {
    dry_run: bool,
    interrupted: bool,
    matched: u64,
    skipped: u64,
    would_be_sent: u64,
    /// On the events queue; the replay did not wait for the worker.
    pub sent: u64,
    /// Still on the events queue when the wait ended.
    pub under_way: u64,
    /// Applied to HubSpot.
    pub applied: u64,
    /// Died again, by reason.
    pub dead_again: BTreeMap<&'a str, u64>,
    /// Still dead letters.
    pub left: u64,
    undeleted: u64,
    behind: u64,
    in_other_hands: u64,
    rate_asked: u32,
    sending_seconds: f64,
    letters: Vec<Listed<'a>>,
}

#[derive(Debug, Serialize)]
struct Listed<'a> {
    id: &'a str,
    #[serde(flatten)]
    fate: &'a Fate,
}

impl Report {
    /// An empty report.
    pub fn new(is_dry_run: bool, rate: u32) -> Self {
        Self {
            is_dry_run,
            rate,
            skipped: 0,
            undeleted: 0,
            sending_took: Duration::ZERO,
            interrupted: false,
            behind: 0,
            in_other_hands: 0,
            fates: BTreeMap::new(),
        }
    }

    /// Records what became of a dead letter.
    pub fn fate(&mut self, letter: &DeadLetter, fate: Fate) {
        self.fates.insert(letter.message_id.clone(), (letter.id.clone(), fate));
    }

    /// Records that a dead letter died again after it was sent.
    pub fn dead_again(&mut self, message_id: &str, reason: String) {
        if let Some((_, fate)) = self.fates.get_mut(message_id) {
            *fate = Fate::DeadAgain(reason);
        }
    }

    /// How many dead letters the filter matches.
    pub fn matched(&self) -> u64 {
        self.fates.len() as u64
    }

    /// The ids of the dead letters that the filter matches.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.fates.values().map(|(id, _)| id.as_str())
    }

    /// Marks what was sent: as applied if the events queue is empty, else as under way.
    pub fn settle_sent(&mut self, is_drained: bool) {
        for (_, fate) in self.fates.values_mut().filter(|(_, fate)| *fate == Fate::Sent) {
            *fate = if is_drained { Fate::Applied } else { Fate::UnderWay };
        }
    }

    /// Whether another run would have something to do.
    pub fn is_unfinished(&self) -> bool {
        self.interrupted
            || self.undeleted > 0
            || self.behind > 0
            || self.in_other_hands > 0
            || self.left() > 0
    }

    /// Whether everything succeeded: nothing is left, and nothing died again.
    pub fn is_all_well(&self) -> bool {
        !self.is_unfinished() && self.again_by_reason().is_empty()
    }

    /// What `--json` prints.
    pub fn document(&self) -> Document<'_> {
        Document {
            dry_run: self.is_dry_run,
            interrupted: self.interrupted,
            matched: self.matched(),
            skipped: self.skipped,
            would_be_sent: self.count(&Fate::WouldBeSent),
            sent: self.count(&Fate::Sent),
            under_way: self.count(&Fate::UnderWay),
            applied: self.count(&Fate::Applied),
            dead_again: self.again_by_reason(),
            left: self.left(),
            undeleted: self.undeleted,
            behind: self.behind,
            in_other_hands: self.in_other_hands,
            rate_asked: self.rate,
            sending_seconds: self.sending_took.as_secs_f64(),
            letters: self.fates.values().map(|(id, fate)| Listed { id, fate }).collect(),
        }
    }

    /// The same as text.
    pub fn text(&self) -> String {
        let document = self.document();
        let Document { matched, skipped, would_be_sent, sent, under_way, applied, left, .. } =
            document;
        if self.is_dry_run {
            let seconds = would_be_sent.div_ceil(self.rate.into());
            return format!(
                "{would_be_sent} dead letters would be sent, {skipped} skipped; at {}/s that takes \
                 {seconds} s",
                self.rate
            );
        }
        let again: u64 = document.dead_again.values().sum();
        let mut text = format!(
            "{matched} dead letters = {applied} applied + {under_way} under way + {sent} sent + {again} \
             dead again + {left} left; {skipped} skipped; sent in {:.1} s, at most {}/s",
            self.sending_took.as_secs_f64(),
            self.rate
        );
        for (reason, count) in &document.dead_again {
            text.push_str(&format!("\n  dead again: {reason} {count}"));
        }
        let bad = self.fates.values().filter_map(|(id, fate)| match fate {
            Fate::DeadAgain(reason) => Some(format!("\n  {id} dead again: {reason}")),
            Fate::Left(cause) => Some(format!("\n  {id} left: {cause}")),
            Fate::WouldBeSent | Fate::Sent | Fate::UnderWay | Fate::Applied => None,
        });
        text.extend(bad.take(LISTED_MAX));
        if self.undeleted > 0 {
            text.push_str(&format!(
                "\n  {} were sent but could not be deleted; the next run deletes them",
                self.undeleted
            ));
        }
        text
    }

    fn count(&self, wanted: &Fate) -> u64 {
        self.fates.values().filter(|(_, fate)| fate == wanted).count() as u64
    }

    fn left(&self) -> u64 {
        self.fates.values().filter(|(_, fate)| matches!(fate, Fate::Left(_))).count() as u64
    }

    fn again_by_reason(&self) -> BTreeMap<&str, u64> {
        let mut dead_again = BTreeMap::new();
        for (_, fate) in self.fates.values() {
            if let Fate::DeadAgain(reason) = fate {
                *dead_again.entry(reason.as_str()).or_default() += 1;
            }
        }
        dead_again
    }
}
