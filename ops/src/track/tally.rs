//! The counts of a run, and the lines that were not accepted.
//!
//! **Invariant**: `sent = accepted + anonymous + rejected + failed`.

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
    /// Lines that were sent.
    pub(super) sent: u64,
    /// On the queue.
    pub(super) accepted: u64,
    /// Naming nobody.
    pub(super) anonymous: u64,
    /// No valid events.
    pub(super) rejected: u64,
    /// Not taken.
    pub(super) failed: u64,
    /// What was rejected or failed, by code.
    pub(super) codes: BTreeMap<String, u64>,
    /// The first of those lines.
    pub(super) lines: Vec<Named>,
}

/// A line that was rejected or failed.
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
    /// Counts a batch. What comes back is to be named now.
    pub(super) fn count(&mut self, batch: &Batch, fates: Vec<Fate>) -> Vec<Named> {
        let mut named = Vec::new();
        for (line, fate) in batch.lines.iter().zip(fates) {
            self.sent += 1;
            let Reason { code, details } = match fate {
                Fate::Accepted => {
                    self.accepted += 1;
                    continue;
                }
                Fate::Anonymous => {
                    self.anonymous += 1;
                    continue;
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
        self.rejected + self.failed
    }

    /// The counts in words.
    pub(super) fn text(&self, took: Duration) -> String {
        let Self { sent, accepted, anonymous, rejected, failed, .. } = self;
        let mut text = format!(
            "{sent} sent = {accepted} accepted + {anonymous} anonymous + {rejected} rejected \
             + {failed} failed, in {:.1} s",
            took.as_secs_f64()
        );
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
