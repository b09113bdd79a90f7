//! The state JSON of a contact: text → [`Progress`] → text.
//!
//! Keys come out sorted, so equal states are equal texts. What Milepost does not know is kept at
//! every level, byte for byte, and so is a time without its flag. An empty list reads as an empty
//! object, since PHP writes an empty one so. Slugs lose white space at their edges; what then has one
//! slug is joined.
//!
//! **Invariant**: a text that can't be understood is an error and never an empty state: nothing is
//! written over it.

mod deserialize;
mod serialize;
mod times;

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use self::deserialize::{Members, Read};
pub use self::times::{day, instant, time_of};
use crate::facts::{Course, Pathway, Progress};
use crate::unknown::Key;

/// The key of the standalone courses; every other key is a pathway.
const STANDALONE: &str = "courses";

/// A stored state that can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorruptState {
    /// The text is not a JSON object.
    #[error("the stored state is not a JSON object")]
    NoObject,
    /// A known key holds what it can't hold. The path is made of known keys only.
    #[error("the stored state holds a {found} at {path}, which must be a {wanted}")]
    WrongType {
        /// Where: known keys, slugs left out.
        path: &'static str,
        /// What it holds.
        found: &'static str,
        /// What it should hold.
        wanted: &'static str,
    },
    /// A key that holds no pathway has the slug of an event's pathway.
    #[error("the stored state holds something else under the slug of a pathway")]
    SlugTaken,
}

/// Reads the property's text; an absent or empty one is the empty state.
///
/// Of a key that comes twice in an object the last one counts, as in `JSON.parse`.
///
/// # Errors
/// [`CorruptState`].
pub fn read(text: Option<&str>) -> Result<Progress, CorruptState> {
    let text = text.unwrap_or_default();
    if text.trim().is_empty() {
        return Ok(Progress::default());
    }
    let corrupt = |_| CorruptState::NoObject;
    let mut fields: BTreeMap<Key<'_>, &RawValue> = serde_json::from_str(text).map_err(corrupt)?;
    let mut progress = Progress::default();
    if let Some(value) = fields.remove(&Key::text(STANDALONE)) {
        let Read::<Members<Course>>(courses) =
            serde_json::from_str(value.get()).map_err(corrupt)?;
        progress.courses = courses?.0;
    }
    let mut pathways = Members::<Pathway>::default();
    // A slug without white space at its edges comes first: its unknown keys stay.
    let (bare, padded): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(key, _)| key.is_bare());
    for (key, value) in bare.into_iter().chain(padded) {
        match key.as_text().filter(|slug| is_object(value) && slug.trim() != STANDALONE) {
            Some(slug) => {
                let Read(pathway) = serde_json::from_str(value.get()).map_err(corrupt)?;
                pathways.join(slug, pathway?);
            }
            None => progress.unknown.insert(key, value),
        }
    }
    progress.pathways = pathways.0;
    Ok(progress)
}

/// Whether a value is an object, or the empty list that PHP writes for one.
fn is_object(value: &RawValue) -> bool {
    let list = value.get().strip_prefix('[').and_then(|list| list.strip_suffix(']'));
    value.get().starts_with('{') || list.is_some_and(|list| list.trim().is_empty())
}

/// Writes a state in its one canonical form.
#[expect(
    clippy::expect_used,
    reason = "no part of a state fails to be JSON, and no default may replace it"
)]
pub fn write(progress: &Progress) -> String {
    serde_json::to_string(progress).expect("a state is JSON")
}
