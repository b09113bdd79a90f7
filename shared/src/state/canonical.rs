//! The short way of reading: a text in the very form that Milepost writes, without a key that it
//! does not know. Nearly every state is one, and then nothing has to be kept that is not looked at.
//!
//! In: a text. Out: its [`Progress`], or `None`, which only says that the text is to be read the
//! long way: it may be any other spelling, or corrupt.
//!
//! **Invariant**: what is read here is what the long way reads, and is written as this very text.
//! Property tests hold it to that.

use chrono::{DateTime, Utc};

use super::STANDALONE;
use super::instants::{TIME_BYTES, canonical_time};
use crate::by_slug::BySlug;
use crate::facts::{Course, Enrolment, Module, Pathway, Progress, Reached};
use crate::limits::is_key;

const MODULES: &str = r#""modules":"#;

/// Reads a canonical text.
pub(super) fn read(text: &str) -> Option<Progress> {
    let mut reader = Reader { rest: text, is_first: true };
    let mut progress = Progress::default();
    let mut last = None;
    reader.token("{")?;
    while reader.token("}").is_none() {
        let slug = reader.next_key(&mut last)?;
        if slug == STANDALONE {
            progress.courses = reader.some_members(Reader::course)?;
        } else {
            progress.pathways.insert(slug.to_owned(), reader.pathway()?);
        }
    }
    reader.rest.is_empty().then_some(progress)
}

/// What is left to read. Each part of it knows its keys in the order in which they are written.
struct Reader<'a> {
    rest: &'a str,
    /// Whether the next field is its object's first one, which no comma stands before.
    is_first: bool,
}

