//! A simulated world: ingest and any number of workers over one simulated queue and one simulated
//! portal, on one thread and virtual time.
//!
//! Real: all code that is deployed, from the request body to HubSpot's wire and back. Faked: time,
//! chance, the queue, and HubSpot itself. One seed is one run.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hubspot::Client;
use hubspot::pace::{Pace, PaceSettings};
use hubspot::token::TokenSource;
use hubspot::transport::{Answer, NoAnswer, Transport};
use hubspot::version::ApiVersion;
use ingest::Ingest;
use local::portal::inner_door::InnerDoor;
use local::portal::{LOCAL_TOKEN, Portal};
use serde_json::Value;
use shared::catalog::Catalog;
use shared::http::{Request, Response};
use shared::ports::{Clock, Delivery, Entropy, Queue, ReceiveRequest};
use shared::settings;
use tokio::sync::Notify;
use worker::{PASS_WORST_CASE, Worker};

use crate::clock::VirtualClock;
use crate::drive::{Task, drive};
use crate::entropy::SeededEntropy;
use crate::journal::KeptJournal;
use crate::queue::SimQueue;

/// How long an event source waits for a first message.
const POLL_WAIT: Duration = Duration::from_secs(20);
/// `maxReceiveCount` of the deployed queue.
const RECEIVES_MAX: u32 = 100;

/// What a world is made from.
#[derive(Debug, Clone)]
pub struct WorldSettings {
    /// All chance comes from it.
    pub seed: u64,
    /// Workers, each with its part of the limit.
    pub workers: u32,
    /// `HUBSPOT_BURST_LIMIT`, and the portal's own limit.
    pub burst_limit: u32,
    /// The coalescing window.
    pub window: Duration,
    /// How long HubSpot takes to answer, from and to, in milliseconds.
    pub latency_ms: (u64, u64),
    /// Courses and pathways.
    pub catalog: Catalog,
    /// Whether HubSpot takes notice of trace ids. Without, it refuses a whole batch for one input.
    pub heeds_trace_ids: bool,
}

/// The way to a portal that takes no notice of trace ids.
struct Untraced(InnerDoor);

#[async_trait]
impl Transport for Untraced {
    async fn call(&self, mut request: hubspot::transport::Request) -> Result<Answer, NoAnswer> {
        if let Some(body) = &request.body
            && let Ok(mut body) = serde_json::from_slice::<Value>(body)
            && let Some(inputs) = body.get_mut("inputs").and_then(Value::as_array_mut)
        {
            for input in inputs.iter_mut().filter_map(Value::as_object_mut) {
                input.remove("objectWriteTraceId");
            }
            request.body = Some(body.to_string().into());
        }
        self.0.call(request).await
    }
}

/// The world.
pub struct World {
    /// Time.
    pub clock: VirtualClock,
    /// HubSpot.
    pub portal: Arc<Portal>,
    /// `events.fifo`
    pub events: SimQueue,
    /// `events-dlq.fifo`
    pub dead_letters: SimQueue,
    /// The front door.
    pub ingest: Ingest,
    /// The workers.
    pub workers: Vec<Worker>,
    /// What all of them said.
    pub journal: Arc<KeptJournal>,
    /// Chance for the script of a run.
    pub chance: Arc<SeededEntropy>,
    settled: Notify,
}

