//! How many entries go into one call, and which of them came through.
//!
//! In: sizes, and later the entry ids of an answer. Out: ranges of entries, and a result for each
//! entry. SQS takes ten entries a call and 1 MiB in all of them together, and answers 200 when only
//! some went through.
//!
//! **Invariant**: an entry counts as done only if the answer names it as successful; an entry that
//! the answer leaves out is of unknown outcome, and so `Unavailable`.

use std::collections::BTreeMap;
use std::ops::Range;

use shared::ports::{Outgoing, QueueFault};

/// SQS: entries in one batch call.
pub const ENTRIES_MAX: usize = 10;

/// SQS: bytes in all messages of one `SendMessageBatch`.
pub const BYTES_MAX: usize = 1_048_576;

/// What SQS counts of a message: its body, and its attributes' names, types and values.
pub fn size(message: &Outgoing) -> usize {
    let attribute = |(name, value): (&String, &String)| name.len() + "String".len() + value.len();
    message.body.len() + message.attributes.iter().map(attribute).sum::<usize>()
}

/// Cuts entries of these sizes into calls, in order. One that is too large by itself gets a call
/// of its own, so that SQS refuses it alone.
pub fn cut(sizes: impl IntoIterator<Item = usize>) -> Vec<Range<usize>> {
    let mut calls: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (index, size) in sizes.into_iter().enumerate() {
        match calls.last_mut() {
            Some(call) if call.len() < ENTRIES_MAX && bytes + size <= BYTES_MAX => {
                call.end = index + 1;
                bytes += size;
            }
            _ => {
                calls.push(index..index + 1);
                bytes = size;
            }
        }
    }
    calls
}

/// An answer's entry ids, which are the entries' places in the call, turned into a result for each.
#[derive(Debug, Default)]
pub struct Answer {
    results: BTreeMap<usize, Result<(), QueueFault>>,
}

impl Answer {
    /// The answer names this entry as done.
    pub fn successful(&mut self, entry_id: &str) {
        self.note(entry_id, Ok(()));
    }

    /// The answer names this entry as failed.
    pub fn failed(&mut self, entry_id: &str, fault: QueueFault) {
        self.note(entry_id, Err(fault));
    }

    /// One result for each of `count` entries, in order.
    pub fn into_results(mut self, count: usize) -> Vec<Result<(), QueueFault>> {
        let silent = || QueueFault::Unavailable("the answer leaves the entry out".to_owned());
        (0..count)
            .map(|place| self.results.remove(&place).unwrap_or_else(|| Err(silent())))
            .collect()
    }

    fn note(&mut self, entry_id: &str, result: Result<(), QueueFault>) {
        if let Ok(place) = entry_id.parse() {
            self.results.insert(place, result);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_takes_ten_entries_and_one_mebibyte() {
        let check = |sizes: Vec<usize>, entries: &[usize]| {
            let calls = cut(sizes.iter().copied());
            assert_eq!(calls.iter().map(Range::len).collect::<Vec<_>>(), entries);
            assert!(calls.into_iter().flatten().eq(0..sizes.len()), "each once, in order");
        };
        let half = BYTES_MAX / 2;
        check(vec![], &[]);
        check(vec![1; 10], &[10]);
        check(vec![1; 21], &[10, 10, 1]);
        check(vec![half, half, 1], &[2, 1]);
        check(vec![half, half + 1, 1], &[1, 2]);
        check(vec![1, BYTES_MAX + 1, 1], &[1, 1, 1]);
    }

    #[test]
    fn an_entry_that_the_answer_leaves_out_is_not_done() {
        let mut answer = Answer::default();
        answer.successful("0");
        answer.failed("2", QueueFault::Stale);
        answer.successful("no number");
        let results = answer.into_results(3);
        assert_eq!(results[0], Ok(()));
        assert!(matches!(results[1], Err(QueueFault::Unavailable(_))));
        assert_eq!(results[2], Err(QueueFault::Stale));
    }
}
