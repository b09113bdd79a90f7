//! `ReceiveRequestAttemptId`: which messages a receive gave, so that a repeat gives them again.
//!
//! In memory only: a caller that could repeat a receive ends with the process. Whether the messages
//! are still in flight, the store reads from the file.
//!
//! **Invariant**: once one message of an attempt was settled, the attempt can't be repeated.

use std::collections::{HashMap, VecDeque};

/// SQS: an attempt can be repeated for five minutes.
const ATTEMPT_AGE_MS_MAX: i64 = 5 * 60 * 1000;
/// How many attempts are remembered; the oldest are forgotten first.
const ATTEMPTS_MAX: usize = 100_000;

/// A message that a receive gave: its place in the queue and the receipt of that receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) seq: i64,
    pub(crate) receipt: i64,
}

/// The attempts of one queue.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// The time of each attempt, and what it gave.
    given: HashMap<String, (i64, Vec<Given>)>,
    by_seq: HashMap<i64, String>,
    /// In the order of their receives, with the queue's time.
    ages: VecDeque<(i64, String)>,
}

impl Attempts {
    /// Keeps what the attempt gave, and forgets attempts that are too old.
    pub(crate) fn remember(&mut self, now_ms: i64, attempt_id: &str, given: Vec<Given>) {
        self.expire(now_ms);
        for message in &given {
            self.by_seq.insert(message.seq, attempt_id.to_owned());
        }
        self.given.insert(attempt_id.to_owned(), (now_ms, given));
        self.ages.push_back((now_ms, attempt_id.to_owned()));
    }

    /// What the attempt gave, if it can still be repeated.
    pub(crate) fn recall(&mut self, now_ms: i64, attempt_id: &str) -> Option<Vec<Given>> {
        self.expire(now_ms);
        self.given.get(attempt_id).map(|(_, given)| given.clone())
    }

    /// The message was settled: the attempt that gave it is over.
    pub(crate) fn spend(&mut self, seq: i64) {
        if let Some(attempt_id) = self.by_seq.get(&seq).cloned() {
            self.forget(&attempt_id);
        }
    }

    /// Drops the attempt.
    pub(crate) fn forget(&mut self, attempt_id: &str) {
        let Some((_, given)) = self.given.remove(attempt_id) else { return };
        for message in given {
            if self.by_seq.get(&message.seq).is_some_and(|id| id == attempt_id) {
                self.by_seq.remove(&message.seq);
            }
        }
    }

    fn expire(&mut self, now_ms: i64) {
        while let Some((made_ms, _)) = self.ages.front() {
            if now_ms - made_ms < ATTEMPT_AGE_MS_MAX && self.ages.len() < ATTEMPTS_MAX {
                break;
            }
            let Some((made_ms, attempt_id)) = self.ages.pop_front() else { break };
            // An id that was settled and then used again has a younger entry.
            if self.given.get(&attempt_id).is_some_and(|(kept_ms, _)| *kept_ms == made_ms) {
                self.forget(&attempt_id);
            }
        }
    }
}
