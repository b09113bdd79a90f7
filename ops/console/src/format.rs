//! Numbers and durations as the console shows them.

use std::fmt::{Display, Formatter, Result, Write as _};
use std::time::Duration;

/// A number with commas between its thousands.
pub(crate) struct Count(pub(crate) u64);

/// A duration, rounded down to its largest useful unit.
pub(crate) struct Span(pub(crate) Duration);

impl Display for Count {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0.as_secs() {
            seconds @ 0..120 => write!(f, "{seconds} s"),
            seconds @ 120..7_200 => write!(f, "{} min", seconds / 60),
            seconds @ 7_200..172_800 => write!(f, "{} h", seconds / 3_600),
            seconds => write!(f, "{} d", seconds / 86_400),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations_are_short() {
        let count = |count: u64| Count(count).to_string();
        assert_eq!(
            [count(0), count(999), count(1_234), count(1_234_567)].join(" "),
            "0 999 1,234 1,234,567"
        );
        let span = |s| Span(Duration::from_secs(s)).to_string();
        assert_eq!(
            [span(0), span(119), span(120), span(7_200), span(172_800)].join(", "),
            "0 s, 119 s, 2 min, 2 h, 2 d"
        );
    }
}
