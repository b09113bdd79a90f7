//! CSV with a header → lines, as if each row were a JSON object.
//!
//! As RFC 4180 has it: commas, cells in double quotes where they hold one, quotes doubled, line breaks
//! inside quotes. A quote inside an unquoted cell is a character like others. A column is a field of
//! the event by its name; an empty cell is an absent field. The parser is `csv_core`, and not the
//! `csv` crate above it, whose reader keeps a row of any length and can't tell a quote that is never
//! closed.
//!
//! **Invariant**: a row takes at most [`LINE_BYTES_MAX`] of memory. What the header has wrong ends the
//! input before anything is sent; what a row has wrong refuses that row, and no other.

use std::io::{BufRead, Error, ErrorKind, Result};

use csv_core::{ReadRecordResult, Reader};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::lines::{Input, LINE_BYTES_MAX, Line, Unsent};

/// The most cells of a row.
const CELLS_MAX: usize = 1_000;

/// The columns at the top of an event; those in other places are below.
const AT_TOP: [&str; 6] =
    ["eventName", "eventId", "pathway_slug", "course_slug", "enrollment_source", "token"];
const IN_CONTACT: [&str; 2] = ["email", "contactId"];
const IN_PAYLOAD: [&str; 4] = ["module_slug", "content_type", "slug", "ts"];
/// The columns whose digits a spreadsheet must not round.
const IDS: [&str; 2] = ["eventId", "contactId"];

/// Where a column goes: an object inside the event, if not the event itself, and the name there.
#[derive(Debug, PartialEq, Eq)]
struct Column {
    inside: Option<&'static str>,
    name: String,
}

/// The rows of the input.
struct Rows<R> {
    input: R,
    parser: Reader,
    /// Lines read so far.
    lines: u64,
    cells: Vec<u8>,
    ends: Vec<usize>,
}

/// One row.
struct Row {
    /// `None`: it isn't UTF-8.
    cells: Option<Vec<String>>,
    /// The number of its first line.
    number: u64,
    /// What was read for it.
    raw: Vec<u8>,
}

/// Reads rows until the input ends, or nobody takes them any more.
pub(super) fn read(input: impl BufRead, mut begun: Input, lines: &mpsc::Sender<Result<Line>>) {
    if let Err(error) = read_all(&mut Rows::of(input), &mut begun, lines) {
        // Nothing can be read after this, whether it is heard or not.
        let _heard = lines.blocking_send(Err(error));
    }
}

fn read_all(
    rows: &mut Rows<impl BufRead>,
    begun: &mut Input,
    lines: &mpsc::Sender<Result<Line>>,
) -> Result<()> {
    let Some(header) = rows.next()? else { return Ok(()) };
    let columns = columns(header.cells.ok_or_else(|| wrong(NOT_UTF_8.to_owned()))?)?;
    while let Some(row) = rows.next()? {
        for line in lines_of(row, &columns) {
            if let Some(line) = begun.next(line)?
                && lines.blocking_send(Ok(line)).is_err()
            {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The line that a row makes; several that aren't sent, where a stray quote has joined rows.
fn lines_of(Row { cells, number, raw }: Row, columns: &[Option<Column>]) -> Vec<Line> {
    let joined = joined(&raw, columns.len());
    if !joined.is_empty() {
        let refused = |(at, text): (u64, &[u8])| {
            let why = "a cell that begins with a quote joins it with other rows; close the quote, or \
                       double it";
            Line::of_unsent(number + at, text.to_vec(), Unsent::Refused(why.to_owned()))
        };
        return joined.into_iter().map(refused).collect();
    }
    vec![match event(columns, cells) {
        Ok(event) => Line::of_object(number, event, raw.len() as u64),
        Err(unsent) => Line::of_unsent(number, raw, unsent),
    }]
}

const NOT_UTF_8: &str = "it isn't UTF-8; save the file as UTF-8";

/// The columns of a header; one without a name is `None`, and must be empty in every row.
fn columns(header: Vec<String>) -> Result<Vec<Option<Column>>> {
    let mut columns: Vec<Option<Column>> = Vec::new();
    for name in header {
        let column = if name.trim().is_empty() { None } else { Some(Column::of(&name)?) };
        if column.is_some() && columns.contains(&column) {
            return Err(wrong(format!(
                "the header has two columns for the same field, and {name:?} is the second; keep one"
            )));
        }
        columns.push(column);
    }
    // A row may leave out the empty cells at its end.
    let named = columns.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    columns.truncate(named);
    Ok(columns)
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
                    "the header's column {name:?} isn't a field of an event; there are {known}, and \
                     payload.NAME"
                )));
            }
        };
        Ok(Self { inside, name: name.to_owned() })
    }
}

