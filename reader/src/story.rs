//! What the journal is told about a question: one wide line, and one when HubSpot was away.
//!
//! **Invariant**: nothing that the client sent stands in a line; a contact is its message group.

use std::time::Duration;

use hubspot::fault::CallFault;
use shared::http::{Request, Route};
use shared::identity::Person;
use shared::ids;
use shared::journal::{Line, LogLevel};
use shared::ports::{Clock, Entropy, Journal};

/// One request, as it unfolds.
pub(crate) struct Story {
    correlation_id: String,
    begun: Duration,
    route: &'static str,
    contact: Option<String>,
    /// The parameters that are wrong, by name.
    invalid: Vec<String>,
}

impl Story {
    pub(crate) fn begin(request: &Request, clock: &dyn Clock, entropy: &dyn Entropy) -> Self {
        let made = || ids::uuid_v7(clock.now(), entropy);
        Self {
            correlation_id: request.id.clone().unwrap_or_else(made),
            begun: clock.uptime(),
            route: "none",
            contact: None,
            invalid: Vec::new(),
        }
    }

    pub(crate) fn route(&mut self, route: Route) {
        self.route = match route {
            Route::ProgressRead => "progress_read",
            Route::ProgressAggregate => "progress_aggregate",
            Route::EnrollmentsList => "enrollments_list",
            Route::Health => "health",
            Route::Track => "ingest",
        };
    }

    pub(crate) fn person(&mut self, person: &Person) {
        self.contact = Some(person.group());
    }

    pub(crate) fn invalid(&mut self, complaints: &[String]) {
        let names = complaints.iter().filter_map(|complaint| complaint.split(':').next());
        self.invalid = names.map(str::to_owned).collect();
    }

    /// HubSpot did not answer within the time that a page waits.
    pub(crate) fn late(&self, journal: &dyn Journal) {
        self.unread(LogLevel::Warn, "no answer in time".to_owned(), journal);
    }

    /// HubSpot did not answer the question.
    pub(crate) fn away(&self, fault: &CallFault, journal: &dyn Journal) {
        let level = match fault {
            CallFault::Portal(_) => LogLevel::Error,
            _ => LogLevel::Warn,
        };
        self.unread(level, fault.to_string(), journal);
    }

    fn unread(&self, level: LogLevel, cause: String, journal: &dyn Journal) {
        let line = Line::new(level, "HubSpot could not be read")
            .with("cause", cause)
            .with("correlation_id", self.correlation_id.as_str());
        journal.line(line);
    }

    pub(crate) fn end(self, status: u16, clock: &dyn Clock, journal: &dyn Journal) {
        if !self.invalid.is_empty() {
            let line = Line::new(LogLevel::Warn, "Validation failure")
                .with("parameters", self.invalid)
                .with("correlation_id", self.correlation_id.as_str());
            journal.line(line);
        }
        let duration_ms = clock.uptime().saturating_sub(self.begun).as_millis();
        let mut line = Line::new(LogLevel::Info, "Request answered")
            .with("route", self.route)
            .with("status", status)
            .with("duration_ms", u64::try_from(duration_ms).unwrap_or(u64::MAX))
            .with("correlation_id", self.correlation_id);
        if let Some(contact) = self.contact {
            line = line.with("contact", contact);
        }
        journal.line(line);
    }
}
