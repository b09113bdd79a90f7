//! Ids that sort by time: UUIDs of version 7, from a time and chance that are given.
//!
//! 48 bits of milliseconds, then 74 bits of chance: two events of one millisecond do not meet.

use chrono::{DateTime, Utc};

use crate::ports::Entropy;

/// A new id, 36 characters: `019ab7c2-9a40-7…`.
pub fn uuid_v7(now: DateTime<Utc>, entropy: &dyn Entropy) -> String {
    let at_ms = u64::try_from(now.timestamp_millis()).unwrap_or_default();
    let (a, b) = (entropy.next_u64(), entropy.next_u64());
    format!(
        "{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}",
        (at_ms >> 16) & 0xFFFF_FFFF,
        at_ms & 0xFFFF,
        a & 0xFFF,
        0x8000 | ((a >> 12) & 0x3FFF),
        b & 0xFFFF_FFFF_FFFF,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Always the same number.
    struct Always(u64);

    impl Entropy for Always {
        fn next_u64(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn an_id_has_the_form_of_version_7_and_sorts_by_time() {
        let at = |ms| uuid_v7(DateTime::from_timestamp_millis(ms).unwrap(), &Always(u64::MAX));
        assert_eq!(at(0x0123_4567_89AB), "01234567-89ab-7fff-bfff-ffffffffffff");
        assert!(at(1_795_550_400_000) < at(1_795_550_400_001));
    }
}