/// The event that a row makes, or why it makes none.
fn event(
    columns: &[Option<Column>],
    cells: Option<Vec<String>>,
) -> std::result::Result<Map<String, Value>, Unsent> {
    let refused = |why: String| Err(Unsent::Refused(why));
    let Some(cells) = cells else { return refused(NOT_UTF_8.to_owned()) };
    if cells.iter().all(|cell| cell.trim().is_empty()) {
        return Err(Unsent::Empty);
    }
    let count = cells.len();
    if count < columns.len() {
        return refused(format!("it has {count} cells, and the header has {}", columns.len()));
    }
    let mut event = Map::new();
    for (number, cell) in cells.into_iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
        let Some(Some(Column { inside, name })) = columns.get(number) else {
            return refused(format!("the header has no name for its cell {}", number + 1));
        };
        if IDS.contains(&name.as_str()) && is_rounded(&cell) {
            return refused(format!(
                "a spreadsheet has rounded its {name}; export the column as text"
            ));
        }
        let place = match inside {
            None => Some(&mut event),
            Some(inside) => {
                let object = event.entry(*inside).or_insert_with(|| Map::new().into());
                object.as_object_mut()
            }
        };
        if let Some(place) = place {
            place.insert(name.clone(), cell.into());
        }
    }
    Ok(event)
}

/// The lines of a row that looks like rows joined by a stray quote, each with its distance from the
/// first; none for any other row. Two of the lines then have all the header's cells, which a single
/// row with a line break in a cell hasn't.
fn joined(raw: &[u8], columns: usize) -> Vec<(u64, &[u8])> {
    let lines: Vec<(u64, &[u8])> = (0..)
        .zip(raw[begin_of(raw)..].split(|byte| *byte == b'\n'))
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .collect();
    let cells = |line: &[u8]| 1 + line.iter().filter(|byte| **byte == b',').count();
    let whole = lines.iter().filter(|(_, line)| cells(line) >= columns).count();
    if whole > 1 { lines } else { Vec::new() }
}

/// Whether it is a number as spreadsheets shorten long ones: `1.23457E+15`.
fn is_rounded(cell: &str) -> bool {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    cell.split_once(['E', 'e']).is_some_and(|(number, power)| {
        power.strip_prefix('+').is_some_and(is_digits) && is_digits(&number.replace(['.', ','], ""))
    })
}

impl<R: BufRead> Rows<R> {
    fn of(input: R) -> Self {
        let (cells, ends) = (vec![0; LINE_BYTES_MAX], vec![0; CELLS_MAX]);
        Self { input, parser: Reader::new(), lines: 0, cells, ends }
    }

    /// The next row that isn't blank.
    fn next(&mut self) -> Result<Option<Row>> {
        let mut raw = Vec::new();
        let (mut written, mut ended) = (0, 0);
        loop {
            let read = self.input.fill_buf()?;
            let is_end = read.is_empty();
            // At the end a line break more ends the last row, unless a quote is open.
            let read = if is_end { b"\n".as_slice() } else { read };
            let (cells, ends) = (&mut self.cells[written..], &mut self.ends[ended..]);
            let (result, taken, wrote, ends) = self.parser.read_record(read, cells, ends);
            (written, ended) = (written + wrote, ended + ends);
            if !is_end {
                raw.extend_from_slice(&read[..taken]);
                self.input.consume(taken);
            }
            if begin_of(&raw) == raw.len() && written == 0 {
                self.lines += breaks(&raw);
                raw.clear();
            }
            let number = self.lines + 1 + breaks(&raw[..begin_of(&raw)]);
            match result {
                ReadRecordResult::Record => {
                    self.lines += breaks(&raw);
                    return Ok(Some(Row { cells: self.cells(ended), number, raw }));
                }
                ReadRecordResult::InputEmpty if is_end && written == 0 => return Ok(None),
                ReadRecordResult::InputEmpty if is_end => {
                    return Err(wrong(format!(
                        "a quote in line {number} is never closed; no line from there on was sent"
                    )));
                }
                ReadRecordResult::InputEmpty if raw.len() <= LINE_BYTES_MAX => {}
                ReadRecordResult::End => return Ok(None),
                _ => {
                    return Err(wrong(format!(
                        "the row in line {number} is too long; is a quote never closed?"
                    )));
                }
            }
        }
    }

    /// The cells of the row that has been read.
    fn cells(&self, count: usize) -> Option<Vec<String>> {
        let mut from = 0;
        let cell = |end: &usize| {
            let cell = self.cells.get(std::mem::replace(&mut from, *end)..*end)?;
            Some(std::str::from_utf8(cell).ok()?.to_owned())
        };
        self.ends.iter().take(count).map(cell).collect()
    }
}

/// Where a row begins in what was read for it: behind blank lines.
fn begin_of(raw: &[u8]) -> usize {
    raw.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(raw.len())
}

