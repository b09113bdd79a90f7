//! The objects of a stored state, read in one pass: pathways, courses, modules.
//!
//! In: JSON. Out: what an object says, or what is wrong with it ([`Read`]): a fault is a value, so a
//! later key of the same name can still replace what has it. Known keys are taken; the text of every
//! other value is kept and not looked at.
//!
//! **Invariant**: no object below [`Pathway`] is scanned twice.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{CorruptState, STANDALONE, time_of};
use crate::facts::{Course, Enrolment, Join, Module, Pathway, Reached};
use crate::json::{self, Kind, borrowed_text};
use crate::unknown::{Key, Unknown};

const MODULES: &str = "modules";

/// The known keys with a flag, a time or a text: flags, each with its time behind it, and the source
/// of an enrolment. A module has the first four.
const KNOWN: [&str; 7] = [
    "started",
    "started_at",
    "completed",
    "completed_at",
    "enrolled",
    "enrolled_at",
    "enrollment_source",
];
const STARTED: usize = 0;
const COMPLETED: usize = 2;
const ENROLLED: usize = 4;
const SOURCE: usize = 6;

/// What is wrong with a text that has a lone surrogate.
const ILL_FORMED: &str = "text of invalid Unicode";

/// What an object says, or what is wrong with it.
pub(super) struct Read<T>(pub(super) Result<T, CorruptState>);

/// Objects of one kind by slug.
#[derive(Default)]
pub(super) struct Members<T>(pub(super) BTreeMap<String, T>);

/// What is read from an object.
pub(super) trait FromObject: Default {
    /// The key under which it is, for errors.
    const PATH: &'static str;
    /// Whether a null is the same as no object at all.
    const MAY_BE_NULL: bool;

    /// What the object says, or what is wrong with it.
    fn from_object<'de, A: MapAccess<'de>>(
        object: A,
    ) -> Result<Result<Self, CorruptState>, A::Error>;
}

impl<'de, T: FromObject> Deserialize<'de> for Read<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadVisitor(PhantomData)).map(Self)
    }
}

/// Takes any JSON value, so that one of another type is a fault with its place.
struct ReadVisitor<T>(PhantomData<T>);

impl<T: FromObject> ReadVisitor<T> {
    fn wrong<E>(found: &'static str) -> Result<Result<T, CorruptState>, E> {
        Ok(Err(CorruptState::WrongType { path: T::PATH, found, wanted: "object" }))
    }
}

impl<'de, T: FromObject> Visitor<'de> for ReadVisitor<T> {
    type Value = Result<T, CorruptState>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        T::from_object(object)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        if list.next_element::<IgnoredAny>()?.is_none() {
            return Ok(Ok(T::default()));
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Self::wrong("array")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        if T::MAY_BE_NULL { Ok(Ok(T::default())) } else { Self::wrong("null") }
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Self::wrong("boolean")
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Self::wrong("number")
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Self::wrong("number")
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Self::wrong("number")
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Self::wrong("string")
    }
}

impl<T: FromObject + Join> FromObject for Members<T> {
    const PATH: &'static str = T::PATH;
    const MAY_BE_NULL: bool = true;

    fn from_object<'de, A: MapAccess<'de>>(
        mut object: A,
    ) -> Result<Result<Self, CorruptState>, A::Error> {
        let mut all = Self::default();
        // What is not simply a slug and its member. It waits, since a later key may replace it.
        let mut others: BTreeMap<Key<'de>, Result<T, CorruptState>> = BTreeMap::new();
        while let Some((key, Read(member))) = object.next_entry::<Key<'de>, Read<T>>()? {
            match (key, member) {
                (Key::Text(slug), Ok(member)) if slug.trim() == slug => {
                    let slug = slug.into_owned();
                    if !others.is_empty() {
                        others.remove(&Key::Text(slug.clone().into()));
                    }
                    all.0.insert(slug, member);
                }
                (key, member) => {
                    others.insert(key, member);
                }
            }
        }
        for (key, member) in others {
            match (key, member) {
                (_, Err(fault)) => return Ok(Err(fault)),
                (Key::Text(slug), Ok(member)) => all.join(&slug, member),
                (Key::IllFormed(_), Ok(_)) => {
                    let (path, wanted) = (Self::PATH, "slug");
                    return Ok(Err(CorruptState::WrongType { path, found: ILL_FORMED, wanted }));
                }
            }
        }
        Ok(Ok(all))
    }
}

impl<T: Join> Members<T> {
    /// Joins a member with the one that has its slug, white space at the edges left out.
    pub(super) fn join(&mut self, slug: &str, member: T) {
        match self.0.get_mut(slug.trim()) {
            Some(held) => held.join(&member),
            None => {
                self.0.insert(slug.trim().to_owned(), member);
            }
        }
    }
}

impl FromObject for Pathway {
    const PATH: &'static str = "pathway";
    const MAY_BE_NULL: bool = false;

    fn from_object<'de, A: MapAccess<'de>>(
        object: A,
    ) -> Result<Result<Self, CorruptState>, A::Error> {
        Fields::read(object, Level::Pathway).map(Fields::pathway)
    }
}

impl FromObject for Course {
    const PATH: &'static str = STANDALONE;
    const MAY_BE_NULL: bool = false;

