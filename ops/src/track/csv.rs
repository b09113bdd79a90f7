//! CSV with a header → lines, as if each record were a JSON object.
//!
//! As RFC 4180 has it: commas, fields in double quotes where they hold one, quotes doubled, line
//! breaks inside quotes. A column is a field of the event by its name; an empty cell is an absent
//! field.
//!
//! **Invariant**: a record takes at most [`LINE_BYTES_MAX`] of memory, and one with other columns
//! than the header ends the input instead of being guessed at.

use std::io::{BufRead, Error, ErrorKind, Read as _, Result};

use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::lines::{Input, LINE_BYTES_MAX, Line};

/// The columns that stand at the top of an event; those in other places are below.
const AT_TOP: [&str; 6] =
    ["eventName", "eventId", "pathway_slug", "course_slug", "enrollment_source", "token"];
const IN_CONTACT: [&str; 2] = ["email", "contactId"];
const IN_PAYLOAD: [&str; 4] = ["module_slug", "content_type", "slug", "ts"];

/// Where a column goes: an object inside the event, if not the event itself, and the name there.
struct Column {
    inside: Option<&'static str>,
    name: String,
}

/// The records of the input.
struct Records<R> {
    input: R,
    /// Lines read so far.
    lines: u64,
}

/// One record.
struct Record {
    fields: Vec<String>,
    /// The number of its first line.
    number: u64,
    bytes: u64,
}

/// Reads records until the input ends, or nobody takes them any more.
pub(super) fn read(input: impl BufRead, mut begun: Input, lines: &mpsc::Sender<Result<Line>>) {
    let mut records = Records { input, lines: 0 };
    if let Err(error) = read_all(&mut records, &mut begun, lines) {
        // Nothing can be read after this, whether it is heard or not.
        let _heard = lines.blocking_send(Err(error));
    }
}

fn read_all(
    records: &mut Records<impl BufRead>,
    begun: &mut Input,
    lines: &mpsc::Sender<Result<Line>>,
) -> Result<()> {
    let Some(header) = records.next()? else { return Ok(()) };
    let columns: Vec<Column> =
        header.fields.iter().map(|name| Column::of(name)).collect::<Result<_>>()?;
    while let Some(Record { fields, number, bytes }) = records.next()? {
        if fields.len() != columns.len() {
            return Err(wrong(format!(
                "line {number} has {} fields, and the header has {}",
                fields.len(),
                columns.len()
            )));
        }
        let line = Line::of_object(number, event(&columns, fields), bytes);
        if let Some(line) = begun.next(line)?
            && lines.blocking_send(Ok(line)).is_err()
        {
            return Ok(());
        }
    }
    Ok(())
}

impl Column {
    fn of(name: &str) -> Result<Self> {
        let name = name.trim();
        let (inside, name) = match name.split_once('.') {
            Some(("payload", name)) => (Some("payload"), name),
            Some(("contactIdentifier", name)) => (Some("contactIdentifier"), name),
            _ if AT_TOP.contains(&name) => (None, name),
            _ if IN_CONTACT.contains(&name) => (Some("contactIdentifier"), name),
            _ if IN_PAYLOAD.contains(&name) => (Some("payload"), name),
            _ => {
                let known = [&AT_TOP[..], &IN_CONTACT, &IN_PAYLOAD].concat().join(", ");
                return Err(wrong(format!(
                    "the header's column {name:?} is no field of an event; there are {known}, and \
                     payload.NAME"
                )));
            }
        };
        Ok(Self { inside, name: name.to_owned() })
    }
}

fn event(columns: &[Column], fields: Vec<String>) -> Map<String, Value> {
    let mut event = Map::new();
    for (Column { inside, name }, value) in columns.iter().zip(fields) {
        if value.is_empty() {
            continue;
        }
        let place = match inside {
            None => Some(&mut event),
            Some(inside) => {
                let object = event.entry(*inside).or_insert_with(|| Map::new().into());
                object.as_object_mut()
            }
        };
        if let Some(place) = place {
            place.insert(name.clone(), value.into());
        }
    }
    event
}

