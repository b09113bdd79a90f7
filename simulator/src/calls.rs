//! What the portal remembers of its calls: a bounded log and counts.
//!
//! **Invariant**: no body, no token and no e-mail address stands in it; a path is kept without its
//! query and without the name of the record.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// One call that arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallSeen {
    /// Counts all calls from 1; never reused.
    pub number: u64,
    /// When it arrived.
    pub at: DateTime<Utc>,
    /// The first 12 hexadecimal digits of the token's SHA-256; empty without a token.
    pub token_hash: String,
    /// The method.
    pub method: String,
    /// The path, with `{id}` for a record's name.
    pub path: String,
    /// How many inputs a batch had.
    pub inputs: usize,
    /// The status that the client saw; `None` when the connection broke.
    pub status: Option<u16>,
    /// The records that it wrote, by id.
    pub written: Vec<u64>,
}

/// The most calls that are remembered.
pub const CALLS_KEPT: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct CallLog {
    calls: VecDeque<CallSeen>,
    total: u64,
    pub(crate) throttled: u64,
}

impl CallLog {
    pub(crate) fn note(&mut self, mut call: CallSeen) {
        self.total += 1;
        call.number = self.total;
        self.throttled += u64::from(call.status == Some(429));
        if self.calls.len() == CALLS_KEPT {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    pub(crate) fn since(&self, number: u64) -> Vec<CallSeen> {
        let start = self.calls.partition_point(|call| call.number <= number);
        self.calls.range(start..).cloned().collect()
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

/// A token's name in the log.
pub(crate) fn token_hash(token: &str) -> String {
    if token.is_empty() {
        return String::new();
    }
    hex::encode(&Sha256::digest(token)[..6])
}

/// A path without what may name a person.
pub(crate) fn anonymous_path(path: &str) -> String {
    let is_plain = |segment: &str| {
        !segment.is_empty()
            && segment.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
            && !segment.chars().all(|c| c.is_ascii_digit())
    };
    let segments = path
        .trim_start_matches('/')
        .split('/')
        .map(|segment| if is_plain(segment) { segment } else { "{id}" });
    format!("/{}", segments.collect::<Vec<_>>().join("/"))
}
