//! The state's one written form: sorted keys, each only where it says something, and between them
//! the keys that Milepost does not know, as they came.
//!
//! **Invariant**: equal states are equal texts.

use std::fmt::Write as _;
use std::iter::Peekable;

use serde_json::{Value, map};

use super::STANDALONE;
use super::instants::InstantText;
use crate::by_slug::BySlug;
use crate::facts::{Course, Enrolment, Module, Pathway, Progress, Reached, Unknown};

/// The capacity of a text to start with: that of a state of some five modules. Allocators have
/// pieces up to this size at hand.
const BYTES_AT_FIRST: usize = 1_024;

/// Writes a state.
pub(super) fn write(progress: &Progress) -> String {
    let mut writer = Writer { text: String::with_capacity(BYTES_AT_FIRST) };
    writer.progress(progress);
    writer.text
}

/// The text so far. Each part of a state is put with its keys in their order.
struct Writer {
    text: String,
}

/// The keys of an object that Milepost does not know, as far as they are not yet put.
type Left<'a> = Peekable<map::Iter<'a>>;

impl Writer {
    fn progress(&mut self, progress: &Progress) {
        let Progress { pathways, courses, unknown } = progress;
        let mut left = self.open(unknown);
        let is_before = |slug: &&String| slug.as_str() < STANDALONE;
        let before = pathways.keys().take_while(is_before).count();
        self.pathways(&mut left, pathways.iter().take(before));
        if !courses.is_empty() {
            self.known(&mut left, STANDALONE);
            self.members(courses, Self::course);
        }
        self.pathways(&mut left, pathways.iter().skip(before));
        self.close(left);
    }

    fn pathways<'a>(
        &mut self,
        left: &mut Left<'_>,
        pathways: impl Iterator<Item = (&'a String, &'a Pathway)>,
    ) {
        for (slug, pathway) in pathways {
            self.unknown_before(left, slug);
            self.slug(slug);
            self.pathway(pathway);
        }
    }

    fn pathway(&mut self, pathway: &Pathway) {
        let Pathway { enrolled, started, completed, courses, modules, unknown } = pathway;
        let mut left = self.open(unknown);
        self.reached(&mut left, "completed", "completed_at", *completed);
        if !courses.is_empty() {
            self.known(&mut left, STANDALONE);
            self.members(courses, Self::course);
        }
        self.enrolment(&mut left, enrolled.as_ref());
        if !modules.is_empty() || courses.is_empty() {
            self.known(&mut left, "modules");
            self.members(modules, Self::module);
        }
        self.reached(&mut left, "started", "started_at", *started);
        self.close(left);
    }

    fn course(&mut self, course: &Course) {
        let Course { enrolled, started, completed, modules, unknown } = course;
        let mut left = self.open(unknown);
        self.reached(&mut left, "completed", "completed_at", *completed);
        self.enrolment(&mut left, enrolled.as_ref());
        self.known(&mut left, "modules");
        self.members(modules, Self::module);
        self.reached(&mut left, "started", "started_at", *started);
        self.close(left);
    }

    fn module(&mut self, module: &Module) {
        let Module { started, completed, unknown } = module;
        let mut left = self.open(unknown);
        self.reached(&mut left, "completed", "completed_at", *completed);
        self.reached(&mut left, "started", "started_at", *started);
        self.close(left);
    }

    fn reached(&mut self, left: &mut Left<'_>, flag: &str, at: &str, reached: Option<Reached>) {
        let Some(Reached { at: time }) = reached else { return };
        self.known(left, flag);
        self.text.push_str("true");
        if let Some(time) = time {
            self.known(left, at);
            self.quoted(InstantText::of(time).as_str());
        }
    }

    fn enrolment(&mut self, left: &mut Left<'_>, enrolment: Option<&Enrolment>) {
        let Some(Enrolment { at, source }) = enrolment else { return };
        self.reached(left, "enrolled", "enrolled_at", Some(Reached { at: *at }));
        if let Some(source) = source {
            self.known(left, "enrollment_source");
            self.string(source);
        } else {
            // One that stood there without the flag is not this enrolment's.
            self.unknown_before(left, "enrollment_source");
        }
    }

    /// An object with a value of one kind under every key.
    fn members<T>(&mut self, members: &BySlug<T>, put: impl Fn(&mut Self, &T)) {
        self.text.push('{');
        for (slug, member) in members.iter() {
            self.slug(slug);
            put(self, member);
        }
        self.text.push('}');
    }

    fn open<'a>(&mut self, unknown: &'a Unknown) -> Left<'a> {
        self.text.push('{');
        unknown.iter().peekable()
    }

    /// A key that is known, behind those unknown ones that come before it.
    fn known(&mut self, left: &mut Left<'_>, key: &str) {
        self.unknown_before(left, key);
        self.key(key);
    }

    /// Leaves out an unknown key of the same name: what is known stands in its place.
    fn unknown_before(&mut self, left: &mut Left<'_>, key: &str) {
        while let Some((name, value)) = left.next_if(|(name, _)| name.as_str() <= key) {
            if name != key {
                self.unknown(name, value);
            }
        }
    }

    fn unknown(&mut self, name: &str, value: &Value) {
        self.slug(name);
        let _never_fails = write!(self.text, "{value}");
    }

    fn close(&mut self, left: Left<'_>) {
        left.for_each(|(name, value)| self.unknown(name, value));
        self.text.push('}');
    }

    /// A key that needs no escape: it is quoted as it is.
    fn key(&mut self, key: &str) {
        self.separate();
        self.quoted(key);
        self.text.push(':');
    }

    /// A key that is another's word.
    fn slug(&mut self, slug: &str) {
        self.separate();
        self.string(slug);
        self.text.push(':');
    }

    fn separate(&mut self) {
        if !self.text.ends_with('{') {
            self.text.push(',');
        }
    }

    fn string(&mut self, text: &str) {
        let is_plain = |byte| byte >= b' ' && byte != b'"' && byte != b'\\';
        if text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
            self.quoted(text);
        } else {
            let _never_fails = write!(self.text, "{}", Value::from(text));
        }
    }

    /// A text that needs no escape.
    fn quoted(&mut self, text: &str) {
        self.text.push('"');
        self.text.push_str(text);
        self.text.push('"');
    }
}