    fn from_object<'de, A: MapAccess<'de>>(
        object: A,
    ) -> Result<Result<Self, CorruptState>, A::Error> {
        Fields::read(object, Level::Course).map(Fields::course)
    }
}

impl FromObject for Module {
    const PATH: &'static str = MODULES;
    const MAY_BE_NULL: bool = false;

    fn from_object<'de, A: MapAccess<'de>>(
        object: A,
    ) -> Result<Result<Self, CorruptState>, A::Error> {
        Fields::read(object, Level::Module).map(Fields::module)
    }
}

/// Whose fields they are: each knows the keys of the one before, and more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Module,
    Course,
    Pathway,
}

/// An object's fields. Of a key that comes twice the last one stays.
struct Fields<'a> {
    /// In the order of [`KNOWN`].
    values: [Option<&'a RawValue>; KNOWN.len()],
    courses: Result<Members<Course>, CorruptState>,
    modules: Result<Members<Module>, CorruptState>,
    unknown: Unknown,
}

impl<'de> Fields<'de> {
    fn read<A: MapAccess<'de>>(mut object: A, level: Level) -> Result<Self, A::Error> {
        let known = if level == Level::Module { &KNOWN[..ENROLLED] } else { &KNOWN[..] };
        let mut fields = Self {
            values: [None; KNOWN.len()],
            courses: Ok(Members::default()),
            modules: Ok(Members::default()),
            unknown: Unknown::default(),
        };
        while let Some(key) = object.next_key::<Key<'de>>()? {
            let text = key.as_text();
            if text == Some(STANDALONE) && level == Level::Pathway {
                fields.courses = object.next_value::<Read<_>>()?.0;
            } else if text == Some(MODULES) && level != Level::Module {
                fields.modules = object.next_value::<Read<_>>()?.0;
            } else {
                let value = object.next_value()?;
                match known.iter().position(|known| text == Some(known)) {
                    Some(place) => fields.values[place] = Some(value),
                    None => fields.unknown.insert(key, value),
                }
            }
        }
        Ok(fields)
    }

    fn pathway(mut self) -> Result<Pathway, CorruptState> {
        Ok(Pathway {
            enrolled: self.enrolment()?,
            started: self.reached(STARTED)?,
            completed: self.reached(COMPLETED)?,
            courses: self.courses?.0,
            modules: self.modules?.0,
            unknown: self.unknown,
        })
    }

    fn course(mut self) -> Result<Course, CorruptState> {
        Ok(Course {
            enrolled: self.enrolment()?,
            started: self.reached(STARTED)?,
            completed: self.reached(COMPLETED)?,
            modules: self.modules?.0,
            unknown: self.unknown,
        })
    }

    fn module(mut self) -> Result<Module, CorruptState> {
        Ok(Module {
            started: self.reached(STARTED)?,
            completed: self.reached(COMPLETED)?,
            unknown: self.unknown,
        })
    }

    fn enrolment(&mut self) -> Result<Option<Enrolment>, CorruptState> {
        let Some(Reached { at }) = self.reached(ENROLLED)? else {
            if let Some(value) = self.string_at(SOURCE)? {
                self.keep(SOURCE, value);
            }
            return Ok(None);
        };
        let Some(value) = self.string_at(SOURCE)? else {
            return Ok(Some(Enrolment { at, source: None }));
        };
        let Some(source) = borrowed_text(value) else {
            let (path, wanted) = (KNOWN[SOURCE], "string");
            return Err(CorruptState::WrongType { path, found: ILL_FORMED, wanted });
        };
        let source = Some(source.into_owned()).filter(|source| !source.is_empty());
        Ok(Some(Enrolment { at, source }))
    }

    /// A flag with its time. A time without its flag, or one that can't be read, says nothing that
    /// is acted on, and stays where it is.
    fn reached(&mut self, flag: usize) -> Result<Option<Reached>, CorruptState> {
        let is_set = match self.value_at(flag) {
            Some(value) => value.get().parse().map_err(|_| wrong(flag, value, "boolean"))?,
            None => false,
        };
        let Some(value) = self.string_at(flag + 1)? else {
            return Ok(is_set.then_some(Reached { at: None }));
        };
        let at = borrowed_text(value).as_deref().and_then(time_of).filter(|_| is_set);
        if at.is_none() {
            self.keep(flag + 1, value);
        }
        Ok(is_set.then_some(Reached { at }))
    }

    /// The value of a known key; a null is an absent key.
    fn value_at(&self, place: usize) -> Option<&'de RawValue> {
        self.values[place].filter(|value| value.get() != "null")
    }

    fn string_at(&self, place: usize) -> Result<Option<&'de RawValue>, CorruptState> {
        match self.value_at(place) {
            Some(value) if json::kind(value) != Kind::String => Err(wrong(place, value, "string")),
            value => Ok(value),
        }
    }

    fn keep(&mut self, place: usize, value: &RawValue) {
        self.unknown.insert(Key::text(KNOWN[place]), value);
    }
}

fn wrong(place: usize, found: &RawValue, wanted: &'static str) -> CorruptState {
    CorruptState::WrongType { path: KNOWN[place], found: json::kind(found).as_str(), wanted }
}
