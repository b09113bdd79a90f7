//! What the sections print, and which bounds were missed.

use std::fmt::Display;

/// The rows so far.
pub(crate) struct Table {
    /// Whether only what takes seconds is wanted.
    pub(crate) is_short: bool,
    missed: Vec<String>,
}

impl Table {
    pub(crate) fn new(is_short: bool) -> Self {
        Self { is_short, missed: Vec::new() }
    }

    /// A row to read.
    pub(crate) fn row(&self, what: &str, found: impl Display, reach: &str) {
        println!("  {what:<72} {found:>22}   {reach}");
    }

    /// A row that must not be above its bound: a ratio, or a count.
    pub(crate) fn at_most(&mut self, what: &str, found: f64, bound: f64) {
        self.row(what, format!("{found:.2}"), &format!("≤ {bound}"));
        if found > bound {
            self.missed.push(format!("{what}: {found:.2}, and it must be at most {bound}"));
        }
    }

    /// The bounds that were missed.
    pub(crate) fn missed(self) -> Vec<String> {
        self.missed
    }
}
