//! The worker: received messages → contacts in HubSpot, and a settlement for every message.
//!
//! This file is the pass. It calls downwards, in the order of an event's road: `receive` → `batch`
//! (read, coalesce) → `lookup` → `plan` → `forget` → `write` → `settle`. With the events backend,
//! `event_plan` → `send_events` replace the three steps from `lookup` to `write`. `schedule` decides when
//! a pass begins.
//!
//! Below the steps are what they share: `isolation` (the loop of calls that finds culprits), `calls`
//! and `backoff` (what follows a result), `failure` and `settlement` (what can happen to a message),
//! `circuit` (HubSpot is away) and `report` (log lines and figures).
//!
//! **Invariant**: every message that a pass takes gets exactly one settlement.

mod backoff;
mod batch;
mod calls;
mod circuit;
mod event_plan;
mod failure;
mod forget;
mod isolation;
mod lookup;
mod message;
mod plan;
mod receive;
mod report;
mod schedule;
mod send_events;
mod settle;
mod settlement;
mod write;

use std::sync::Arc;
use std::time::Duration;

use hubspot::Client;
use hubspot::client::{READ_WORST_CASE, WRITE_WORST_CASE};
use shared::catalog::Catalog;
use shared::ports::{Clock, Delivery, Entropy, Journal, Queue};
use shared::settings::{self, Backend};

// The pure steps, which benchmarks measure.
pub use crate::batch::{coalesce, open};
use crate::calls::Calls;
use crate::circuit::Circuit;
use crate::isolation::WriteResult;
pub use crate::lookup::Lookup;
use crate::message::Message;
pub use crate::message::{Origin, Received};
pub use crate::plan::plan;
pub use crate::receive::Room;
use crate::report::Report;
pub use crate::schedule::Handled;
use crate::schedule::{Next, Outlook, Schedule, Taken};
use crate::send_events::EventNames;
use crate::settlement::{Cause, Settled};

/// The longest that an ordinary pass takes: two reads, two writes, and the queue. No pass begins with
/// less time left. A pass that meets many culprits makes more calls while there is time.
pub const PASS_WORST_CASE: Duration = READ_WORST_CASE
    .saturating_mul(2)
    .saturating_add(WRITE_WORST_CASE.saturating_mul(2))
    .saturating_add(QUEUE_WORST_CASE);
/// The longest that settling takes, with a queue that is slow to answer.
const QUEUE_WORST_CASE: Duration = Duration::from_secs(20);
/// How often a pass looks up a contact that appeared, vanished or was merged between read and write.
const ROUNDS_MAX: u32 = 2;
/// The longest that another round takes.
const ROUND_WORST_CASE: Duration =
    READ_WORST_CASE.saturating_mul(2).saturating_add(WRITE_WORST_CASE);
/// How long a message waits while the worker is switched off.
const DISABLED_PARK: Duration = Duration::from_secs(60);

/// What a worker is made from.
pub struct WorkerParts {
    /// `events.fifo`
    pub events: Arc<dyn Queue>,
    /// `events-dlq.fifo`
    pub dead_letters: Arc<dyn Queue>,
    /// HubSpot, with the pace of this process.
    pub client: Client,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Log lines and figures.
    pub journal: Arc<dyn Journal>,
    /// Courses and pathways.
    pub catalog: Catalog,
    /// The worker's settings.
    pub settings: settings::Worker,
}

/// A worker: one process's, shared by all invocations.
pub struct Worker {
    /// What it was made from.
    pub parts: WorkerParts,
    room: Option<Room>,
    circuit: Circuit,
    event_names: EventNames,
}

impl Worker {
    /// A worker that has not called HubSpot yet.
    pub fn new(parts: WorkerParts) -> Self {
        Self { parts, room: None, circuit: Circuit::default(), event_names: EventNames::default() }
    }

    /// The same worker, with passes of another size than one call of the backend takes.
    #[must_use]
    pub fn with_room(self, room: Option<Room>) -> Self {
        Self { room, ..self }
    }

    /// Works off an invocation's messages and, while there is backlog, time and quota, more of the
    /// queue. Says what became of the invocation's messages.
    pub async fn handle(&self, invocation: Vec<Delivery>, time_left: Duration) -> Handled {
        let clock = &*self.parts.clock;
        let stop_at = clock.uptime() + time_left;
        let invoked = |delivery| Received { delivery, origin: Origin::Invocation };
        let brought = invocation.into_iter().map(invoked).collect();
        let mut schedule = Schedule::begin(self.take(brought, stop_at));
        loop {
            match schedule.next(clock, || self.outlook(stop_at)).await {
                Next::Receive => schedule.receive(self.take(Vec::new(), stop_at)),
                Next::Pass(received) => schedule.pass(self.pass(received, stop_at)),
                Next::Nothing(handled) => return handled,
            }
        }
    }

    /// One pass: decides about every message and tells the queues.
    async fn pass(&self, received: Vec<Received>, stop_at: Duration) -> Handled {
        let WorkerParts { events, dead_letters, client, clock, journal, .. } = &self.parts;
        let mut report = Report::begin(&**clock, &received);
        let invoked = received.iter().filter(|one| one.origin == Origin::Invocation);
        let mut failed: Vec<_> = invoked.map(|one| one.delivery.message_id.clone()).collect();
        let settled = self.decide(received, stop_at, &mut report).await;
        report.settled(&**clock, &settled);
        let queues = settle::Queues { events: &**events, dead_letters: &**dead_letters };
        let outcome = settle::settle(queues, &**clock, settled).await;
        report.finish(&**journal, client.pace(), &outcome);
        failed.retain(|message_id| !outcome.done.contains_key(message_id));
        Handled { done: outcome.done.into_values().collect(), failed }
    }

