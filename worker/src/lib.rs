//! The worker: messages → contacts, and a fate for every message.
//!
//! A pass goes once down this list, and nothing in it calls upwards:
//! [`receive`] → [`batch`] (open, coalesce) → [`lookup`] → [`plan`] → [`mod@write`] → [`mod@settle`].
//! [`mod@forget`] deletes people for good. [`circuit`] keeps a HubSpot that is away from being
//! hammered; [`report`] writes down what happened.
//!
//! **Invariant**: every message that a pass takes in gets exactly one [`settlement::Settlement`].

pub mod batch;
pub mod circuit;
pub mod forget;
pub mod held;
pub mod lookup;
pub mod occurrences;
pub mod plan;
pub mod receive;
pub mod report;
pub mod send;
pub mod settle;
pub mod settlement;
pub mod write;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use hubspot::Client;
use hubspot::client::{READ_WORST_CASE, WRITE_WORST_CASE};
use hubspot::fault::{CallFault, LimitPolicy};
use hubspot::pace::Pace;
use shared::catalog::Catalog;
use shared::ports::{Clock, Delivery, Entropy, Journal, Queue};
use shared::settings::{self, Backend};

use crate::batch::coalesce;
use crate::circuit::{Circuit, PROBE_EVERY, Trouble};
use crate::held::{Held, Opened, Origin};
use crate::receive::Room;
use crate::report::Report;
use crate::send::EventNames;
use crate::settle::settle;
use crate::settlement::{Cause, Settled, Settlement};
use crate::write::WriteResult;

/// The longest that an ordinary pass takes: two reads, two writes, and the queue. No further pass
/// begins with less time left. One that meets many culprits makes more calls, while there is time.
pub const PASS_WORST_CASE: Duration = READ_WORST_CASE
    .saturating_mul(2)
    .saturating_add(WRITE_WORST_CASE.saturating_mul(2))
    .saturating_add(QUEUE_WORST_CASE);
/// What settling may take, with a queue that is slow to answer.
const QUEUE_WORST_CASE: Duration = Duration::from_secs(20);
/// A contact that appeared, vanished or was merged between read and write is looked up once more in
/// the same pass.
const ROUNDS_MAX: u32 = 2;
/// The time that another round may need.
const ROUND_WORST_CASE: Duration =
    READ_WORST_CASE.saturating_mul(2).saturating_add(WRITE_WORST_CASE);
/// The longest wait before a message that met a fault of the moment is tried again: with it, all
/// that waited is applied within 90 s once HubSpot is well again.
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// The longest that a message waits, whatever HubSpot asks for: one receive an hour.
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(3_600);
/// How long a message waits while the worker is switched off.
const DISABLED_PARK: Duration = Duration::from_secs(60);

/// The most passes that go on at once: each may hold 8 MiB of messages and what HubSpot holds of a
/// hundred contacts.
const PASSES_MAX: usize = 6;
/// How often it is looked whether there is a permit for another pass.
const PERMIT_LOOK_EVERY: Duration = Duration::from_millis(50);

/// What an invocation waits for.
enum Step {
    /// What a pass is to be over was taken in.
    Taken(Vec<Held>),
    /// A pass is over; these of the invocation's messages must come again, by their ids.
    Passed(Vec<String>),
    /// It is time to look for a permit that nobody waits for.
    Looked,
}

/// What a worker works with.
pub struct Worker {
    /// `events.fifo`
    pub events: Arc<dyn Queue>,
    /// `events-dlq.fifo`
    pub dead_letters: Arc<dyn Queue>,
    /// HubSpot.
    pub client: Client,
    /// The pace that `client` keeps, for its figures.
    pub pace: Arc<Pace>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Log lines and figures.
    pub journal: Arc<dyn Journal>,
    /// Courses and pathways.
    pub catalog: Catalog,
    /// What it works by.
    pub settings: settings::Worker,
    /// How much a pass takes in; `None` is what one call of the backend takes.
    pub room: Option<Room>,
    /// Whether HubSpot is away.
    pub circuit: Circuit,
    /// What the portal calls our events, for the events backend.
    pub event_names: EventNames,
}

