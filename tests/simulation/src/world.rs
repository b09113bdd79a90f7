//! A simulated world: ingest and any number of workers over one simulated queue and one simulated
//! portal, on one thread and virtual time.
//!
//! Real: all code that is deployed, from the request body to HubSpot's wire and back. Faked: time,
//! chance, the queue, and HubSpot itself. One seed is one run.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hubspot::Client;
use hubspot::pace::{Pace, PaceSettings};
use hubspot::token::TokenSource;
use hubspot::transport::{Answer, NoAnswer, Transport};
use hubspot::version::ApiVersion;
use ingest::Ingest;
use serde_json::Value;
use shared::catalog::Catalog;
use shared::http::{Request, Response};
use shared::ports::{Clock, Delivery, Entropy, Queue, Receipt, ReceiveRequest};
use shared::settings::{self, Backend};
use simulator::inner_door::InnerDoor;
use simulator::{LOCAL_TOKEN, Portal};
use tokio::sync::Notify;
use worker::{Handled, PASS_WORST_CASE, Room, Worker, WorkerParts};

use crate::clock::VirtualClock;
use crate::drive::{Stuck, Task, drive};
use crate::entropy::SeededEntropy;
use crate::fate::{Fate, Fates};
use crate::fired::Fired;
use crate::hand::{HeldClock, HeldQueue, HeldTransport};
use crate::journal::KeptJournal;
use crate::queue::SimQueue;
use crate::trace::Trace;
use crate::wire::Wire;

/// How long an event source waits for a first message.
const POLL_WAIT: Duration = Duration::from_secs(20);
/// How long an event source rests when the queue did not answer.
const FAULT_WAIT: Duration = Duration::from_secs(1);
/// How long an invocation may take.
const INVOCATION_MAX: Duration = PASS_WORST_CASE.saturating_mul(2);
/// `maxReceiveCount` of the deployed queue.
const RECEIVES_MAX: u32 = 100;
/// How long it takes at most until there is a new process in place of one that was killed.
const RESTART_MS_MAX: u64 = 10_000;

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
    /// `QUARANTINE_S`; `None` is what it is by default.
    pub quarantine: Option<Duration>,
    /// `PROGRESS_BACKEND`
    pub backend: Backend,
    /// How much a pass takes in; `None` is what it is by default.
    pub room: Option<Room>,
    /// The point at which a process is killed, counted over all of them.
    pub kill_at: Option<u64>,
    /// Whether the trace can be read.
    pub keeps_trace: bool,
}

impl WorldSettings {
    /// Two workers on a free account, and nothing unusual.
    pub fn of_seed(seed: u64) -> Self {
        Self {
            seed,
            workers: 2,
            burst_limit: 100,
            window: Duration::from_secs(1),
            latency_ms: (20, 400),
            catalog: Catalog::default(),
            heeds_trace_ids: true,
            quarantine: None,
            backend: Backend::Properties,
            room: None,
            kill_at: None,
            keeps_trace: false,
        }
    }
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

/// A worker's process: what is lost when it is killed.
struct Process {
    worker: Worker,
    fate: Arc<Fate>,
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
    /// What all of them said.
    pub journal: Arc<KeptJournal>,
    /// Chance for the script of a run.
    pub chance: Arc<SeededEntropy>,
    /// How often each fault struck.
    pub fired: Arc<Fired>,
    /// What happens to processes.
    pub fates: Arc<Fates>,
    /// The wire to HubSpot, watched.
    pub wire: Arc<Wire>,
    /// What happened.
    pub trace: Arc<Trace>,
    settings: WorldSettings,
    /// What the next process is deployed with.
    catalog: Mutex<Catalog>,
    processes: Vec<Mutex<Arc<Process>>>,
    settled: Notify,
}

impl World {
    /// A world that has been up for a minute.
    ///
    /// # Panics
    /// When it can't be built.
    #[expect(clippy::unwrap_used, reason = "a world that can't be built fails its test")]
    pub fn new(settings: &WorldSettings) -> Self {
        let clock = VirtualClock::default();
        let chance = Arc::new(SeededEntropy::new(settings.seed));
        let journal = Arc::new(KeptJournal::default());
        let fired = Arc::new(Fired::default());
        let trace = Arc::new(Trace::new(settings.keeps_trace));
        let portal = Arc::new(Portal::in_memory(settings.seed));
        portal.define_milepost_properties();
        portal.set(|portal| {
            portal.burst_max = settings.burst_limit;
            portal.latency_ms = settings.latency_ms;
        });
        let queue =
            |delay| SimQueue::new(clock.clone(), chance.clone(), delay).counting(fired.clone());
        let dead_letters = queue(Duration::ZERO);
        let events = queue(settings.window).with_redrive(RECEIVES_MAX, &dead_letters);
        let fates =
            Arc::new(Fates::new(clock.clone(), settings.seed, fired.clone(), settings.kill_at));
        let wire = Arc::new(Wire::new(clock.clone(), portal.clone(), trace.clone(), fired.clone()));
        let ingest = Ingest::new(
            settings::Door::from_lookup(&lookup(settings)).unwrap(),
            Arc::new(events.clone()),
            Arc::new(clock.clone()),
            chance.clone(),
            journal.clone(),
        );
        clock.advance(Duration::from_secs(60));
        let mut world = Self {
            clock,
            portal,
            events,
            dead_letters,
            ingest,
            journal,
            chance,
            fired,
            fates,
            wire,
            trace,
            catalog: Mutex::new(settings.catalog.clone()),
            settings: settings.clone(),
            processes: Vec::new(),
            settled: Notify::new(),
        };
        let processes = (0..settings.workers as usize).map(|nth| Mutex::new(world.process(nth)));
        world.processes = processes.collect();
        world
    }

