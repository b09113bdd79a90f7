//! Lines → requests: as many events together as are there and fit.
//!
//! **Invariant**: no body is longer than a front door takes, unless one line alone is.

use std::collections::VecDeque;

use shared::submission::BATCH_BYTES_MAX;
use tokio::sync::mpsc;

use super::lines::{Line, Unsent};

/// What surrounds the events of a batch, with room to spare.
const FRAME_BYTES: usize = 32;

/// The lines of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    /// At least one.
    pub(super) lines: Vec<Line>,
    /// Whether the line is the body, and not part of a list of events.
    pub(super) is_single: bool,
}

/// The batches, as lines come in.
pub(super) struct Batches {
    lines: mpsc::Receiver<std::io::Result<Line>>,
    events_max: usize,
    cut: VecDeque<Batch>,
    /// Why the input ended before its end.
    pub(super) broken: Option<std::io::Error>,
}

impl Batches {
    /// Batches of up to so many events.
    pub(super) fn new(lines: mpsc::Receiver<std::io::Result<Line>>, events_max: usize) -> Self {
        Self { lines, events_max, cut: VecDeque::new(), broken: None }
    }

    /// The next batch, made of what is there: a pipe that pauses holds nothing back.
    pub(super) async fn next(&mut self) -> Option<Batch> {
        while self.cut.is_empty() {
            let mut taken = Vec::new();
            if self.lines.recv_many(&mut taken, self.events_max).await == 0 {
                return None;
            }
            let mut lines = Vec::new();
            for line in taken {
                match line {
                    Ok(line) => lines.push(line),
                    Err(error) => self.broken = Some(error),
                }
            }
            self.cut = cut(lines, self.events_max);
        }
        self.cut.pop_front()
    }
}

fn cut(lines: Vec<Line>, events_max: usize) -> VecDeque<Batch> {
    let mut cut = VecDeque::new();
    let mut together: Vec<Line> = Vec::new();
    let mut bytes = FRAME_BYTES;
    for line in lines {
        if line.is_alone {
            cut.push_back(Batch { lines: vec![line], is_single: true });
            continue;
        }
        if bytes + line.text.len() + 1 > BATCH_BYTES_MAX && !together.is_empty() {
            let lines = std::mem::take(&mut together);
            cut.push_back(Batch { lines, is_single: false });
            bytes = FRAME_BYTES;
        }
        bytes += line.text.len() + 1;
        together.push(line);
    }
    if !together.is_empty() {
        cut.push_back(Batch { lines: together, is_single: events_max == 1 });
    }
    cut
}

impl Batch {
    /// The body of its request.
    pub(super) fn body(&self) -> Vec<u8> {
        let texts: Vec<&[u8]> = self.lines.iter().map(|line| line.text.as_slice()).collect();
        let events = texts.join(b",".as_slice());
        if self.is_single {
            return events;
        }
        [b"{\"events\":[".as_slice(), &events, b"]}"].concat()
    }

    /// How many events it sends.
    pub(super) fn sent(&self) -> usize {
        if self.unsent().is_some() { 0 } else { self.lines.len() }
    }

    /// Why it isn't sent, if it isn't.
    pub(super) fn unsent(&self) -> Option<&Unsent> {
        self.lines.first().and_then(|line| line.unsent.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u64, bytes: usize, is_alone: bool) -> Line {
        let text = vec![b'x'; bytes];
        Line { number, after: 0, text, is_alone, bytes: bytes as u64, unsent: None }
    }

    fn numbers(cut: &VecDeque<Batch>) -> Vec<Vec<u64>> {
        let of = |batch: &Batch| batch.lines.iter().map(|line| line.number).collect();
        cut.iter().map(of).collect()
    }

    #[test]
    fn a_line_that_is_sent_alone_does_not_part_the_others() {
        let cut = cut(vec![line(1, 9, false), line(2, 9, true), line(3, 9, false)], 50);
        assert_eq!(numbers(&cut), [vec![2], vec![1, 3]]);
        assert!(cut[0].is_single && !cut[1].is_single);
    }

    #[test]
    fn no_body_is_longer_than_a_front_door_takes() {
        let cut = cut((1..=50).map(|number| line(number, 20_000, false)).collect(), 50);
        assert!(cut.iter().all(|batch| batch.body().len() <= BATCH_BYTES_MAX));
        assert_eq!(cut.iter().map(Batch::sent).sum::<usize>(), 50);
        assert_eq!(cut.len(), 2);
    }

    #[test]
    fn batches_of_one_are_sent_as_single_events() {
        let cut = cut(vec![line(1, 4, false)], 1);
        assert_eq!(cut[0].body(), b"xxxx");
    }
}
