//! How long a text may be and how that is counted, which texts can stand in a list, and which can
//! be a key of the state.

/// The longest slug, in UTF-16 units.
pub const SLUG_UNITS_MAX: usize = 200;

/// The length that JavaScript counts: the limits were made there.
pub fn units(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// Whether a text can stand in a list joined by `;`.
pub fn is_listable(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() || c == ';')
}

/// Whether a text can be a key of the state. `serde_json` hands numbers over as an object with a
/// key of its own, and takes an object that has this key for a number: the state could not be read
/// again.
pub fn is_key(text: &str) -> bool {
    !text.starts_with("$serde_json::private::")
}
