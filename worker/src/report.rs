//! What a pass logs: a line for each contact written, the lines that need attention, and the figures.
//!
//! In: what the steps of the pass decided. Out: lines and figures for the journal. The lines are made
//! when something happens and written when the pass is over, in this order.
//!
//! **Invariant**: a contact is named by its message group only.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hubspot::fault::CallFault;
use hubspot::pace::Pace;
use shared::journal::{ContactWritten, Figure, Line, LogLevel};
use shared::ports::{Clock, Journal};
use shared::properties::TEXT_CHARS_MAX;

use crate::event_plan::Occurrence;
use crate::isolation::WriteResult;
use crate::message::Received;
use crate::plan::{Plan, Target, Write};
use crate::settle::Outcome;
use crate::settlement::{Cause, Settled, Settlement};

/// The share of the property from which a state's length is worth a warning: 80 %.
const STATE_CHARS_WARN: usize = TEXT_CHARS_MAX / 5 * 4;
const UNSUPPORTED_CLAIM: &str = "A completion was claimed that the progress does not bear out";

/// The notes of one pass.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: Lines,
    figures: Vec<(Figure, f64)>,
    begun_at: Duration,
    ended_at: Duration,
    messages: usize,
    contacts: usize,
    faults: BTreeSet<String>,
}

/// What is logged when the pass is over, in the order it happened.
#[derive(Debug, Default)]
struct Lines(Vec<Entry>);

#[derive(Debug)]
enum Entry {
    Line(Line),
    ContactWritten(ContactWritten),
}

impl Lines {
    fn push(&mut self, line: Line) {
        self.0.push(Entry::Line(line));
    }

    fn write_to(self, journal: &dyn Journal) {
        for entry in self.0 {
            match entry {
                Entry::Line(line) => journal.line(line),
                Entry::ContactWritten(contact) => journal.contact_written(contact),
            }
        }
    }
}

impl Report {
    /// A pass begins with these messages in hand.
    pub(crate) fn begin(clock: &dyn Clock, received: &[Received]) -> Self {
        let groups: BTreeSet<&str> =
            received.iter().map(|one| one.delivery.group.as_str()).collect();
        Self {
            begun_at: clock.uptime(),
            messages: received.len(),
            contacts: groups.len(),
            ..Self::default()
        }
    }

