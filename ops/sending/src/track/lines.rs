//! Input → lines, each with its number and, where it has none, an event id.
//!
//! The id is made from the line's number and content, so it is the same in every run. What isn't a
//! JSON object is handed on as it came: the front door refuses it.
//!
//! **Invariant**: a line of any length takes at most [`LINE_BYTES_MAX`] of memory.

use std::io::{BufRead, Read as _};

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use shared::json;
use shared::submission::BATCH_BYTES_MAX;
use tokio::sync::mpsc;

/// The longest part of a line that is kept. A longer line is refused by its length anyway.
pub(super) const LINE_BYTES_MAX: usize = BATCH_BYTES_MAX + 1;

/// How much of a hash is kept, in bytes.
const DIGEST_BYTES: usize = 16;

/// One line that is not blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number, from 1.
    pub(super) number: u64,
    /// The number of the line before it that was not blank, or of the one that is through; 0
    /// before the first.
    pub(super) after: u64,
    /// What is sent.
    pub(super) text: Vec<u8>,
    /// Whether it can't share a request: it isn't a JSON object, or brings a token of its own.
    pub(super) is_alone: bool,
    /// What it took of the input, for the progress.
    pub(super) bytes: u64,
    /// Why it isn't sent, if it isn't.
    pub(super) unsent: Option<Unsent>,
}

/// Why a row of a table isn't sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unsent {
    /// It has no values.
    Empty,
    /// It makes no event; the text says why.
    Refused(String),
}

/// Where an input is taken up: behind the lines that are through, if there are any.
#[derive(Debug, Default)]
pub(super) struct Input {
    through: u64,
    first_line: Option<String>,
    has_begun: bool,
}

impl Input {
    /// Behind this line, of an input that begins so.
    pub(super) fn from(through: u64, first_line: Option<String>) -> Self {
        Self { through, first_line, has_begun: false }
    }

    /// The line, with its place; none if it is through already.
    ///
    /// # Errors
    /// When the input does not begin as it should.
    pub(super) fn next(&mut self, line: Line) -> std::io::Result<Option<Line>> {
        if !std::mem::replace(&mut self.has_begun, true)
            && self.first_line.as_ref().is_some_and(|first| *first != line.digest())
        {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                "it does not begin as the input that --resume keeps the progress of",
            ));
        }
        if line.number <= self.through {
            return Ok(None);
        }
        let after = std::mem::replace(&mut self.through, line.number);
        Ok(Some(Line { after, ..line }))
    }
}

