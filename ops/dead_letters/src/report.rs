//! What became of each letter of a replay, and the counts of it.
//!
//! **Invariant**: every letter that is meant has one fate.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::letter::Letter;

/// How many letters are named to people, of those that did not end well; `--json` names all.
const NAMED_MAX: usize = 20;

/// What became of a letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "fate", content = "why")]
pub enum Fate {
    /// It would be sent, were it no dry run.
    WouldBeSent,
    /// On the events queue; nobody waited for more.
    Sent,
    /// On the events queue when the wait was over.
    UnderWay,
    /// HubSpot holds it.
    Applied,
    /// It died again, for this reason.
    DeadAgain(String),
    /// Still a dead letter: the events queue did not take it, for this cause.
    Left(String),
}

/// The counts of a replay.
#[derive(Debug)]
pub struct Report {
    is_dry_run: bool,
    /// Letters a second that were asked for.
    pub rate: u32,
    /// Letters that the filters leave alone.
    pub skipped: u64,
    /// Letters that were sent, and are on the dead-letter queue all the same.
    pub undeleted: u64,
    /// How long the sending took.
    pub sending_took: Duration,
    /// Whether it was stopped before the end.
    pub interrupted: bool,
    /// Letters that could not be seen behind others.
    pub behind: u64,
    /// Letters in somebody else's hands.
    pub in_other_hands: u64,
    /// By message id, with the letter's name.
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
    /// On the events queue; nobody waited for more.
    pub sent: u64,
    /// On the events queue when the wait was over.
    pub under_way: u64,
    /// HubSpot holds them.
    pub applied: u64,
    /// By reason, those that died again.
    pub dead_again: BTreeMap<&'a str, u64>,
    /// Still dead letters.
    pub left: u64,
    undeleted: u64,
    behind: u64,
    in_other_hands: u64,
    rate_asked: u32,
    sending_seconds: f64,
    letters: Vec<Named<'a>>,
}

#[derive(Debug, Serialize)]
struct Named<'a> {
    id: &'a str,
    #[serde(flatten)]
    fate: &'a Fate,
}

impl Report {
    /// Nothing yet.
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

    /// Notes what became of a letter.
    pub fn fate(&mut self, letter: &Letter, fate: Fate) {
        self.fates.insert(letter.message_id.clone(), (letter.id.clone(), fate));
    }

    /// Notes that a letter that was sent died again.
    pub fn dead_again(&mut self, message_id: &str, reason: String) {
        if let Some((_, fate)) = self.fates.get_mut(message_id) {
            *fate = Fate::DeadAgain(reason);
        }
    }

    /// How many letters are meant.
    pub fn matched(&self) -> u64 {
        self.fates.len() as u64
    }

    /// The names of the letters that are meant.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fates.values().map(|(id, _)| id.as_str())
    }

    /// What was sent is applied if the events queue is empty, and under way if it is not.
    pub fn settle_sent(&mut self, is_drained: bool) {
        for (_, fate) in self.fates.values_mut().filter(|(_, fate)| *fate == Fate::Sent) {
            *fate = if is_drained { Fate::Applied } else { Fate::UnderWay };
        }
    }

    /// Whether there is something left that another run would do.
    pub fn is_unfinished(&self) -> bool {
        self.interrupted
            || self.undeleted > 0
            || self.behind > 0
            || self.in_other_hands > 0
            || self.left() > 0
    }

    /// Whether nothing is left and nothing died again.
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
            letters: self.fates.values().map(|(id, fate)| Named { id, fate }).collect(),
        }
    }

    /// The same in words.
    pub fn text(&self) -> String {
        let document = self.document();
        let Document { matched, skipped, would_be_sent, sent, under_way, applied, left, .. } =
            document;
        if self.is_dry_run {
            let seconds = would_be_sent.div_ceil(self.rate.into());
            return format!(
                "{would_be_sent} letters would be sent, {skipped} skipped; at {}/s that takes \
                 {seconds} s",
                self.rate
            );
        }
        let again: u64 = document.dead_again.values().sum();
        let mut text = format!(
            "{matched} letters = {applied} applied + {under_way} under way + {sent} sent + {again} \
             dead again + {left} left; {skipped} skipped; sent in {:.1} s, asked were {}/s",
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
        text.extend(bad.take(NAMED_MAX));
        if self.undeleted > 0 {
            text.push_str(&format!(
                "\n  {} were sent and could not be deleted: the next run does that",
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
