//! How long a text may be and how that is counted, and which texts can stand in a list.

/// The longest slug, in UTF-16 units.
pub const SLUG_UNITS_MAX: usize = 200;

/// The length that JavaScript counts: the limits were made there.
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Whether a text can stand in a list joined by `;`.
pub fn is_listable(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() || c == ';')
}
