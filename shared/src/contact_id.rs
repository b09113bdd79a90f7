//! A contact id as a caller gives it: one of HubSpot's record ids, or something else.
//!
//! A text comes in; a [`ContactId`] goes out, or what is wrong with the text.
//!
//! **Invariant**: a [`RecordId`] has the form that HubSpot gives its records, so only a
//! [`RecordId`] is ever sent there.

use std::fmt::{Display, Formatter};

use crate::limits::{CONTACT_ID_UNITS_MAX, is_plain, units};

/// The most digits of a record id.
pub const RECORD_ID_DIGITS_MAX: usize = 19;

/// A contact id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContactId {
    /// It can be one of HubSpot's.
    Record(RecordId),
    /// It can't be: no contact has it. It still names one person, and one message group.
    Other(String),
}

/// The id of a HubSpot record: 1 to 19 digits, the first not 0.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(String);

/// Why a text is no contact id. The text itself is never in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContactIdFault {
    /// There is no text.
    #[error("String must contain at least 1 character(s)")]
    Empty,
    /// It is longer than [`CONTACT_ID_UNITS_MAX`].
    #[error("String must contain at most {CONTACT_ID_UNITS_MAX} character(s)")]
    TooLong,
    /// It holds a control or a bidirectional formatting character.
    #[error("may not hold control or bidirectional formatting characters")]
    Character,
}

impl ContactId {
    /// Reads a contact id.
    ///
    /// # Errors
    /// [`ContactIdFault`].
    pub fn parse(text: &str) -> Result<Self, ContactIdFault> {
        if text.is_empty() {
            return Err(ContactIdFault::Empty);
        }
        if units(text) > CONTACT_ID_UNITS_MAX {
            return Err(ContactIdFault::TooLong);
        }
        if !is_plain(text) {
            return Err(ContactIdFault::Character);
        }
        Ok(match RecordId::parse(text) {
            Some(id) => Self::Record(id),
            None => Self::Other(text.to_owned()),
        })
    }

    /// The id as given.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Record(id) => id.as_str(),
            Self::Other(text) => text,
        }
    }
}

impl RecordId {
    /// The record id that a text is, if it has the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let has_form = text.len() <= RECORD_ID_DIGITS_MAX
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && text.bytes().next().is_some_and(|first| first != b'0');
        has_form.then(|| Self(text.to_owned()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for RecordId {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
