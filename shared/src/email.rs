//! An e-mail address in its canonical form: trimmed, lower-cased, its domain in ASCII.
//!
//! A text comes in; an [`Email`] goes out, or what is wrong with the text. The form is the one that
//! HubSpot takes: an unquoted local part of RFC 5322, and a domain of at least two labels.
//!
//! **Invariant**: two spellings of one address make equal [`Email`]s, so they make one message
//! group.

use std::borrow::Cow;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use crate::limits::EMAIL_CHARS_MAX;

/// The longest part before the `@`, in characters.
pub const LOCAL_CHARS_MAX: usize = 64;
/// The longest label of a domain, in characters (RFC 1035).
const LABEL_CHARS_MAX: usize = 63;
/// The longest text that is looked at, in bytes: no address of 255 characters is longer.
const TEXT_BYTES_MAX: usize = EMAIL_CHARS_MAX * 4;

/// An e-mail address in its canonical form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

/// Why a text is no e-mail address. The text itself is never in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailFault {
    /// It doesn't have the form of one.
    #[error("Invalid email")]
    Form,
    /// It is longer than [`EMAIL_CHARS_MAX`].
    #[error("String must contain at most {EMAIL_CHARS_MAX} character(s)")]
    TooLong,
}

impl Email {
    /// Reads an address. White space at its edges goes, as Unicode defines it; an international
    /// domain becomes its `xn--` form.
    ///
    /// # Errors
    /// [`EmailFault`].
    pub fn parse(text: &str) -> Result<Self, EmailFault> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(EmailFault::Form)?;
        if !is_local(local) {
            return Err(EmailFault::Form);
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(EmailFault::TooLong);
        }
        let domain = ascii(domain).filter(|domain| is_domain(domain)).ok_or(EmailFault::Form)?;
        let email = format!("{local}@{domain}").to_ascii_lowercase();
        if email.len() > EMAIL_CHARS_MAX {
            return Err(EmailFault::TooLong);
        }
        if local.len() > LOCAL_CHARS_MAX {
            return Err(EmailFault::Form);
        }
        Ok(Self(email))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text is a dot-atom of RFC 5322.
fn is_local(local: &str) -> bool {
    let is_atext =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

/// A domain in ASCII. One that is ASCII already is taken as it is, `xn--` labels included.
fn ascii(domain: &str) -> Option<Cow<'_, str>> {
    if domain.is_ascii() {
        return Some(domain.into());
    }
    Uts46::new()
        .to_ascii(
            domain.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Ignore,
        )
        .ok()
}

/// Whether an ASCII text is at least two labels of letters, digits and hyphens. The last one isn't
/// all digits: an IPv4 address is no domain.
fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_CHARS_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_address =
        || domain.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    domain.contains('.') && domain.split('.').all(is_label) && !is_address()
}
