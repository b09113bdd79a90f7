//! The state's one written form: sorted keys, each only where it says something, and between them
//! the keys that Milepost does not know, as they came.
//!
//! **Invariant**: equal states are equal texts.

use std::collections::BTreeMap;
use std::iter::Peekable;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, map};

use super::STANDALONE;
use super::instants::Instant;
use crate::facts::{Course, Enrolment, Module, Pathway, Progress, Reached, Unknown};

/// Something that has a written form. The types that compute have none of their own: this one is a
/// promise to whoever reads the property.
pub(super) struct Written<'a, T>(pub(super) &'a T);

impl Serialize for Written<'_, Progress> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Progress { pathways, courses, unknown } = self.0;
        let mut fields = Fields::of(serializer, unknown)?;
        let is_before = |slug: &&String| slug.as_str() < STANDALONE;
        let before = pathways.keys().take_while(is_before).count();
        for (slug, pathway) in pathways.iter().take(before) {
            fields.put(slug, &Written(pathway))?;
        }
        if !courses.is_empty() {
            fields.put(STANDALONE, &Written(courses))?;
        }
        for (slug, pathway) in pathways.iter().skip(before) {
            fields.put(slug, &Written(pathway))?;
        }
        fields.end()
    }
}

impl Serialize for Written<'_, Pathway> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Pathway { enrolled, started, completed, courses, modules, unknown } = self.0;
        let mut fields = Fields::of(serializer, unknown)?;
        fields.put_reached("completed", "completed_at", *completed)?;
        if !courses.is_empty() {
            fields.put(STANDALONE, &Written(courses))?;
        }
        fields.put_enrolment(enrolled.as_ref())?;
        if !modules.is_empty() || courses.is_empty() {
            fields.put("modules", &Written(modules))?;
        }
        fields.put_reached("started", "started_at", *started)?;
        fields.end()
    }
}

impl Serialize for Written<'_, Course> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Course { enrolled, started, completed, modules, unknown } = self.0;
        let mut fields = Fields::of(serializer, unknown)?;
        fields.put_reached("completed", "completed_at", *completed)?;
        fields.put_enrolment(enrolled.as_ref())?;
        fields.put("modules", &Written(modules))?;
        fields.put_reached("started", "started_at", *started)?;
        fields.end()
    }
}

impl Serialize for Written<'_, Module> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Module { started, completed, unknown } = self.0;
        let mut fields = Fields::of(serializer, unknown)?;
        fields.put_reached("completed", "completed_at", *completed)?;
        fields.put_reached("started", "started_at", *started)?;
        fields.end()
    }
}

impl<T> Serialize for Written<'_, BTreeMap<String, T>>
where
    for<'a> Written<'a, T>: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(slug, member)| (slug, Written(member))))
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An object under way. Known fields are put in the order of their keys; those that are unknown
/// come in between.
struct Fields<'a, M> {
    map: M,
    unknown: Peekable<map::Iter<'a>>,
}

impl<'a, M: SerializeMap> Fields<'a, M> {
    fn of<S: Serializer<SerializeMap = M>>(
        serializer: S,
        unknown: &'a Unknown,
    ) -> Result<Self, S::Error> {
        Ok(Self { map: serializer.serialize_map(None)?, unknown: unknown.iter().peekable() })
    }

    fn put(&mut self, key: &str, value: &impl Serialize) -> Result<(), M::Error> {
        self.put_unknown_before(key)?;
        self.map.serialize_entry(key, value)
    }

    fn put_reached(
        &mut self,
        flag: &str,
        at: &str,
        reached: Option<Reached>,
    ) -> Result<(), M::Error> {
        let Some(Reached { at: time }) = reached else { return Ok(()) };
        self.put(flag, &true)?;
        time.map_or(Ok(()), |time| self.put(at, &Instant(time)))
    }

    fn put_enrolment(&mut self, enrolment: Option<&Enrolment>) -> Result<(), M::Error> {
        let Some(Enrolment { at, source }) = enrolment else { return Ok(()) };
        self.put_reached("enrolled", "enrolled_at", Some(Reached { at: *at }))?;
        match source {
            Some(source) => self.put("enrollment_source", source),
            // One that stood there without the flag is not this enrolment's.
            None => self.put_unknown_before("enrollment_source"),
        }
    }

    /// Puts the unknown keys that come before this one, and leaves out one of the same name: what is
    /// known stands in its place.
    fn put_unknown_before(&mut self, key: &str) -> Result<(), M::Error> {
        while let Some((name, value)) = self.unknown.next_if(|(name, _)| name.as_str() <= key) {
            if name != key {
                self.map.serialize_entry::<_, Value>(name, value)?;
            }
        }
        Ok(())
    }

    fn end(mut self) -> Result<M::Ok, M::Error> {
        for (name, value) in self.unknown {
            self.map.serialize_entry::<_, Value>(name, value)?;
        }
        self.map.end()
    }
}
