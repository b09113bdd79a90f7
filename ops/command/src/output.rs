//! What a command says: data on standard output, notes and progress on standard error.
//!
//! Data is a JSON document with `--json`, and text for people without. Progress is shown to a
//! terminal only, and colors too, unless `NO_COLOR` is set. A reader that goes away ends the command
//! quietly.
//!
//! **Invariant**: this file is the only one that writes to either, save for the stack's log lines.

use std::io::{ErrorKind, IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::ending::Stopped;

/// Where a command prints.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    is_json: bool,
    has_color: bool,
}

/// The mark before an entry of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// ✓
    Good,
    /// !
    Doubtful,
    /// ✗
    Bad,
    /// –
    Unseen,
}

impl Output {
    /// The output of this process.
    pub fn of_process(is_json: bool) -> Self {
        let no_color = host::environment::lookup("NO_COLOR").is_some_and(|set| !set.is_empty());
        Self { is_json, has_color: !no_color && std::io::stdout().is_terminal() }
    }

    /// Writes the one document of a command that was asked for JSON, or its text for people.
    ///
    /// # Errors
    /// [`Stopped::NobodyReads`] and [`Stopped::Output`].
    pub fn result(
        &self,
        document: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), Stopped> {
        if !self.is_json {
            return write(&text());
        }
        self.json_line(document)
    }

    /// Writes one JSON line of data, whatever was asked for: an export has no other form.
    ///
    /// # Errors
    /// [`Stopped::NobodyReads`] and [`Stopped::Output`].
    pub fn json_line(&self, value: &impl Serialize) -> Result<(), Stopped> {
        let line = serde_json::to_string(value)
            .map_err(|error| Stopped::Output(std::io::Error::other(error)))?;
        write(&line)
    }

    /// Writes one line for people, and nothing with `--json`: for lists that grow as one watches.
    ///
    /// # Errors
    /// [`Stopped::NobodyReads`] and [`Stopped::Output`].
    pub fn line(&self, text: &str) -> Result<(), Stopped> {
        if self.is_json { Ok(()) } else { write(text) }
    }

    /// A mark, colored if colors are wanted.
    pub fn mark(&self, mark: Mark) -> &'static str {
        match (mark, self.has_color) {
            (Mark::Good, false) => "✓",
            (Mark::Doubtful, false) => "!",
            (Mark::Bad, false) => "✗",
            (Mark::Unseen, _) => "–",
            (Mark::Good, true) => "\u{1b}[32m✓\u{1b}[0m",
            (Mark::Doubtful, true) => "\u{1b}[33m!\u{1b}[0m",
            (Mark::Bad, true) => "\u{1b}[31m✗\u{1b}[0m",
        }
    }

    /// Prints a note on standard error.
    pub fn note(&self, text: impl AsRef<str>) {
        // If standard error is closed there is nobody to tell.
        let _told = writeln!(std::io::stderr().lock(), "{}", text.as_ref());
    }

    /// Says why the command stops.
    pub fn error(&self, text: impl AsRef<str>) {
        self.note(format!("error: {}", text.as_ref()));
    }

    /// A bar over `bytes_total`, or a counter where the total is unknown; hidden unless standard error
    /// is a terminal.
    pub fn progress(&self, bytes_total: Option<u64>) -> ProgressBar {
        if !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let (bar, template) = match bytes_total {
            Some(total) => (ProgressBar::new(total), "{bar:40} {percent:>3} %  {msg}  {eta} left"),
            None => (ProgressBar::no_length(), "{spinner} {msg}  {elapsed}"),
        };
        bar.set_draw_target(ProgressDrawTarget::stderr());
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }
}

fn write(text: &str) -> Result<(), Stopped> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Stopped::NobodyReads,
        _ => Stopped::Output(error),
    })
}