    /// Reads the messages and, if HubSpot may be called, has their effect written.
    async fn decide(
        &self,
        received: Vec<Received>,
        stop_at: Duration,
        report: &mut Report,
    ) -> Vec<Settled> {
        let WorkerParts { client, clock, entropy, settings, .. } = &self.parts;
        let (messages, mut settled) = open(received);
        if !settings.is_enabled {
            settled.extend(Settled::put_off(messages, |_| (DISABLED_PARK, Cause::Parked)));
            return settled;
        }
        if let Some(wait) = self.circuit.wait(clock.uptime()) {
            settled.extend(Settled::put_off(messages, |_| wait));
            return settled;
        }
        let calls = Calls {
            client,
            clock: &**clock,
            entropy: &**entropy,
            circuit: &self.circuit,
            quarantine: settings.quarantine,
            // After the last call there must be time to tell the queues.
            until: stop_at.saturating_sub(QUEUE_WORST_CASE),
        };
        settled.extend(match settings.backend {
            Backend::Properties => self.write_contacts(&calls, messages, report).await,
            Backend::Events => self.send_events(&calls, messages, report).await,
        });
        settled
    }

    /// The properties backend: looks everybody up, and writes what changes.
    async fn write_contacts(
        &self,
        calls: &Calls<'_>,
        mut messages: Vec<Message>,
        report: &mut Report,
    ) -> Vec<Settled> {
        let mut settled = Vec::new();
        for round in 1..=ROUNDS_MAX {
            let work = coalesce(std::mem::take(&mut messages));
            let people: Vec<_> = work.iter().map(|coalesced| coalesced.person.clone()).collect();
            let time_left = || calls.time_left();
            let lookups = match lookup::look_up(calls.client, &people, time_left).await {
                Ok(lookups) => lookups,
                Err(fault) => {
                    let all = work.into_iter().flat_map(|coalesced| coalesced.messages).collect();
                    settled.extend(calls.failed(all, &fault, report));
                    return settled;
                }
            };
            self.circuit.answered();
            let plan = plan(work, lookups, &self.parts.catalog);
            report.planned(&plan);
            settled.extend(plan.settled);
            settled.extend(forget::forget(calls, plan.forgets, report).await);
            let written = write::write(calls, plan.writes).await;
            let may_look_again = round < ROUNDS_MAX && calls.time_left() >= ROUND_WORST_CASE;
            for (write, result) in written {
                report.written(&write, &result);
                match result {
                    WriteResult::Again(_) if may_look_again => messages.extend(write.messages),
                    result => settled.extend(calls.settle(write.messages, result, report)),
                }
            }
            if messages.is_empty() {
                break;
            }
        }
        settled
    }

    /// The events backend: sends every event as it is.
    async fn send_events(
        &self,
        calls: &Calls<'_>,
        messages: Vec<Message>,
        report: &mut Report,
    ) -> Vec<Settled> {
        let (messages, forgets) = event_plan::set_apart(messages);
        let mut settled = forget::forget(calls, forgets, report).await;
        if messages.is_empty() {
            return settled;
        }
        let qualifier = match self.event_names.known(calls.client).await {
            Ok(qualifier) => qualifier,
            Err(fault) => {
                settled.extend(calls.failed(messages, &fault, report));
                return settled;
            }
        };
        let (planned, unsent) = event_plan::event_plan(messages, &qualifier);
        settled.extend(unsent);
        for (occurrence, result) in
            send_events::send_events(calls, &self.event_names, planned).await
        {
            if matches!(result, WriteResult::Confirmed(())) {
                report.sent(&occurrence);
            }
            settled.extend(calls.settle(occurrence.messages, result, report));
        }
        settled
    }

    /// Receives for one pass.
    async fn take(&self, mut received: Vec<Received>, stop_at: Duration) -> Taken {
        let WorkerParts { events, entropy, clock, settings, .. } = &self.parts;
        let room = self.room.unwrap_or_else(|| Room::of(settings.backend));
        if self.outlook(stop_at) != Outlook::Closed {
            let remaining = stop_at.saturating_sub(clock.uptime());
            let visibility = remaining + settings.quarantine;
            receive::top_up(&**events, &**entropy, &mut received, room, visibility).await;
        }
        Taken { is_full: room.is_full(&received), received }
    }

    /// Whether another pass could come to anything.
    fn outlook(&self, stop_at: Duration) -> Outlook {
        let WorkerParts { client, clock, settings, .. } = &self.parts;
        let now = clock.uptime();
        let may_write = settings.is_enabled
            && self.circuit.is_closed(now)
            && client.pace().paused_until().is_none();
        if !may_write || stop_at.saturating_sub(now) < PASS_WORST_CASE {
            Outlook::Closed
        } else if client.pace().available() == 0 {
            Outlook::NoPermit
        } else {
            Outlook::Open
        }
    }
}
