//! The whole path on virtual time, in one test: ingest, embedded queue, event source, worker, and
//! the simulated portal behind its inner door.
//!
//! Real: everything that is deployed but the adapters at the edge. Faked: time, chance, and where
//! messages and contacts are kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hubspot::Client;
use hubspot::pace::{Pace, PaceSettings};
use hubspot::token::TokenSource;
use hubspot::version::ApiVersion;
use ingest::Ingest;
use serde_json::{Value, json};
use shared::catalog::Catalog;
use shared::http::{Request, Response};
use shared::ports::{Clock, ReceiveRequest};
use shared::settings;
use simulator::inner_door::InnerDoor;
use simulator::{LOCAL_TOKEN, Portal};
use sqlite::{DeadLetter, QueueSettings, SqliteQueues};
use worker::{PASS_WORST_CASE, Worker, WorkerParts};

use simulation::clock::VirtualClock;
use simulation::entropy::SeededEntropy;
use simulation::journal::KeptJournal;

/// The most virtual time that the path is given to come to rest.
const REST_MAX: Duration = Duration::from_secs(48 * 3_600);

/// The path.
pub struct Path {
    /// Time.
    pub clock: VirtualClock,
    /// HubSpot.
    pub portal: Arc<Portal>,
    /// Both queues.
    pub queues: SqliteQueues,
    /// The front door.
    pub ingest: Ingest,
    /// The worker.
    pub worker: Worker,
    /// What both said.
    pub journal: Arc<KeptJournal>,
}

impl Path {
    /// A path that has been up for a minute, with this catalog.
    ///
    /// # Panics
    /// When it can't be built.
    #[expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]
    pub fn new(catalog: Catalog) -> Self {
        let lookup = |name: &str| match name {
            "ENABLE_CRM_PROGRESS" => Some("true".to_owned()),
            "HUBSPOT_PRIVATE_APP_TOKEN" => Some(LOCAL_TOKEN.to_owned()),
            _ => None,
        };
        let clock = VirtualClock::default();
        let shared_clock: Arc<dyn Clock> = Arc::new(clock.clone());
        let entropy = Arc::new(SeededEntropy::new(11));
        let journal = Arc::new(KeptJournal::default());
        let portal = Arc::new(Portal::in_memory(7));
        portal.define_milepost_properties();
        let queue_settings = QueueSettings { delay: Duration::ZERO, ..QueueSettings::default() };
        let queues =
            SqliteQueues::in_memory(shared_clock.clone(), entropy.clone(), queue_settings).unwrap();
        let hubspot = settings::HubSpot::from_lookup(&lookup).unwrap();
        let pace = PaceSettings::of(&hubspot, 1);
        let pace = Arc::new(Pace::new(pace, shared_clock.clone(), entropy.clone()).unwrap());
        let client = Client::new(
            Arc::new(InnerDoor::new(portal.clone(), shared_clock.clone())),
            Arc::new(TokenSource::fixed(LOCAL_TOKEN)),
            pace.clone(),
            shared_clock.clone(),
            ApiVersion::default(),
        );
        let ingest = Ingest::new(
            settings::Door::from_lookup(&lookup).unwrap(),
            queues.events(),
            shared_clock.clone(),
            entropy.clone(),
            journal.clone(),
        );
        let worker = Worker::new(WorkerParts {
            events: queues.events(),
            dead_letters: queues.dead_letters(),
            client,
            clock: shared_clock,
            entropy,
            journal: journal.clone(),
            catalog,
            settings: settings::Worker::from_lookup(&lookup).unwrap(),
        });
        clock.advance(Duration::from_secs(60));
        Self { clock, portal, queues, ingest, worker, journal }
    }

    /// Runs the work; whenever it sleeps, the clock is turned to when it wakes.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.clock.run(work).await
    }

    /// Posts a body to `/events/track`.
    pub async fn track(&self, body: &Value) -> Response {
        let request = Request {
            method: "POST".into(),
            path: "/events/track".into(),
            body: body.to_string().into_bytes(),
            ..Request::default()
        };
        // Not turned meanwhile: the queue's thread works in real time, and ingest would give up on it.
        self.ingest.answer(request).await
    }

    /// Posts events in batches of fifty.
    ///
    /// # Panics
    /// When one is not accepted.
    pub async fn track_all(&self, events: &[Value]) {
        for batch in events.chunks(50) {
            let answer = self.track(&json!({ "events": batch })).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert!(answer.body.contains("persisted"), "{}", answer.body);
            assert!(answer.body.contains("\"rejected\":[]"), "{}", answer.body);
        }
    }

    /// One turn of the event source: takes up to ten messages and has them worked off. Says whether
    /// there were any.
    ///
    /// # Panics
    /// When the queue does not answer.
    #[expect(clippy::unwrap_used, reason = "the embedded queue in memory always answers")]
    pub async fn pump_once(&self) -> bool {
        let request = ReceiveRequest {
            messages_max: 10,
            visibility: PASS_WORST_CASE + self.worker.parts.settings.quarantine,
            wait: Duration::ZERO,
            attempt_id: format!("{:016x}", self.worker.parts.entropy.next_u64()),
        };
        let batch = self.queues.events().receive(request).await.unwrap();
        if batch.is_empty() {
            return false;
        }
        let handled = self.run(self.worker.handle(batch, PASS_WORST_CASE)).await;
        let undeleted = self.queues.events().delete(handled.done).await;
        assert!(undeleted.is_empty(), "{undeleted:?}");
        true
    }

    /// Turns the event source and the clock until the queue is empty; says how long it took.
    ///
    /// # Panics
    /// When the queue is not empty after two days.
    #[expect(clippy::unwrap_used, reason = "the embedded queue in memory always answers")]
    pub async fn come_to_rest(&self) -> Duration {
        let begun_at = self.clock.uptime();
        while self.queues.events().depth().await.unwrap().total() > 0 {
            if !self.pump_once().await {
                self.clock.advance(Duration::from_millis(500));
            }
            let spent = self.clock.uptime() - begun_at;
            assert!(spent < REST_MAX, "the queue is not empty after {spent:?}");
        }
        self.clock.uptime() - begun_at
    }

    /// Turns the event source and the clock for this long.
    pub async fn go_on_for(&self, time: Duration) {
        let end = self.clock.uptime() + time;
        while self.clock.uptime() < end {
            if !self.pump_once().await {
                self.clock.advance(Duration::from_millis(500));
            }
        }
    }

    /// A contact's properties by e-mail.
    pub fn held(&self, email: &str) -> Option<BTreeMap<String, String>> {
        Some(self.portal.contact_by_email(email)?.properties)
    }

    /// The reasons of all dead letters.
    ///
    /// # Panics
    /// When the queue does not answer.
    #[expect(clippy::unwrap_used, reason = "the embedded queue in memory always answers")]
    pub async fn dead_letters(&self) -> Vec<DeadLetter> {
        self.queues.list_dead_letters(1_000).await.unwrap()
    }

    /// Calls to HubSpot so far.
    pub fn calls(&self) -> u64 {
        self.portal.stats().calls
    }
}