    /// A fresh process for the nth worker.
    #[expect(clippy::unwrap_used, reason = "a world that can't be built fails its test")]
    fn process(&self, nth: usize) -> Arc<Process> {
        let lookup = lookup(&self.settings);
        let fate = Arc::new(Fate::new(self.fates.clone()));
        let clock: Arc<dyn Clock> =
            Arc::new(HeldClock { clock: self.clock.clone(), fate: fate.clone() });
        let held =
            |queue: &SimQueue| Arc::new(HeldQueue { queue: queue.clone(), fate: fate.clone() });
        let hubspot = settings::HubSpot::from_lookup(&lookup).unwrap();
        let share = PaceSettings::of(&hubspot, self.settings.workers);
        let pace = Arc::new(Pace::new(share, clock.clone(), self.chance.clone()).unwrap());
        let door = InnerDoor::new(self.portal.clone(), Arc::new(self.clock.clone()));
        let door: Arc<dyn Transport> =
            if self.settings.heeds_trace_ids { Arc::new(door) } else { Arc::new(Untraced(door)) };
        let transport = HeldTransport {
            door,
            wire: self.wire.clone(),
            fate: fate.clone(),
            process: format!("worker {nth}"),
        };
        let client = Client::new(
            Arc::new(transport),
            Arc::new(TokenSource::fixed(LOCAL_TOKEN)),
            pace.clone(),
            clock.clone(),
            ApiVersion::default(),
        );
        let mut worker_settings = settings::Worker::from_lookup(&lookup).unwrap();
        if let Some(quarantine) = self.settings.quarantine {
            worker_settings.quarantine = quarantine;
        }
        let worker = Worker::new(WorkerParts {
            events: held(&self.events),
            dead_letters: held(&self.dead_letters),
            client,
            clock,
            entropy: self.chance.clone(),
            journal: self.journal.clone(),
            catalog: locked(&self.catalog).clone(),
            settings: worker_settings,
        });
        Arc::new(Process { worker: worker.with_room(self.settings.room), fate })
    }

    /// Deploys a catalog: workers have it from their next invocation on.
    pub fn deploy(&self, catalog: Catalog) {
        *locked(&self.catalog) = catalog;
        for (nth, process) in self.processes.iter().enumerate() {
            *locked(process) = self.process(nth);
        }
    }

    /// The catalog that was deployed last.
    pub fn catalog(&self) -> Catalog {
        locked(&self.catalog).clone()
    }