/// Reads lines until the input ends, or nobody takes them any more.
pub(super) fn read(
    mut input: impl BufRead,
    mut begun: Input,
    lines: &mpsc::Sender<std::io::Result<Line>>,
) {
    for number in 1.. {
        let next = read_line(&mut input).and_then(|raw| {
            let is_end = raw.bytes == 0;
            let line = Line::of(number, raw);
            Ok((is_end, line.map_or(Ok(None), |line| begun.next(line))?))
        });
        let sent = match next {
            Ok((true, _)) => return,
            Ok((false, None)) => continue,
            Ok((false, Some(line))) => lines.blocking_send(Ok(line)),
            Err(error) => {
                // Nothing can be read after this, whether it is heard or not.
                let _heard = lines.blocking_send(Err(error));
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

struct Raw {
    text: Vec<u8>,
    bytes: u64,
}

/// The next line; no bytes are the end.
fn read_line(input: &mut impl BufRead) -> std::io::Result<Raw> {
    let mut text = Vec::new();
    let mut bytes = input.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut text)?;
    if bytes == LINE_BYTES_MAX && !text.ends_with(b"\n") {
        bytes += input.skip_until(b'\n')?;
    }
    Ok(Raw { text, bytes: bytes as u64 })
}

impl Line {
    /// The line, unless it is blank.
    fn of(number: u64, Raw { text, bytes }: Raw) -> Option<Self> {
        let text = json::without_mark(text.trim_ascii()).trim_ascii();
        if text.is_empty() {
            return None;
        }
        Some(Self { bytes, ..Self::of_text(number, text) })
    }

    /// The line that a text is.
    pub(super) fn of_text(number: u64, text: &[u8]) -> Self {
        let event = json::document(text).ok().and_then(|event| {
            let members = json::members(event, ["eventId", "token"])?;
            Some((event.get(), members))
        });
        let (text, is_alone) = match event {
            Some((event, members)) => {
                let is_alone = members.get("token").is_some();
                (with_id(event, members.present("eventId"), number).into_bytes(), is_alone)
            }
            None => (text.to_vec(), true),
        };
        Self { number, after: 0, text, is_alone, bytes: 0, unsent: None }
    }

    /// A row that isn't sent. `text` tells it from others.
    pub(super) fn of_unsent(number: u64, text: Vec<u8>, why: Unsent) -> Self {
        let bytes = text.len() as u64;
        Self { number, after: 0, text, is_alone: true, bytes, unsent: Some(why) }
    }

    /// The line that an object makes, as a record of CSV does.
    pub(super) fn of_object(number: u64, event: Map<String, Value>, bytes: u64) -> Self {
        let text = Value::from(event).to_string();
        Self { bytes, ..Self::of_text(number, text.as_bytes()) }
    }

    /// What tells this line from others.
    pub(super) fn digest(&self) -> String {
        hex::encode(&Sha256::digest(&self.text)[..DIGEST_BYTES])
    }
}

/// The event with an id. What it says stays as it is written: the id is put behind it, where it
/// counts before one that is `null` or empty.
fn with_id(event: &str, id: Option<&RawValue>, number: u64) -> String {
    let has_id = id.is_some_and(|id| json::text(id).is_none_or(|id| !id.is_empty()));
    if has_id {
        return event.to_owned();
    }
    let hash = Sha256::new().chain_update(number.to_be_bytes()).chain_update(event).finalize();
    let id = hex::encode(&hash[..DIGEST_BYTES]);
    let inside = event.strip_prefix('{').and_then(|event| event.strip_suffix('}'));
    let inside = inside.unwrap_or_default().trim();
    let comma = if inside.is_empty() { "" } else { "," };
    format!("{{{inside}{comma}\"eventId\":\"track-{id}\"}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<Line> {
        let (send, mut receive) = mpsc::channel(100);
        read(input, Input::default(), &send);
        std::iter::from_fn(|| receive.try_recv().ok()).map(Result::unwrap).collect()
    }

    fn id(line: &Line) -> String {
        let event: Value = serde_json::from_slice(&line.text).unwrap();
        event["eventId"].as_str().unwrap().to_owned()
    }

    #[test]
    fn blank_lines_are_skipped_and_counted_in_the_numbers() {
        let read = lines(b"{\"eventId\":\"a\"}\n\n  \r\n{\"eventId\":\"b\"}");
        let numbers: Vec<u64> = read.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [1, 4]);
        assert_eq!(read[1].text, b"{\"eventId\":\"b\"}");
    }

    #[test]
    fn a_line_without_an_id_has_the_same_one_in_every_run_and_another_than_its_twin() {
        for missing in ["{}", r#"{"eventId":null}"#, r#"{"eventId":""}"#] {
            let input = format!("{missing}\n{missing}\n");
            let (first, second) = (lines(input.as_bytes()), lines(input.as_bytes()));
            assert_eq!(first, second);
            assert_ne!(id(&first[0]), id(&first[1]));
        }
    }

    #[test]
    fn what_a_line_says_beside_its_id_is_sent_as_it_is_written() {
        let text = "\u{FEFF}{\"title\":\"Launch \\ud83d\", \"z\":1.10 }\r\n";
        let read = lines(text.as_bytes());
        let sent = String::from_utf8(read[0].text.clone()).unwrap();
        assert!(
            sent.starts_with(r#"{"title":"Launch \ud83d", "z":1.10,"eventId":"track-"#),
            "{sent}"
        );
        assert!(!read[0].is_alone);
    }

    #[test]
    fn a_line_that_has_an_id_is_sent_as_it_is() {
        let text = br#"{"z":1.10, "eventId":"mine"}"#;
        assert_eq!(lines(text)[0].text, text);
    }

    #[test]
    fn what_is_no_object_or_has_its_own_token_stands_alone() {
        let read = lines(b"{\"eventName\":\"x\"}\n[1]\nnot json\n\xff\xfe\n{\"token\":\"t\"}\n");
        let alone: Vec<bool> = read.iter().map(|line| line.is_alone).collect();
        assert_eq!(alone, [false, true, true, true, true]);
    }

    #[test]
    fn an_input_is_taken_up_behind_what_is_through_and_only_if_it_begins_as_it_did() {
        let from = |first: &str, input: &str| {
            let (send, mut receive) = mpsc::channel(100);
            let first = Line::of_text(1, first.as_bytes()).digest();
            read(input.as_bytes(), Input::from(2, Some(first)), &send);
            std::iter::from_fn(|| receive.try_recv().ok()).collect::<Vec<_>>()
        };
        let read = from("{}", "{}\n{}\n\n{}\n{}");
        let places: Vec<_> = read.iter().flatten().map(|line| (line.after, line.number)).collect();
        assert_eq!(places, [(2, 4), (4, 5)]);
        assert!(from("{}", "[]\n{}\n{}")[0].is_err());
    }

    #[test]
    fn an_endless_line_takes_bounded_memory_and_hides_no_other() {
        let mut input = vec![b'x'; 3 * LINE_BYTES_MAX];
        input.extend_from_slice(b"\n{\"eventId\":\"after\"}\n");
        let read = lines(&input);
        assert_eq!(read[0].text.len(), LINE_BYTES_MAX);
        assert_eq!(read[0].bytes, 3 * LINE_BYTES_MAX as u64 + 1);
        assert_eq!(id(&read[1]), "after");
    }
}
