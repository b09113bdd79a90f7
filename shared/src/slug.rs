//! A slug: the name of a pathway, a course, a module or a page.
//!
//! A text comes in, from whichever door; a [`Slug`] goes out, or what is wrong with the text.
//!
//! **Invariant**: a [`Slug`] has no white space at its edges, is 1 to 200 UTF-16 units long, and
//! holds no `;`, no control character and no bidirectional formatting character. [`Slug::parse`] is
//! the only way to one.

use std::borrow::Borrow;
use std::fmt::{Display, Formatter};
use std::ops::Deref;

use crate::limits::{SLUG_UNITS_MAX, is_plain, units};

/// The pathway slug that would collide with the state's key for standalone courses.
pub const RESERVED_PATHWAY: &str = "courses";

/// The name of a pathway, a course, a module or a page.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

/// Why a text is no slug. The text itself is never in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SlugFault {
    /// Nothing is left once the white space at the edges is gone.
    #[error("String must contain at least 1 character(s)")]
    Empty,
    /// It is longer than [`SLUG_UNITS_MAX`].
    #[error("String must contain at most {SLUG_UNITS_MAX} character(s)")]
    TooLong,
    /// It holds a character that breaks the lists or deceives its reader.
    #[error("may hold neither ';' nor control or bidirectional formatting characters")]
    Character,
    /// It is the one slug that no pathway may have.
    #[error("'{RESERVED_PATHWAY}' is reserved")]
    Reserved,
}

impl Slug {
    /// Reads a slug. White space at its edges goes, as Unicode defines it.
    ///
    /// # Errors
    /// [`SlugFault`].
    pub fn parse(text: &str) -> Result<Self, SlugFault> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SlugFault::Empty);
        }
        if units(text) > SLUG_UNITS_MAX {
            return Err(SlugFault::TooLong);
        }
        if text.contains(';') || !is_plain(text) {
            return Err(SlugFault::Character);
        }
        Ok(Self(text.to_owned()))
    }

    /// Reads the slug of a pathway, which can't be [`RESERVED_PATHWAY`].
    ///
    /// # Errors
    /// [`SlugFault`].
    pub fn parse_pathway(text: &str) -> Result<Self, SlugFault> {
        Self::parse(text)?.of_a_pathway()
    }

    /// The same slug, if a pathway may have it.
    ///
    /// # Errors
    /// [`SlugFault::Reserved`].
    pub fn of_a_pathway(self) -> Result<Self, SlugFault> {
        if self.0 == RESERVED_PATHWAY { Err(SlugFault::Reserved) } else { Ok(self) }
    }

    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Slug {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Slug {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Display for Slug {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl std::str::FromStr for Slug {
    type Err = SlugFault;

    fn from_str(text: &str) -> Result<Self, SlugFault> {
        Self::parse(text)
    }
}
