//! What happened in a run, in order: kept as a hash always, and as lines when somebody looks.
//!
//! **Invariant**: two runs with the same hash took the same steps at the same virtual times.

use std::fmt::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The steps of one run.
#[derive(Debug)]
pub struct Trace {
    steps: Mutex<Steps>,
}

#[derive(Debug)]
struct Steps {
    hash: Fnv,
    lines: Option<Vec<String>>,
}

/// FNV-1a, 64 bits: a hash that is the same on every machine.
#[derive(Debug)]
struct Fnv(u64);

impl fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

impl Trace {
    /// An empty trace; `keeps_lines` for a run that somebody wants to read.
    pub fn new(keeps_lines: bool) -> Self {
        let lines = keeps_lines.then(Vec::new);
        Self { steps: Mutex::new(Steps { hash: Fnv(0xcbf2_9ce4_8422_2325), lines }) }
    }

    /// Notes a step at this uptime.
    pub fn note(&self, at: Duration, what: fmt::Arguments<'_>) {
        let mut steps = self.steps();
        // Neither a hash nor a `String` refuses a write.
        let _hashed = writeln!(steps.hash, "{} {what}", at.as_millis());
        if let Some(lines) = &mut steps.lines {
            lines.push(format!("{:>12.3} s  {what}", at.as_secs_f64()));
        }
    }

    /// The hash of all steps so far.
    pub fn hash(&self) -> u64 {
        self.steps().hash.0
    }

    /// The lines so far, if they are kept.
    pub fn lines(&self) -> Vec<String> {
        self.steps().lines.clone().unwrap_or_default()
    }

    fn steps(&self) -> MutexGuard<'_, Steps> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
