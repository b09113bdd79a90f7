//! The journal of a process: log lines and figures as JSON lines on one output.
//!
//! Lambda takes standard output to CloudWatch line by line, and reads metrics out of the same
//! stream; the local stack sends its journal to standard error.
//!
//! **Invariant**: a line is written whole, with one write, whoever else writes.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use shared::journal::{Figure, Line, LogLevel};
use shared::ports::{Clock, Journal};
use shared::settings::Process;

use crate::log::{self, Origin};
use crate::metrics;

/// A journal that writes JSON lines.
pub struct Output {
    origin: Origin,
    level: LogLevel,
    clock: Arc<dyn Clock>,
    sink: Mutex<Box<dyn Write + Send>>,
}

impl Output {
    /// The journal of one of the functions, on standard output. Lines below the process's level
    /// are not written; figures always are.
    pub fn stdout(process: &Process, function: &'static str, clock: Arc<dyn Clock>) -> Self {
        Self::to(Box::new(std::io::stdout()), process, function, clock)
    }

    /// A journal on any output.
    pub fn to(
        sink: Box<dyn Write + Send>,
        process: &Process,
        function: &'static str,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let origin = Origin { stage: process.stage.clone(), function };
        Self { origin, level: process.log_level, clock, sink: Mutex::new(sink) }
    }

    fn write(&self, mut text: String) {
        text.push('\n');
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        // A journal that can't be written must not stop the work it tells of.
        let _written = sink.write_all(text.as_bytes()).and_then(|()| sink.flush());
    }
}

impl Journal for Output {
    fn line(&self, line: Line) {
        if line.level <= self.level {
            self.write(log::text(&line, &self.origin, self.clock.now()));
        }
    }

    fn figures(&self, figures: &[(Figure, f64)]) {
        for document in metrics::documents(figures, &self.origin, self.clock.now()) {
            self.write(document);
        }
    }
}

/// Makes panics lines of the journal, from here on. The place is told and the message is not: it
/// may quote what was being worked on.
pub fn journal_panics(journal: Arc<dyn Journal>) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        journal.line(Line::new(LogLevel::Error, "panicked").with("place", place));
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    /// What was written, one entry a write.
    #[derive(Clone, Default)]
    struct Writes(Arc<Mutex<Vec<String>>>);

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_line_is_one_write_and_quiet_levels_are_none() {
        let writes = Writes::default();
        let process = Process { stage: "dev".into(), log_level: LogLevel::Info };
        let clock = Arc::new(SystemClock::start());
        let output = Output::to(Box::new(writes.clone()), &process, "ingest", clock);
        output.line(Line::new(LogLevel::Info, "said"));
        output.line(Line::new(LogLevel::Debug, "not said"));
        output.figures(&[(Figure::EventsAccepted, 1.0), (Figure::EventsRejected, 2.0)]);
        let writes = writes.0.lock().unwrap();
        assert_eq!(writes.len(), 2);
        assert!(writes.iter().all(|text| text.ends_with("}\n") && text.matches('\n').count() == 1));
    }
}
