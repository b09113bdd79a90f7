//! JSON text, read no further than it is used.
//!
//! Bytes come in; the members that somebody asks for go out, each as its own text. What nobody asks
//! for is skipped by its form alone: a lone surrogate or deep nesting in it is none of our business,
//! as it is none of `JSON.parse`'s.
//!
//! **Invariant**: whatever `JSON.parse` accepts is a [`document`], and reading one takes no stack
//! for nesting that is skipped.

use std::borrow::Cow;
use std::fmt::Formatter;

use serde::de::{DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Number;
use serde_json::value::RawValue;

/// What a file or a body may begin with before its JSON.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What kind of value a JSON text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number
    Number,
    /// A text
    String,
    /// A list
    Array,
    /// An object
    Object,
}

/// The members of an object that somebody asks for: names and values, in the order of the names.
#[derive(Debug, Clone, Copy)]
pub struct Members<'a, const N: usize> {
    names: [&'static str; N],
    values: [Option<&'a RawValue>; N],
}

/// The one JSON value that the bytes hold, after a byte order mark if there is one.
///
/// # Errors
/// Where and why the bytes are no JSON; no UTF-8 is no JSON either.
pub fn document(bytes: &[u8]) -> serde_json::Result<&RawValue> {
    serde_json::from_slice(without_mark(bytes))
}

/// The bytes after a byte order mark, if they begin with one.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

/// What kind of value this is.
pub fn kind(value: &RawValue) -> Kind {
    match value.get().as_bytes().first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b'"') => Kind::String,
        Some(b't' | b'f') => Kind::Boolean,
        Some(b'n') => Kind::Null,
        _ => Kind::Number,
    }
}

/// The members of these names; of one that is repeated, the last. `None` where the value is no
/// object.
pub fn members<'a, const N: usize>(
    value: &'a RawValue,
    names: [&'static str; N],
) -> Option<Members<'a, N>> {
    serde_json::Deserializer::from_str(value.get()).deserialize_map(MembersVisitor(names)).ok()
}

/// The values of a list. `None` where the value is none.
pub fn elements(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

/// The text of a JSON string. `None` where the value is no string, or the text is no well-formed
/// Unicode.
pub fn text(value: &RawValue) -> Option<String> {
    borrowed_text(value).map(Cow::into_owned)
}

/// The text of a JSON string, as [`text`]; borrowed where nothing in it is escaped.
pub fn borrowed_text(value: &RawValue) -> Option<Cow<'_, str>> {
    let bare = value.get().strip_prefix('"')?.strip_suffix('"')?;
    if bare.contains('\\') { serde_json::from_str(value.get()).ok() } else { Some(bare.into()) }
}

/// The number that a JSON value is. `None` where it is none.
pub fn number(value: &RawValue) -> Option<Number> {
    if kind(value) == Kind::Number { serde_json::from_str(value.get()).ok() } else { None }
}

impl Kind {
    /// JavaScript's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

impl<'a, const N: usize> Members<'a, N> {
    /// An object without members.
    pub fn none(names: [&'static str; N]) -> Self {
        Self { names, values: [None; N] }
    }

    /// The member of this name, one of those that were asked for.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        let place = self.names.iter().position(|known| *known == name)?;
        self.values[place]
    }

    /// The member of this name, unless it is `null`, which means absent.
    pub fn present(&self, name: &str) -> Option<&'a RawValue> {
        self.get(name).filter(|value| kind(value) != Kind::Null)
    }
}

struct MembersVisitor<const N: usize>([&'static str; N]);

impl<'de, const N: usize> Visitor<'de> for MembersVisitor<N> {
    type Value = Members<'de, N>;

    fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::none(self.0);
        while let Some(place) = map.next_key_seed(Name(&self.0))? {
            match place {
                Some(place) => members.values[place] = Some(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(members)
    }
}

/// A member's name, read as bytes: a lone surrogate in one that nobody asks for does no harm.
struct Name<'a>(&'a [&'static str]);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("a name")
    }

    fn visit_bytes<E: serde::de::Error>(self, name: &[u8]) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|known| known.as_bytes() == name))
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
        self.visit_bytes(name.as_bytes())
    }
}