impl World {
    /// A world that has been up for a minute.
    ///
    /// # Panics
    /// When it can't be built.
    #[expect(clippy::unwrap_used, reason = "a world that can't be built fails its test")]
    pub fn new(world: &WorldSettings) -> Self {
        let lookup = |name: &str| match name {
            "ENABLE_CRM_PROGRESS" => Some("true".to_owned()),
            "HUBSPOT_PRIVATE_APP_TOKEN" => Some(LOCAL_TOKEN.to_owned()),
            "HUBSPOT_BURST_LIMIT" => Some(world.burst_limit.to_string()),
            "WORKER_CONCURRENCY" => Some(world.workers.to_string()),
            _ => None,
        };
        let clock = VirtualClock::default();
        let shared_clock: Arc<dyn Clock> = Arc::new(clock.clone());
        let chance = Arc::new(SeededEntropy::new(world.seed));
        let journal = Arc::new(KeptJournal::default());
        let portal = Arc::new(Portal::in_memory(world.seed));
        portal.define_milepost_properties();
        portal.set(|settings| {
            settings.burst_max = world.burst_limit;
            settings.latency_ms = world.latency_ms;
        });
        let dead_letters = SimQueue::new(clock.clone(), chance.clone(), Duration::ZERO);
        let events = SimQueue::new(clock.clone(), chance.clone(), world.window)
            .with_redrive(RECEIVES_MAX, &dead_letters);
        let hubspot = settings::HubSpot::from_lookup(&lookup).unwrap();
        let worker = |_| {
            let share = PaceSettings::of(&hubspot, world.workers);
            let pace = Arc::new(Pace::new(share, shared_clock.clone(), chance.clone()).unwrap());
            let door = InnerDoor::new(portal.clone(), shared_clock.clone());
            let transport: Arc<dyn Transport> =
                if world.heeds_trace_ids { Arc::new(door) } else { Arc::new(Untraced(door)) };
            let client = Client::new(
                transport,
                Arc::new(TokenSource::fixed(LOCAL_TOKEN)),
                pace.clone(),
                shared_clock.clone(),
                ApiVersion::default(),
            );
            Worker {
                events: Arc::new(events.clone()),
                dead_letters: Arc::new(dead_letters.clone()),
                client,
                pace,
                clock: shared_clock.clone(),
                entropy: chance.clone(),
                journal: journal.clone(),
                catalog: world.catalog.clone(),
                settings: settings::Worker::from_lookup(&lookup).unwrap(),
                circuit: Default::default(),
                event_names: Default::default(),
            }
        };
        let workers = (0..world.workers).map(worker).collect();
        let ingest = Ingest::new(
            settings::Door::from_lookup(&lookup).unwrap(),
            Arc::new(events.clone()),
            shared_clock.clone(),
            chance.clone(),
            journal.clone(),
        );
        clock.advance(Duration::from_secs(60));
        Self {
            clock,
            portal,
            events,
            dead_letters,
            ingest,
            workers,
            journal,
            chance,
            settled: Notify::new(),
        }
    }

    /// A number below `bound`, by the seed.
    pub fn below(&self, bound: u64) -> u64 {
        self.chance.next_u64() % bound.max(1)
    }

    /// Posts a body to `/events/track`.
    pub async fn track(&self, body: &Value) -> Response {
        let request = Request {
            method: "POST".into(),
            path: "/events/track".into(),
            body: body.to_string().into_bytes(),
            ..Request::default()
        };
        self.ingest.answer(request).await
    }

    /// Runs the script beside the workers until it is over and the queue is empty; says how much
    /// virtual time that took.
    ///
    /// # Panics
    /// When it takes longer than `time_max`.
    pub fn run(&self, script: impl Future<Output = ()>, time_max: Duration) -> Duration {
        let is_over = Cell::new(false);
        let mut tasks: Vec<Task<'_>> = vec![Box::pin(async {
            script.await;
            is_over.set(true);
            self.settled.notify_waiters();
        })];
        for worker in &self.workers {
            tasks.push(Box::pin(self.work(worker, &is_over)));
        }
        drive(&self.clock, tasks, time_max)
    }

    /// The event source and its worker.
    async fn work(&self, worker: &Worker, is_over: &Cell<bool>) {
        while !(is_over.get() && self.events.is_empty()) {
            let request = ReceiveRequest {
                messages_max: 10,
                visibility: PASS_WORST_CASE * 2 + worker.settings.quarantine,
                wait: POLL_WAIT,
                attempt_id: format!("{:016x}", self.chance.next_u64()),
            };
            let batch = tokio::select! {
                biased;
                () = self.settled.notified() => continue,
                batch = self.events.receive(request) => batch.unwrap_or_default(),
            };
            let handles: Vec<Delivery> = batch.iter().map(Delivery::receipt).collect();
            let failed = worker.handle(batch, PASS_WORST_CASE * 2).await;
            let done =
                handles.into_iter().filter(|handle| !failed.contains(&handle.message_id)).collect();
            let undeleted = self.events.delete(done).await;
            assert!(undeleted.is_empty(), "{undeleted:?}");
            self.settled.notify_waiters();
        }
    }

    /// A contact's properties by e-mail, once everything has landed that was on its way.
    pub fn held(&self, email: &str) -> Option<BTreeMap<String, String>> {
        self.portal.settle(self.clock.now() + Duration::from_secs(60));
        Some(self.portal.contact_by_email(email)?.properties)
    }
}