impl Worker {
    /// Works off an invocation's messages and, while there is backlog, time and quota, more of the
    /// queue. Gives the ids of the invocation's messages that must come again.
    ///
    /// While there is backlog, another pass begins whenever there is a permit that nobody waits for:
    /// so HubSpot's answers are waited for side by side, and the share is spent however long they
    /// take. The queue gives a contact to one of the passes.
    pub async fn handle(&self, invocation: Vec<Delivery>, time_left: Duration) -> Vec<String> {
        let stop_at = self.clock.uptime() + time_left;
        let mut failed = Vec::new();
        let held = invocation
            .into_iter()
            .map(|delivery| Held { delivery, origin: Origin::Invocation })
            .collect();
        let mut steps: FuturesUnordered<BoxFuture<'_, Step>> = FuturesUnordered::new();
        steps.push(Box::pin(self.take(held, stop_at)));
        let (mut is_taking, mut is_backlog, mut passes) = (true, false, 0);
        loop {
            let may_take = is_backlog && !is_taking && passes < PASSES_MAX;
            let step = tokio::select! {
                biased;
                step = steps.next() => step,
                () = self.clock.sleep(PERMIT_LOOK_EVERY), if may_take && self.may_take(stop_at) => {
                    Some(Step::Looked)
                }
            };
            match step {
                None => return failed,
                Some(Step::Looked) => {}
                Some(Step::Passed(come_again)) => {
                    failed.extend(come_again);
                    passes -= 1;
                }
                Some(Step::Taken(held)) => {
                    is_taking = false;
                    is_backlog = self.room().is_full(&held);
                    if !held.is_empty() {
                        passes += 1;
                        steps.push(Box::pin(self.pass(held, stop_at).map(Step::Passed)));
                    }
                }
            }
            let is_free = passes == 0 || self.pace.available() > 0;
            let may_take = is_backlog && !is_taking && passes < PASSES_MAX;
            if may_take && is_free && self.may_take(stop_at) {
                is_taking = true;
                steps.push(Box::pin(self.take(Vec::new(), stop_at)));
            }
        }
    }

    /// Tops up what is held.
    async fn take(&self, mut held: Vec<Held>, stop_at: Duration) -> Step {
        if self.may_take(stop_at) {
            let remaining = stop_at.saturating_sub(self.clock.uptime());
            let visibility = remaining + self.settings.quarantine;
            receive::top_up(&*self.events, &*self.entropy, &mut held, self.room(), visibility)
                .await;
        }
        Step::Taken(held)
    }

    /// Whether there is time for a pass over further messages, and one could come to anything.
    fn may_take(&self, stop_at: Duration) -> bool {
        stop_at.saturating_sub(self.clock.uptime()) >= PASS_WORST_CASE && self.may_write()
    }

    /// Whether taking more messages could come to anything just now.
    fn may_write(&self) -> bool {
        self.settings.is_enabled
            && self.circuit.is_closed(self.clock.uptime())
            && self.pace.paused_until().is_none()
    }

    fn room(&self) -> Room {
        self.room.unwrap_or_else(|| Room::of(self.settings.backend))
    }

    async fn pass(&self, held: Vec<Held>, stop_at: Duration) -> Vec<String> {
        let mut report = Report::begin(&*self.clock, &held);
        let invoked = held.iter().filter(|held| held.origin == Origin::Invocation);
        let mut failed: Vec<_> = invoked.map(|held| held.delivery.message_id.clone()).collect();
        let settled = self.decide(held, stop_at, &mut report).await;
        report.settled(&*self.clock, &settled);
        let outcome = settle(&*self.events, &*self.dead_letters, &*self.clock, settled).await;
        report.finish(&*self.journal, &self.pace, &outcome);
        failed.retain(|message_id| !outcome.done.contains(message_id));
        failed
    }

    /// Everything between taking messages and telling the queue what became of them.
    async fn decide(
        &self,
        held: Vec<Held>,
        stop_at: Duration,
        report: &mut Report,
    ) -> Vec<Settled> {
        let (opened, mut settled) = batch::open(held);
        if !self.settings.is_enabled {
            settled.extend(put_off(opened, |_| (DISABLED_PARK, Cause::Parked)));
            return settled;
        }
        if let Some(wait) = self.circuit.wait(self.clock.uptime()) {
            settled.extend(put_off(opened, |_| wait));
            return settled;
        }
        // The queue must still be told when the last call is over.
        let calls_until = stop_at.saturating_sub(QUEUE_WORST_CASE);
        let time_left = || calls_until.saturating_sub(self.clock.uptime());
        settled.extend(match self.settings.backend {
            Backend::Properties => self.write_contacts(opened, time_left, report).await,
            Backend::Events => self.send_events(opened, time_left, report).await,
        });
        settled
    }