fn breaks(raw: &[u8]) -> u64 {
    raw.iter().filter(|byte| **byte == b'\n').count() as u64
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

    /// The rows that aren't sent, each with a part of the reason; empty ones without.
    #[track_caller]
    fn check_unsent(input: &str, sent: usize, expected: &[(u64, &str)]) {
        let lines: Vec<Line> = lines(input).into_iter().map(Result::unwrap).collect();
        let unsent: Vec<(u64, Unsent)> =
            lines.iter().filter_map(|line| Some((line.number, line.unsent.clone()?))).collect();
        assert_eq!(lines.len() - unsent.len(), sent, "{input}: {unsent:?}");
        assert_eq!(unsent.len(), expected.len(), "{input}: {unsent:?}");
        for ((number, unsent), (expected, part)) in unsent.iter().zip(expected) {
            assert_eq!(number, expected, "{input}");
            match unsent {
                Unsent::Empty => assert_eq!(*part, "", "{input}"),
                Unsent::Refused(why) => assert!(why.contains(part) && !part.is_empty(), "{why}"),
            }
        }
    }

    #[track_caller]
    fn fault(input: &str) -> String {
        let mut lines = lines(input);
        let fault = lines.pop().unwrap().unwrap_err().to_string();
        assert!(lines.iter().all(Result::is_ok), "{input}");
        fault
    }

    #[test]
    fn a_row_is_an_event_and_an_empty_cell_an_absent_field() {
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
    fn a_quote_inside_a_cell_joins_no_rows() {
        check(
            "eventName,slug\nx,19\" rack\ny,a\nz,19\" rack\n",
            &[
                (2, json!({"eventName": "x", "payload": {"slug": "19\" rack"}})),
                (3, json!({"eventName": "y", "payload": {"slug": "a"}})),
                (4, json!({"eventName": "z", "payload": {"slug": "19\" rack"}})),
            ],
        );
    }

    #[test]
    fn rows_that_a_stray_quote_joins_are_refused() {
        let joined = "eventName,email,slug\nx,\"a@b.co,m\n\ny,c@d.co,n\nz,\"e@f.co,o\nw,g@h.co,p\n";
        let joins = "joins it with other rows";
        check_unsent(joined, 1, &[(2, joins), (4, joins), (5, joins)]);
        let short = "eventName,email,slug\nx,\"a@b.co,m\nshort\nz,\"e@f.co,o\n";
        check_unsent(short, 0, &[(2, joins), (3, joins), (4, joins)]);
    }

    #[test]
    fn a_row_that_does_not_fit_the_header_is_refused_and_no_other() {
        check_unsent(
            "eventName,slug\nx,y\nx\nx,y,z\nx,y,\nx,y",
            3,
            &[(3, "1 cells"), (4, "cell 3")],
        );
        check_unsent("eventName,slug,\nx,y,\nx,y\nx,y,z\n", 2, &[(4, "cell 3")]);
    }

    #[test]
    fn a_row_without_values_is_skipped() {
        check_unsent("eventName,slug\n,\nx,y\n , \n,,,,\n", 1, &[(2, ""), (4, ""), (5, "")]);
    }

    #[test]
    fn an_id_that_a_spreadsheet_rounded_is_refused() {
        let rows = "eventName,eventId,slug\nx,1.23457E+15,m\nx,1e5,1E+9\nx,\"1,23457E+15\",m\n";
        check_unsent(rows, 1, &[(2, "rounded its eventId"), (4, "rounded its eventId")]);
    }

    #[test]
    fn a_row_that_is_not_utf_8_is_refused() {
        let (send, mut receive) = mpsc::channel(100);
        read(b"eventName\nx\xff\ny\n".as_slice(), Input::default(), &send);
        let unsent: Vec<bool> = std::iter::from_fn(|| receive.try_recv().ok())
            .map(|line| line.unwrap().unsent.is_some())
            .collect();
        assert_eq!(unsent, [true, false]);
    }

    #[test]
    fn a_header_that_is_wrong_sends_nothing() {
        assert!(fault("eventName,nmae\nx,y").contains("\"nmae\""));
        assert!(fault("email,eventName,email\na,x,b").contains("two columns"));
        assert!(fault("email,contactIdentifier.email\na,b").contains("two columns"));
    }

    #[test]
    fn a_quote_that_is_never_closed_ends_the_input_and_says_where() {
        assert!(fault("eventName\n\"x\ny").contains("line 2 is never closed"));
        assert!(fault("eventName\nx\n\"").contains("line 3 is never closed"));
        let endless = format!("eventName\n\"{}", "x\n".repeat(LINE_BYTES_MAX));
        assert!(fault(&endless).contains("line 2 is too long"));
    }
}
