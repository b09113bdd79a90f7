//! A journal that keeps what it is told, for tests to look at.

use std::sync::{Mutex, MutexGuard, PoisonError};

use shared::journal::{Figure, Line};
use shared::ports::Journal;

/// Keeps lines and figures in the order they came.
#[derive(Debug, Default)]
pub struct KeptJournal {
    lines: Mutex<Vec<Line>>,
    figures: Mutex<Vec<(Figure, f64)>>,
    panics_at: Mutex<Option<(&'static str, u32)>>,
}

impl KeptJournal {
    /// A journal that panics so many times when it is told this message.
    pub fn panicking_at(message: &'static str, times: u32) -> Self {
        Self { panics_at: Mutex::new(Some((message, times))), ..Self::default() }
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<Line> {
        locked(&self.lines).clone()
    }

    /// The messages of all lines so far.
    pub fn messages(&self) -> Vec<String> {
        locked(&self.lines).iter().map(|line| line.message.to_string()).collect()
    }

    /// The lines with this message.
    pub fn lines_saying(&self, message: &str) -> Vec<Line> {
        self.lines().into_iter().filter(|line| line.message == message).collect()
    }

    /// The figures so far from the nth on, in the order they came.
    pub fn figures_from(&self, nth: usize) -> Vec<(Figure, f64)> {
        locked(&self.figures).iter().skip(nth).copied().collect()
    }

    /// The sum of a figure's values so far.
    pub fn sum(&self, figure: Figure) -> f64 {
        let figures = locked(&self.figures);
        figures.iter().filter(|(one, _)| *one == figure).map(|(_, value)| value).sum()
    }
}

impl Journal for KeptJournal {
    #[expect(clippy::panic, reason = "it is made for this, to see what a panic costs")]
    fn line(&self, line: Line) {
        if let Some((message, times)) = locked(&self.panics_at).as_mut()
            && *message == line.message
            && *times > 0
        {
            *times -= 1;
            panic!("the journal was told to");
        }
        locked(&self.lines).push(line);
    }

    fn figures(&self, figures: &[(Figure, f64)]) {
        locked(&self.figures).extend_from_slice(figures);
    }
}

fn locked<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
