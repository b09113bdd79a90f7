//! The state's one written form: sorted keys, each only where it says something, and among them the
//! keys that Milepost does not know, as they came.
//!
//! **Invariant**: equal states are equal texts. A known key hides an unknown one of its name.

use std::collections::BTreeMap;

use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{STANDALONE, instant};
use crate::facts::{Course, Enrolment, Module, Pathway, Progress, Reached};
use crate::unknown::{Key, Unknown};

/// What an object has under one of its keys.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Field<'a> {
    Flag(bool),
    Text(&'a str),
    Time(String),
    Pathway(&'a Pathway),
    Courses(&'a BTreeMap<String, Course>),
    Modules(&'a BTreeMap<String, Module>),
    Unknown(&'a RawValue),
}

/// An object's fields, the known ones in the order of their keys.
#[derive(Default)]
struct Object<'a> {
    fields: Vec<(Key<'a>, Field<'a>)>,
}

impl Serialize for Progress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { pathways, courses, unknown } = self;
        let mut object = Object::default();
        for (slug, pathway) in pathways {
            object.put(slug, Field::Pathway(pathway));
        }
        if !courses.is_empty() {
            object.put(STANDALONE, Field::Courses(courses));
            object.fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        object.write(unknown, serializer)
    }
}

impl Serialize for Pathway {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { enrolled, started, completed, courses, modules, unknown } = self;
        let mut object = Object::default();
        object.reached("completed", "completed_at", *completed);
        if !courses.is_empty() {
            object.put(STANDALONE, Field::Courses(courses));
        }
        object.enrolment(enrolled.as_ref());
        if !modules.is_empty() || courses.is_empty() {
            object.put("modules", Field::Modules(modules));
        }
        object.reached("started", "started_at", *started);
        object.write(unknown, serializer)
    }
}

impl Serialize for Course {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { enrolled, started, completed, modules, unknown } = self;
        let mut object = Object::default();
        object.reached("completed", "completed_at", *completed);
        object.enrolment(enrolled.as_ref());
        object.put("modules", Field::Modules(modules));
        object.reached("started", "started_at", *started);
        object.write(unknown, serializer)
    }
}

impl Serialize for Module {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { started, completed, unknown } = self;
        let mut object = Object::default();
        object.reached("completed", "completed_at", *completed);
        object.reached("started", "started_at", *started);
        object.write(unknown, serializer)
    }
}

impl<'a> Object<'a> {
    fn put(&mut self, key: &'a str, field: Field<'a>) {
        self.fields.push((Key::text(key), field));
    }

    fn reached(&mut self, flag: &'a str, at: &'a str, reached: Option<Reached>) {
        let Some(Reached { at: time }) = reached else { return };
        self.put(flag, Field::Flag(true));
        if let Some(time) = time {
            self.put(at, Field::Time(instant(time)));
        }
    }

    fn enrolment(&mut self, enrolment: Option<&'a Enrolment>) {
        let Some(Enrolment { at, source }) = enrolment else { return };
        self.reached("enrolled", "enrolled_at", Some(Reached { at: *at }));
        if let Some(source) = source {
            self.put("enrollment_source", Field::Text(source));
        }
    }

    fn write<S: Serializer>(
        mut self,
        unknown: &'a Unknown,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if !unknown.is_empty() {
            let unknown = unknown.iter().map(|(key, value)| (key.clone(), Field::Unknown(value)));
            self.fields.extend(unknown);
            // The sort is stable: a known key comes before an unknown one of its name.
            self.fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            self.fields.dedup_by(|(later, _), (first, _)| later == first);
        }
        if let Some((Key::IllFormed(_), _)) = self.fields.last() {
            let text = self.text().map_err(S::Error::custom)?;
            return text.serialize(serializer);
        }
        serializer.collect_map(self.fields.iter().filter_map(|(key, field)| match key {
            Key::Text(text) => Some((text, field)),
            Key::IllFormed(_) => None,
        }))
    }

    /// The object as a text: serde writes no key that is not a string.
    fn text(&self) -> serde_json::Result<Box<RawValue>> {
        let member = |(key, field): &(Key<'_>, Field<'_>)| {
            let key = match key {
                Key::Text(text) => serde_json::to_string(text)?,
                Key::IllFormed(json) => json.to_string(),
            };
            Ok(format!("{key}:{}", serde_json::to_string(field)?))
        };
        let members: serde_json::Result<Vec<String>> = self.fields.iter().map(member).collect();
        RawValue::from_string(format!("{{{}}}", members?.join(",")))
    }
}
