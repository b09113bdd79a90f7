//! What the journal is told about a request: one wide line, one line on what was invalid, the
//! figures, and each event that the queue did not take.
//!
//! **Invariant**: nothing that the client sent stands in a line but slugs of code paths, codes and
//! counts; a contact is its message group. The fallback line alone holds an event, since nothing
//! else does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use shared::envelope::Envelope;
use shared::event::When;
use shared::http::{Request, Route};
use shared::identity::Person;
use shared::ids;
use shared::journal::{Figure, Line, LogLevel};
use shared::ports::{Clock, Entropy, Journal, QueueFault};
use shared::submission::Rejection;

/// The message of the line from which `milepost recover` re-queues an event.
pub const FALLBACK_MESSAGE: &str = "Failed to persist event to CRM";
/// The field of that line that holds the event: an envelope's body, as the queue would hold it.
pub const FALLBACK_FIELD: &str = "fallback";

/// The most complaints about invalid events that one line repeats.
const DETAILS_MAX: usize = 20;

/// One request, as it unfolds.
pub(crate) struct Story {
    correlation_id: String,
    begun: Duration,
    body_bytes: usize,
    route: &'static str,
    accepted: usize,
    rejected: usize,
    anonymous: usize,
    fallback: usize,
    /// Message groups: whom the events are about.
    contacts: BTreeSet<String>,
    /// How often a receive time stands in for an event's own, by reason.
    time_replaced: BTreeMap<&'static str, usize>,
    event_ids_reused: usize,
    contact_ids_ignored: usize,
    code: Option<&'static str>,
    complaints: Vec<String>,
}

impl Story {
    pub(crate) fn begin(request: &Request, clock: &dyn Clock, entropy: &dyn Entropy) -> Self {
        let made = || ids::uuid_v7(clock.now(), entropy);
        Self {
            correlation_id: request.id.clone().unwrap_or_else(made),
            begun: clock.uptime(),
            body_bytes: request.body.len(),
            route: "none",
            accepted: 0,
            rejected: 0,
            anonymous: 0,
            fallback: 0,
            contacts: BTreeSet::new(),
            time_replaced: BTreeMap::new(),
            event_ids_reused: 0,
            contact_ids_ignored: 0,
            code: None,
            complaints: Vec::new(),
        }
    }

    pub(crate) fn correlation_id(&self) -> &str {
        &self.correlation_id
    }

    pub(crate) fn route(&mut self, route: Route) {
        self.route = match route {
            Route::Track => "track",
            Route::Health => "health",
            Route::ProgressRead | Route::ProgressAggregate | Route::EnrollmentsList => "reader",
        };
    }

    pub(crate) fn rejected(&mut self, index: Option<usize>, rejection: &Rejection) {
        self.rejected += 1;
        self.code.get_or_insert(rejection.code.as_str());
        let place = index.map(|index| format!("events.{index} ")).unwrap_or_default();
        let complaints = rejection.details.iter().map(|detail| format!("{place}{detail}"));
        let room = DETAILS_MAX - self.complaints.len();
        self.complaints.extend(complaints.take(room));
    }

    pub(crate) fn anonymous(&mut self, events: usize) {
        self.anonymous += events;
    }

    pub(crate) fn accepted(&mut self, events: usize) {
        self.accepted += events;
    }

    pub(crate) fn person(&mut self, person: &Person) {
        self.contacts.insert(person.group());
        self.contact_ids_ignored += usize::from(person.has_ignored_id());
    }

    /// Two different events of one person have the same id, so often.
    pub(crate) fn event_ids_reused(&mut self, ids: usize) {
        self.event_ids_reused += ids;
    }

    pub(crate) fn time(&mut self, when: When) {
        if let Some(why) = when.replaced {
            *self.time_replaced.entry(why.as_str()).or_default() += 1;
        }
    }

    /// Keeps an event that the queue did not take in the journal.
    pub(crate) fn fallback(
        &mut self,
        envelope: &Envelope,
        fault: &QueueFault,
        journal: &dyn Journal,
    ) {
        self.fallback += 1;
        let line = Line::new(LogLevel::Error, FALLBACK_MESSAGE)
            .with("cause", fault.to_string())
            .with("contact", envelope.person.group())
            .with("correlation_id", self.correlation_id.as_str())
            .with(FALLBACK_FIELD, envelope.body());
        journal.line(line);
    }

    pub(crate) fn end(self, status: u16, clock: &dyn Clock, journal: &dyn Journal) {
        if let Some(code) = self.code {
            let line = Line::new(LogLevel::Warn, "Validation failure")
                .with("code", code)
                .with("details", self.complaints)
                .with("correlation_id", self.correlation_id.as_str());
            journal.line(line);
        }
        let duration_ms = (clock.uptime().saturating_sub(self.begun)).as_millis();
        let mut line = Line::new(LogLevel::Info, "Request answered")
            .with("route", self.route)
            .with("status", status)
            .with("duration_ms", u64::try_from(duration_ms).unwrap_or(u64::MAX))
            .with("body_bytes", self.body_bytes)
            .with("correlation_id", self.correlation_id);
        for (name, events) in [
            ("accepted", self.accepted),
            ("rejected", self.rejected),
            ("anonymous", self.anonymous),
            ("fallback", self.fallback),
        ] {
            if self.route == "track" || events > 0 {
                line = line.with(name, events);
            }
        }
        if !self.time_replaced.is_empty() {
            line = line.with("time_replaced", json!(self.time_replaced));
        }
        for (name, count) in [
            ("event_ids_reused", self.event_ids_reused),
            ("contact_ids_ignored", self.contact_ids_ignored),
        ] {
            if count > 0 {
                line = line.with(name, count);
            }
        }
        let mut contacts = self.contacts.into_iter();
        line = match (contacts.next(), contacts.len()) {
            (None, _) => line,
            (Some(only), 0) => line.with("contact", only),
            (Some(_), more) => line.with("contacts", more + 1),
        };
        journal.line(line);

        let figures = [
            (Figure::EventsAccepted, self.accepted),
            (Figure::EventsRejected, self.rejected),
            (Figure::EventsFallback, self.fallback),
            (Figure::TimesReplaced, self.time_replaced.values().sum()),
            (Figure::EventIdsReused, self.event_ids_reused),
            (Figure::ContactIdsIgnored, self.contact_ids_ignored),
        ];
        let figures = figures.into_iter().filter(|(_, events)| *events > 0);
        let figures: Vec<_> = figures.map(|(figure, events)| (figure, events as f64)).collect();
        if !figures.is_empty() {
            journal.figures(&figures);
        }
    }
}