    /// Looks everybody up, and writes what changes of them.
    async fn write_contacts(
        &self,
        mut opened: Vec<Opened>,
        time_left: impl Fn() -> Duration,
        report: &mut Report,
    ) -> Vec<Settled> {
        let mut settled = Vec::new();
        for round in 1..=ROUNDS_MAX {
            let work = coalesce(std::mem::take(&mut opened));
            let people: Vec<_> = work.iter().map(|coalesced| coalesced.person.clone()).collect();
            let lookups = match lookup::look_up(&self.client, &people, &time_left).await {
                Ok(lookups) => lookups,
                Err(fault) => {
                    self.note(&fault, report);
                    let opened = work.into_iter().flat_map(|coalesced| coalesced.opened).collect();
                    settled.extend(put_off(opened, |receives| self.wait_for(&fault, receives)));
                    return settled;
                }
            };
            self.circuit.answered();

            let plan = plan::plan(work, lookups, &self.catalog);
            report.planned(&plan);
            settled.extend(plan.settled);
            settled.extend(self.forget(plan.forgets, &time_left, report).await);
            let written = write::write(&self.client, &*self.entropy, plan.writes, &time_left).await;
            let may_look_again = round < ROUNDS_MAX && time_left() >= ROUND_WORST_CASE;
            for (write, result) in written {
                report.written(&write, &result);
                match result {
                    WriteResult::Again(_) if may_look_again => opened.extend(write.opened),
                    result => settled.extend(self.settle_write(write.opened, result, report)),
                }
            }
            if opened.is_empty() {
                break;
            }
        }
        settled
    }

    /// The fate of the messages of one write.
    fn settle_write(
        &self,
        opened: Vec<Opened>,
        result: WriteResult,
        report: &mut Report,
    ) -> Vec<Settled> {
        let fate = match result {
            WriteResult::Confirmed { .. } => Settlement::Applied,
            WriteResult::Refused(verdict) => Settlement::DeadLettered(verdict),
            WriteResult::Again(after) => Settlement::Retry(after, Cause::Moment),
            WriteResult::Failed(fault) => {
                self.note(&fault, report);
                return put_off(opened, |receives| self.wait_for(&fault, receives));
            }
        };
        opened.into_iter().map(|opened| Settled::of(opened, |_| fate.clone())).collect()
    }

    /// How long a message waits after a fault, and as what.
    fn wait_for(&self, fault: &CallFault, receives: u32) -> (Duration, Cause) {
        match fault {
            CallFault::Portal(_) => (PROBE_EVERY, Cause::Parked),
            CallFault::Throttled { policy: LimitPolicy::Daily, wait } => {
                (self.jittered(*wait, Duration::from_secs(10)).min(LOOK_AGAIN_MAX), Cause::Parked)
            }
            CallFault::Throttled { wait, .. } => {
                (self.jittered(*wait, Duration::from_secs(2)), Cause::Moment)
            }
            CallFault::Moment { wait, .. } => {
                let ceiling = Duration::from_secs(1 << receives.min(6)).min(BACKOFF_MAX);
                let backoff = self.jittered(Duration::from_secs(1), ceiling).min(BACKOFF_MAX);
                // An account that moves asks for up to a day, and SQS hides nothing that long.
                (backoff.max(*wait).min(LOOK_AGAIN_MAX), Cause::Moment)
            }
            CallFault::Unknown(_) => (self.settings.quarantine, Cause::Quarantined),
            // The isolation of culprits has used up the refusals; what is left is not one record's.
            CallFault::Request(_) => (BACKOFF_MAX, Cause::Moment),
        }
    }

    /// Between `least` and `least + spread`, by chance: messages that waited together must not
    /// come back together.
    fn jittered(&self, least: Duration, spread: Duration) -> Duration {
        let share = (self.entropy.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        least + spread.mul_f64(share)
    }

    /// Writes a fault down, and keeps away from a HubSpot that is away.
    fn note(&self, fault: &CallFault, report: &mut Report) {
        let trouble = match fault {
            CallFault::Portal(_) => Some(Trouble::Refusal),
            CallFault::Moment { .. } => Some(Trouble::Outage),
            CallFault::Throttled { .. } | CallFault::Unknown(_) | CallFault::Request(_) => None,
        };
        // A call that failed for a hundred contacts failed once.
        if report.fault(fault)
            && let Some(trouble) = trouble
        {
            self.circuit.failed(self.clock.uptime(), trouble);
        }
    }
}

/// Lets messages come again later, each as its receive count asks.
fn put_off(opened: Vec<Opened>, wait: impl Fn(u32) -> (Duration, Cause)) -> Vec<Settled> {
    let later = |opened: &Opened| {
        let (after, cause) = wait(opened.held.delivery.receive_count);
        Settlement::Retry(after, cause)
    };
    opened.into_iter().map(|opened| Settled::of(opened, later)).collect()
}
