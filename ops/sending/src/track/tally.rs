//! The counts of a run, and the lines that were not accepted.
//!
//! **Invariant**: `rows = sent + refused + skipped`, and
//! `sent = accepted + anonymous + rejected + failed`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::batches::Batch;
use super::fates::{Fate, Reason};

/// How many lines are named; the rest is counted.
pub(super) const NAMED_MAX: usize = 100;

/// What `track --json` prints.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Tally {
    /// Lines that were read, without blank lines and those of an earlier run.
    pub(super) rows: u64,
    /// Lines that were sent.
    pub(super) sent: u64,
    /// On the queue.
    pub(super) accepted: u64,
    /// Naming nobody, so not kept.
    pub(super) anonymous: u64,
    /// Not valid events.
    pub(super) rejected: u64,
    /// Not taken.
    pub(super) failed: u64,
    /// Rows of a table that make no event, and were not sent.
    pub(super) refused: u64,
    /// Rows of a table without values.
    pub(super) skipped: u64,
    /// What was rejected, refused or failed, by code.
    pub(super) codes: BTreeMap<String, u64>,
    /// The first of those lines.
    pub(super) lines: Vec<Named>,
}

/// A line that was rejected, refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Named {
    /// Its number, from 1.
    pub(super) line: u64,
    /// Why.
    pub(super) code: String,
    /// What is wrong.
    pub(super) details: Vec<String>,
}

impl Tally {
    /// Counts a batch, and gives the lines to name now.
    pub(super) fn count(&mut self, batch: &Batch, fates: Vec<Fate>) -> Vec<Named> {
        let mut named = Vec::new();
        for (line, fate) in batch.lines.iter().zip(fates) {
            self.rows += 1;
            self.sent += u64::from(line.unsent.is_none());
            let Reason { code, details } = match fate {
                Fate::Accepted => {
                    self.accepted += 1;
                    continue;
                }
                Fate::Anonymous => {
                    self.anonymous += 1;
                    continue;
                }
                Fate::Skipped => {
                    self.skipped += 1;
                    continue;
                }
                Fate::Refused(reason) => {
                    self.refused += 1;
                    reason
                }
                Fate::Rejected(reason) => {
                    self.rejected += 1;
                    reason
                }
                Fate::Failed(reason) => {
                    self.failed += 1;
                    reason
                }
            };
            *self.codes.entry(code.clone()).or_default() += 1;
            if self.lines.len() < NAMED_MAX {
                let line = Named { line: line.number, code, details };
                self.lines.push(line.clone());
                named.push(line);
            }
        }
        named
    }

    /// How many lines were not accepted though they were meant to be.
    pub(super) fn wrong(&self) -> u64 {
        self.rejected + self.failed + self.refused
    }

    /// The counts in words.
    pub(super) fn text(&self, took: Duration) -> String {
        let Self { rows, sent, accepted, anonymous, rejected, failed, refused, skipped, .. } = self;
        let mut text = format!(
            "{sent} sent = {accepted} accepted + {anonymous} anonymous + {rejected} rejected \
             + {failed} failed, in {:.1} s",
            took.as_secs_f64()
        );
        if refused + skipped > 0 {
            text.push_str(&format!(
                "\n{rows} rows = {sent} sent + {refused} refused + {skipped} skipped"
            ));
        }
        for (code, count) in &self.codes {
            text.push_str(&format!("\n  {code} {count}"));
        }
        text
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, code, details } = self;
        write!(f, "line {line}: {code}")?;
        match details.as_slice() {
            [] => Ok(()),
            details => write!(f, ": {}", details.join("; ")),
        }
    }
}
