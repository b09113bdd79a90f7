//! How long a text may be, how that is counted, and which characters a text may hold.
//!
//! Texts come in; counts and answers go out. The parsed types ([`crate::slug`], [`crate::email`],
//! [`crate::contact_id`]) and [`crate::submission`] apply these rules; nothing else repeats them.

/// The longest slug, in UTF-16 units.
pub const SLUG_UNITS_MAX: usize = 200;
/// The longest event id, in UTF-16 units.
pub const EVENT_ID_UNITS_MAX: usize = 100;
/// The longest contact id, in UTF-16 units.
pub const CONTACT_ID_UNITS_MAX: usize = 50;
/// The longest e-mail address, in characters. An address is ASCII once it is parsed.
pub const EMAIL_CHARS_MAX: usize = 255;
/// The longest other text, in UTF-16 units.
pub const TEXT_UNITS_MAX: usize = 1_000;

/// The length that JavaScript counts: the limits were made there.
pub fn units(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// Whether a text holds no control character and no bidirectional formatting character. Both can
/// change what a terminal or a page shows around the text.
pub fn is_plain(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() || is_bidi_formatting(c))
}

/// Unicode's `Bidi_Control` property.
fn is_bidi_formatting(c: char) -> bool {
    matches!(
        c,
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
    )
}

/// The first invisible character at an edge of a text. It isn't white space, so it stays: a slug
/// with it is another slug than the one that it looks like.
pub fn invisible_edge(text: &str) -> Option<char> {
    let edges = [text.chars().next(), text.chars().next_back()];
    edges.into_iter().flatten().find(|c| is_invisible(*c))
}

/// Characters without a glyph that people paste without noticing. Variation selectors and tags are
/// not among them: an emoji may end with one.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{AD}'
            | '\u{34F}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180E}'
            | '\u{200B}'..='\u{200D}'
            | '\u{2060}'..='\u{2064}'
            | '\u{206A}'..='\u{206F}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF9}'..='\u{FFFB}'
    )
}
