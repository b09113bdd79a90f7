//! The keys of a stored state that Milepost does not know. Each keeps the exact text of its value.
//!
//! **Invariant**: a value is written byte for byte as it was read. Nothing inside it is looked at,
//! so a lone surrogate, a number of any length or deep nesting does no harm.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::json::borrowed_text;

/// A key of a JSON object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key<'a> {
    /// What it says.
    Text(Cow<'a, str>),
    /// The JSON text of a key that holds a lone surrogate, quotes included. Rust has no string for
    /// what it says.
    IllFormed(Cow<'a, str>),
}

impl<'a> Key<'a> {
    /// A key that says this.
    pub(crate) fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// What it says; `None` of a key with a lone surrogate.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::IllFormed(_) => None,
        }
    }

    /// Whether it has no white space at its edges.
    pub(crate) fn is_bare(&self) -> bool {
        self.as_text().is_none_or(|text| text.trim() == text)
    }

    fn into_owned(self) -> Key<'static> {
        match self {
            Self::Text(text) => Key::Text(text.into_owned().into()),
            Self::IllFormed(json) => Key::IllFormed(json.into_owned().into()),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?;
        Ok(borrowed_text(json).map_or_else(|| Self::IllFormed(json.get().into()), Self::Text))
    }
}

/// Keys that Milepost does not know, with their values.
#[derive(Debug, Clone, Default)]
pub struct Unknown {
    values: BTreeMap<Key<'static>, Box<RawValue>>,
}

impl Unknown {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The JSON text of a key's value.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(&Key::text(key).into_owned()).map(|value| value.get())
    }

    /// Drops a key.
    pub fn remove(&mut self, key: &str) {
        self.values.remove(&Key::text(key).into_owned());
    }

    pub(crate) fn insert(&mut self, key: Key<'_>, value: &RawValue) {
        self.values.insert(key.into_owned(), value.to_owned());
    }

    /// Adds the other's keys. Of a key that both hold, ours stays.
    pub(crate) fn join(&mut self, other: &Self) {
        for (key, value) in &other.values {
            self.values.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key<'static>, &RawValue)> {
        self.values.iter().map(|(key, value)| (key, &**value))
    }
}

impl PartialEq for Unknown {
    fn eq(&self, other: &Self) -> bool {
        let ours = self.iter().map(|(key, value)| (key, value.get()));
        ours.eq(other.iter().map(|(key, value)| (key, value.get())))
    }
}

impl Eq for Unknown {}