    /// The plan is made.
    pub(crate) fn planned(&mut self, plan: &Plan) {
        self.figures.push((Figure::ContactsUnchanged, plan.unchanged.len() as f64));
        for unchanged in &plan.unchanged {
            let line = |level, message: &'static str| {
                Line::new(level, message)
                    .with("contact", unchanged.group.clone())
                    .with("events", unchanged.events)
            };
            self.lines.push(line(LogLevel::Debug, "Contact holds everything already"));
            self.claims(unchanged.unsupported_claims, line(LogLevel::Info, UNSUPPORTED_CLAIM));
        }
        for write in plan.writes.iter().filter(|w| matches!(w.target, Target::New(_))) {
            self.lines.push(line_of(
                LogLevel::Info,
                "[CRM] Contact not found, creating new contact",
                write,
            ));
        }
    }

    /// A write has its result.
    pub(crate) fn written(&mut self, write: &Write, result: &WriteResult<String>) {
        let is_new = matches!(write.target, Target::New(_));
        match result {
            WriteResult::Confirmed(id) => {
                self.figures.push((Figure::ContactsWritten, 1.0));
                if is_new {
                    self.figures.push((Figure::ContactsCreated, 1.0));
                    let created = "[CRM] Created new learning contact";
                    let line = line_of(LogLevel::Info, created, write);
                    self.lines.push(line.with("contact_id", id.clone()));
                }
                let happenings = write.messages.iter().filter_map(|one| one.envelope.happening());
                let first = write.messages.first();
                self.lines.0.push(Entry::ContactWritten(ContactWritten {
                    group: first.map(|one| one.group().to_owned()),
                    record_id: id.clone(),
                    is_new,
                    events: write.messages.len(),
                    event_names: happenings.map(|h| h.event.name().as_str()).collect(),
                    properties: write.properties.keys().cloned().collect(),
                    state_chars: write.state_chars,
                    correlation_id: first.map(|one| one.envelope.correlation_id.clone()),
                }));
                let claims = line_of(LogLevel::Info, UNSUPPORTED_CLAIM, write);
                self.claims(write.unsupported_claims.len(), claims);
                if write.state_chars > STATE_CHARS_WARN {
                    self.figures.push((Figure::StatesNearLimit, 1.0));
                    let message = "The progress state is nearly too large for its property";
                    let line = line_of(LogLevel::Warn, message, write);
                    self.lines.push(line.with("state_chars", write.state_chars));
                }
                if write.view_left_out {
                    let message = "The portal does not know the last viewed type";
                    self.lines.push(line_of(LogLevel::Warn, message, write));
                }
            }
            WriteResult::Refused(failure) if is_new => {
                let line = line_of(LogLevel::Error, "[CRM] Failed to create contact", write);
                self.lines.push(line.with("reason", failure.reason.as_str()));
            }
            WriteResult::Refused(_) | WriteResult::Again(_) | WriteResult::Failed(_) => {}
        }
    }

    fn claims(&mut self, claims: usize, line: Line) {
        if claims > 0 {
            self.figures.push((Figure::UnsupportedClaims, claims as f64));
            self.lines.push(line.with("claims", claims));
        }
    }

    /// An event was accepted by HubSpot.
    pub(crate) fn sent(&mut self, occurrence: &Occurrence) {
        let Some(first) = occurrence.messages.first() else { return };
        let Some(happening) = first.envelope.happening() else { return };
        let name = happening.event.name().as_str();
        let properties = Vec::from_iter(occurrence.event.properties.keys().copied());
        let left_out = occurrence.left_out.join(",");
        self.lines.push(
            Line::new(LogLevel::Info, format!("Track event (persisted via events) {name}"))
                .with("contact", first.group().to_owned())
                .with("correlation_id", first.envelope.correlation_id.clone())
                .with("properties", properties.join(","))
                .with("left_out", Some(left_out).filter(|names| !names.is_empty())),
        );
    }

    /// A person was deleted permanently, and this many events with them.
    pub(crate) fn forgotten(&mut self, group: Option<String>, events: usize) {
        self.lines.push(
            Line::new(LogLevel::Info, "Contact forgotten")
                .with("contact", group)
                .with("events_dropped", events),
        );
    }

    /// A call failed. A pass logs the same fault once; says whether this was the first time.
    pub(crate) fn fault(&mut self, fault: &CallFault) -> bool {
        let text = fault.to_string();
        let is_new = self.faults.insert(text.clone());
        if is_new {
            let level = match fault {
                CallFault::Portal(_) => LogLevel::Error,
                _ => LogLevel::Warn,
            };
            self.lines.push(Line::new(level, "HubSpot call failed").with("fault", text));
        }
        is_new
    }

    /// Every message is settled.
    pub(crate) fn settled(&mut self, clock: &dyn Clock, settled: &[Settled]) {
        self.ended_at = clock.uptime();
        let now = clock.now();
        let age_s = |at: DateTime<Utc>| (now - at).num_milliseconds().max(0) as f64 / 1_000.0;
        let mut oldest_s: Option<f64> = None;
        for Settled { received, envelope, settlement } in settled {
            let accepted_at =
                envelope.as_ref().map_or(received.delivery.sent_at, |e| e.accepted_at);
            let age_s = age_s(accepted_at);
            oldest_s = Some(oldest_s.map_or(age_s, |oldest_s| oldest_s.max(age_s)));
            match settlement {
                Settlement::Applied => {
                    // A repair isn't an event, and nobody waited for it.
                    if envelope.as_ref().is_some_and(|e| e.happening().is_some()) {
                        self.figures.push((Figure::EventsApplied, 1.0));
                        self.figures.push((Figure::TimeToCrm, age_s));
                    }
                }
                Settlement::Forgotten => self.figures.push((Figure::EventsForgotten, 1.0)),
                Settlement::DeadLettered(failure) => {
                    self.figures.push((Figure::EventsDeadLettered, 1.0));
                    let message = "Failed to persist event to CRM";
                    self.lines.push(
                        Line::new(LogLevel::Error, message)
                            .with("contact", received.delivery.group.clone())
                            .with("message_id", received.delivery.message_id.clone())
                            .with("reason", failure.reason.as_str())
                            .with("detail", failure.detail.clone())
                            .with("attempts", received.delivery.receive_count)
                            .with("correlation_id", failure.correlation_id.clone()),
                    );
                }
                Settlement::Retry(_, Cause::Parked) => self.figures.push((Figure::Parked, 1.0)),
                Settlement::Retry(_, Cause::Quarantined) => {
                    self.figures.push((Figure::Quarantined, 1.0));
                }
                Settlement::Retry(_, Cause::Transient) | Settlement::HandedOn(_) => {}
            }
        }
        self.figures.extend(oldest_s.map(|oldest_s| (Figure::OldestEventAge, oldest_s)));
        self.line_of_pass(settled);
    }

    fn line_of_pass(&mut self, settled: &[Settled]) {
        let count = |fits: fn(&Settlement) -> bool| {
            settled.iter().filter(|settled| fits(&settled.settlement)).count()
        };
        let duration = self.ended_at.saturating_sub(self.begun_at);
        self.lines.push(
            Line::new(LogLevel::Info, "Pass")
                .with("messages", self.messages)
                .with("contacts", self.contacts)
                .with("applied", count(|s| matches!(s, Settlement::Applied)))
                .with("retried", count(|s| matches!(s, Settlement::Retry(..))))
                .with("dead_lettered", count(|s| matches!(s, Settlement::DeadLettered(_))))
                .with("handed_on", count(|s| matches!(s, Settlement::HandedOn(_))))
                .with("forgotten", count(|s| matches!(s, Settlement::Forgotten)))
                .with("duration_ms", duration.as_millis() as u64),
        );
    }

    /// The queues have their orders: logs everything.
    pub(crate) fn finish(mut self, journal: &dyn Journal, pace: &Pace, outcome: &Outcome) {
        if outcome.unsent + outcome.untold > 0 {
            self.lines.push(
                Line::new(LogLevel::Warn, "The queue did not do all it was told")
                    .with("unsent", outcome.unsent)
                    .with("untold", outcome.untold),
            );
        }
        let after = pace.snapshot();
        let spent = pace.spent();
        self.figures.push((Figure::HubSpotCalls, spent.calls as f64));
        self.figures.push((Figure::HubSpotThrottled, spent.throttled as f64));
        self.figures
            .push((Figure::CoalescingRatio, self.messages as f64 / self.contacts.max(1) as f64));
        let window = after.window_remaining.map(|left| (Figure::HubSpotRemaining, f64::from(left)));
        let day = after.daily_remaining.map(|left| (Figure::DailyRemaining, left as f64));
        self.figures.extend(window.into_iter().chain(day));
        self.lines.write_to(journal);
        journal.figures(&self.figures);
    }
}

/// A line about one contact's write.
fn line_of(level: LogLevel, message: impl Into<Cow<'static, str>>, write: &Write) -> Line {
    let first = write.messages.first();
    let group = first.map(|message| message.group().to_owned());
    let correlation_id = first.map(|message| message.envelope.correlation_id.clone());
    Line::new(level, message)
        .with("contact", group)
        .with("events", write.messages.len())
        .with("correlation_id", correlation_id)
}