    /// A number below `bound`, by the seed.
    pub fn below(&self, bound: u64) -> u64 {
        self.chance.below(bound)
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
    #[expect(clippy::panic, reason = "a world that does not come to rest fails its test")]
    pub fn run(&self, script: impl Future<Output = ()>, time_max: Duration) -> Duration {
        self.try_run(vec![Box::pin(script)], time_max).unwrap_or_else(|stuck| panic!("{stuck}"))
    }

    /// Runs the scripts beside the workers until all are over and the queue is empty; says how
    /// much virtual time that took.
    ///
    /// # Errors
    /// [`Stuck`].
    pub fn try_run(&self, scripts: Vec<Task<'_>>, time_max: Duration) -> Result<Duration, Stuck> {
        let left = Cell::new(scripts.len());
        let left = &left;
        let mut tasks: Vec<Task<'_>> = Vec::new();
        for script in scripts {
            tasks.push(Box::pin(async move {
                script.await;
                left.set(left.get() - 1);
                self.settled.notify_waiters();
            }));
        }
        for nth in 0..self.processes.len() {
            tasks.push(Box::pin(self.work(nth, left)));
        }
        drive(&self.clock, tasks, time_max)
    }

    /// The event source of the nth worker.
    async fn work(&self, nth: usize, scripts_left: &Cell<usize>) {
        while scripts_left.get() > 0 || !self.events.is_empty() {
            let process = locked(&self.processes[nth]).clone();
            let request = ReceiveRequest {
                messages_max: 10,
                visibility: INVOCATION_MAX + process.worker.parts.settings.quarantine,
                wait: POLL_WAIT,
                attempt_id: format!("{:016x}", self.chance.next_u64()),
            };
            let received = tokio::select! {
                biased;
                () = self.settled.notified() => continue,
                received = self.events.receive(request) => received,
            };
            let batch = match received {
                Ok(batch) if batch.is_empty() => continue,
                Ok(batch) => batch,
                Err(_) => {
                    self.clock.sleep(FAULT_WAIT).await;
                    continue;
                }
            };
            // As Lambda does, the event source keeps the handles, and deletes all that the worker
            // does not name as failed. Lambda never sees the receipts that the worker gives back.
            let handle = |one: &Delivery| (one.message_id.clone(), one.receipt.handle().to_owned());
            let kept: Vec<(String, String)> = batch.iter().map(handle).collect();
            let now = self.clock.uptime();
            self.trace.note(now, format_args!("worker {nth} is handed {}", ids(&batch)));
            let work = process.worker.handle(batch, INVOCATION_MAX);
            match process.fate.live(work).await {
                Some(Handled { failed, .. }) => {
                    let is_done = |(id, _): &(String, String)| !failed.contains(id);
                    let done = kept.into_iter().filter(is_done);
                    let receipts = done.map(|(_, handle)| Receipt::new(handle)).collect();
                    // What could not be deleted comes again and changes nothing.
                    let _undeleted = self.events.delete(receipts).await;
                }
                None => {
                    self.trace.note(self.clock.uptime(), format_args!("worker {nth} is killed"));
                    self.clock.sleep(Duration::from_millis(self.below(RESTART_MS_MAX))).await;
                    *locked(&self.processes[nth]) = self.process(nth);
                }
            }
            self.settled.notify_waiters();
        }
    }

    /// A contact's properties by e-mail, once everything has landed that was on its way.
    pub fn held(&self, email: &str) -> Option<BTreeMap<String, String>> {
        self.portal.settle(self.clock.now() + Duration::from_secs(60));
        Some(self.portal.contact_by_email(email)?.properties)
    }
}

fn lookup(settings: &WorldSettings) -> impl Fn(&str) -> Option<String> {
    |name| match name {
        "ENABLE_CRM_PROGRESS" => Some("true".to_owned()),
        "HUBSPOT_PRIVATE_APP_TOKEN" => Some(LOCAL_TOKEN.to_owned()),
        "HUBSPOT_BURST_LIMIT" => Some(settings.burst_limit.to_string()),
        "WORKER_CONCURRENCY" => Some(settings.workers.to_string()),
        "PROGRESS_BACKEND" if settings.backend == Backend::Events => Some("events".to_owned()),
        _ => None,
    }
}

fn ids(deliveries: &[Delivery]) -> String {
    let ids: Vec<&str> = deliveries.iter().map(|one| one.message_id.as_str()).collect();
    ids.join(" ")
}

fn locked<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