impl<'a> Reader<'a> {
    fn pathway(&mut self) -> Option<Pathway> {
        self.open()?;
        let completed = self.reached(r#""completed":"#, r#""completed_at":"#)?;
        let mut courses = BySlug::default();
        if self.field(r#""courses":"#) {
            courses = self.some_members(Self::course)?;
        }
        let enrolled = self.enrolment()?;
        let mut modules = BySlug::default();
        if courses.is_empty() {
            modules = self.modules()?;
        } else if self.field(MODULES) {
            modules = self.some_members(Self::module)?;
        }
        let started = self.reached(r#""started":"#, r#""started_at":"#)?;
        self.close()?;
        Some(Pathway { enrolled, started, completed, courses, modules, ..Pathway::default() })
    }

    fn course(&mut self) -> Option<Course> {
        self.open()?;
        let completed = self.reached(r#""completed":"#, r#""completed_at":"#)?;
        let enrolled = self.enrolment()?;
        let modules = self.modules()?;
        let started = self.reached(r#""started":"#, r#""started_at":"#)?;
        self.close()?;
        Some(Course { enrolled, started, completed, modules, ..Course::default() })
    }

    fn module(&mut self) -> Option<Module> {
        self.open()?;
        let completed = self.reached(r#""completed":"#, r#""completed_at":"#)?;
        let started = self.reached(r#""started":"#, r#""started_at":"#)?;
        self.close()?;
        Some(Module { started, completed, ..Module::default() })
    }

    /// A flag with its time, or nothing of the two.
    fn reached(&mut self, flag: &str, at: &str) -> Option<Option<Reached>> {
        if !self.field(flag) {
            return Some(None);
        }
        self.token("true")?;
        Some(Some(Reached { at: self.time(at)? }))
    }

    fn enrolment(&mut self) -> Option<Option<Enrolment>> {
        let reached = self.reached(r#""enrolled":"#, r#""enrolled_at":"#)?;
        let Some(Reached { at }) = reached else { return Some(None) };
        let mut source = None;
        if self.field(r#""enrollment_source":"#) {
            source = Some(self.string().filter(|source| !source.is_empty())?.to_owned());
        }
        Some(Some(Enrolment { at, source }))
    }

    fn time(&mut self, key: &str) -> Option<Option<DateTime<Utc>>> {
        if !self.field(key) {
            return Some(None);
        }
        self.token("\"")?;
        let (text, rest) = self.rest.split_at_checked(TIME_BYTES)?;
        self.rest = rest;
        self.token("\"")?;
        Some(Some(canonical_time(text)?))
    }

    /// The modules of what has nothing else below it: they are written even where there is none.
    fn modules(&mut self) -> Option<BySlug<Module>> {
        if self.field(MODULES) { self.members(Self::module) } else { None }
    }

    /// Members that are written only where there is one.
    fn some_members<T>(&mut self, each: impl Fn(&mut Self) -> Option<T>) -> Option<BySlug<T>> {
        self.members(each).filter(|members| !members.is_empty())
    }

    /// An object with a value of one kind under every key.
    fn members<T>(&mut self, each: impl Fn(&mut Self) -> Option<T>) -> Option<BySlug<T>> {
        self.open()?;
        let mut members = BySlug::default();
        let mut last = None;
        while self.token("}").is_none() {
            let slug = self.next_key(&mut last)?;
            members.insert(slug.to_owned(), each(self)?);
        }
        self.is_first = false;
        Some(members)
    }

    /// The next key of an object whose keys are slugs. They ascend, so none stands there twice.
    fn next_key(&mut self, last: &mut Option<&'a str>) -> Option<&'a str> {
        if !self.is_first {
            self.token(",")?;
        }
        let key = self.string().filter(|key| is_key(key))?;
        self.token(":")?;
        last.replace(key).is_none_or(|last| last < key).then_some(key)
    }

    /// Whether this field comes next; if so, what is left begins with its value.
    fn field(&mut self, key: &str) -> bool {
        let rest = if self.is_first { Some(self.rest) } else { self.rest.strip_prefix(',') };
        let Some(rest) = rest.and_then(|rest| rest.strip_prefix(key)) else { return false };
        (self.rest, self.is_first) = (rest, false);
        true
    }

    fn open(&mut self) -> Option<()> {
        self.is_first = true;
        self.token("{")
    }

    fn close(&mut self) -> Option<()> {
        self.is_first = false;
        self.token("}")
    }

    /// A string in which nothing is escaped.
    fn string(&mut self) -> Option<&'a str> {
        let rest = self.rest.strip_prefix('"')?;
        let is_special = |byte: u8| byte == b'"' || byte == b'\\' || byte < b' ';
        let end = rest.bytes().position(is_special)?;
        let (string, rest) = rest.split_at(end);
        self.rest = rest.strip_prefix('"')?;
        Some(string)
    }

    fn token(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{read_at_length, write};

    #[test]
    fn what_milepost_writes_is_read_the_short_way() {
        for text in [
            "{}",
            r#"{"p":{"modules":{}}}"#,
            r#"{"a":{"modules":{"m":{}}},"courses":{"s":{"modules":{}}},"p":{"completed":true,"completed_at":"2025-01-02T00:00:00.000Z","courses":{"c":{"enrolled":true,"enrollment_source":"x y","modules":{"m":{"completed":true,"started":true,"started_at":"2025-01-01T00:00:00.000Z"},"n":{}}}},"enrolled":true,"started":true}}"#,
        ] {
            let progress = read_at_length(text).unwrap();
            assert_eq!(write(&progress), text);
            assert_eq!(read(text), Some(progress));
        }
    }

    #[test]
    fn whatever_is_written_otherwise_is_left_to_the_long_way() {
        for text in [
            "",
            r#"{} "#,
            r#"{"x":5}"#,
            r#"{"courses":{}}"#,
            r#"{"courses":{"c":{}}}"#,
            r#"{"p":{}}"#,
            r#"{"p":{"courses":{},"modules":{}}}"#,
            r#"{"p":{"courses":{"c":{"modules":{}}},"modules":{}}}"#,
            r#"{"p":{"modules":{},"x":5}}"#,
            r#"{"p":{"enrolled":false,"modules":{}}}"#,
            r#"{"p":{"enrolled_at":"2025-01-01T00:00:00.000Z","modules":{}}}"#,
            r#"{"p":{"enrolled":true,"enrollment_source":"","modules":{}}}"#,
            "{\"p\":{\"enrolled\":true,\"enrollment_source\":\"a\u{1f}b\",\"modules\":{}}}",
            r#"{"p":{"started":true,"modules":{}}}"#,
            r#"{"p":{"modules":{},"started":true,"started_at":"2025-01-01T00:00:00Z"}}"#,
            r#"{"p":{"modules":{"b":{},"a":{}}}}"#,
            r#"{"p":{"modules":{"a":{},"a":{}}}}"#,
            r#"{"p":{"modules":{"a":{}"b":{}}}}"#,
            r#"{"p":{"modules":{"a\u0062":{}}}}"#,
            r#"{"p":{"modules":{"$serde_json::private::Number":{}}}}"#,
            r#"{"p":{"modules":{}}"#,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