impl<R: BufRead> Records<R> {
    /// The next record that is not blank.
    fn next(&mut self) -> Result<Option<Record>> {
        loop {
            let number = self.lines + 1;
            let text = self.text(number)?;
            if text.is_empty() {
                return Ok(None);
            }
            let bytes = text.len() as u64;
            let text = String::from_utf8(text)
                .map_err(|_| wrong(format!("line {number} is no UTF-8; save the file as UTF-8")))?;
            let text = text.trim_start_matches('\u{FEFF}').trim_end_matches(['\r', '\n']);
            if !text.trim().is_empty() {
                return Ok(Some(Record { fields: split(text), number, bytes }));
            }
        }
    }

    /// The lines of one record: it ends where no quote is open.
    fn text(&mut self, number: u64) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        let mut is_open = false;
        loop {
            let room = LINE_BYTES_MAX - text.len();
            if room == 0 {
                return Err(wrong(format!(
                    "the record in line {number} is too long; is a quote never closed?"
                )));
            }
            let read = self.input.by_ref().take(room as u64).read_until(b'\n', &mut text)?;
            self.lines += u64::from(read > 0 && text.ends_with(b"\n"));
            let quotes = text[text.len() - read..].iter().filter(|byte| **byte == b'"').count();
            is_open ^= quotes % 2 == 1;
            match (read, is_open) {
                (0, true) => {
                    return Err(wrong(format!("a quote in line {number} is never closed")));
                }
                (0, false) => return Ok(text),
                (_, false) if text.ends_with(b"\n") => return Ok(text),
                _ => {}
            }
        }
    }
}

/// The fields of a record.
fn split(record: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    let mut characters = record.chars().peekable();
    while let Some(c) = characters.next() {
        let Some(field) = fields.last_mut() else { break };
        match c {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            c => field.push(c),
        }
    }
    fields
}

fn wrong(text: String) -> Error {
    Error::new(ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(input: &str) -> Vec<Result<Line>> {
        let (send, mut receive) = mpsc::channel(100);
        read(input.as_bytes(), Input::default(), &send);
        std::iter::from_fn(|| receive.try_recv().ok()).collect()
    }

    #[track_caller]
    fn check(input: &str, expected: &[(u64, Value)]) {
        let read: Vec<(u64, Value)> = lines(input)
            .into_iter()
            .map(|line| {
                let line = line.unwrap();
                let mut event: Map<String, Value> = serde_json::from_slice(&line.text).unwrap();
                if event["eventId"].as_str().unwrap().starts_with("track-") {
                    event.remove("eventId");
                }
                (line.number, event.into())
            })
            .collect();
        assert_eq!(read, expected, "{input}");
    }

    #[test]
    fn a_record_is_an_event_and_an_empty_cell_an_absent_field() {
        check(
            "eventName,email,module_slug,payload.depth,eventId\r\nx,a@b.co,m,,e-1\r\n\r\ny,,,3,\r\n",
            &[
                (
                    2,
                    json!({"eventName": "x", "contactIdentifier": {"email": "a@b.co"},
                           "payload": {"module_slug": "m"}, "eventId": "e-1"}),
                ),
                (4, json!({"eventName": "y", "payload": {"depth": "3"}})),
            ],
        );
        check("\u{FEFF}eventName\nx", &[(2, json!({"eventName": "x"}))]);
    }

    #[test]
    fn quotes_hold_commas_quotes_and_line_breaks() {
        check(
            "eventName,slug\n\"a,b\",\"say \"\"hi\"\"\nthere\"\nc,d\n",
            &[
                (2, json!({"eventName": "a,b", "payload": {"slug": "say \"hi\"\nthere"}})),
                (4, json!({"eventName": "c", "payload": {"slug": "d"}})),
            ],
        );
    }

    #[test]
    fn what_does_not_fit_the_header_ends_the_input_and_says_where() {
        let fault = |input: &str| lines(input).pop().unwrap().unwrap_err().to_string();
        assert!(fault("eventName,nmae\nx,y").contains("\"nmae\""));
        assert!(fault("eventName,slug\nx,y\nx,y,z").contains("line 3 has 3 fields"));
        assert!(fault("eventName\n\"x\ny").contains("line 2 is never closed"));
        let endless = format!("eventName\n\"{}", "x\n".repeat(LINE_BYTES_MAX));
        assert!(fault(&endless).contains("line 2 is too long"));
    }
}
