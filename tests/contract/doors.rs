//! The two functions in one process, with a queue and a portal behind them, on a clock that stands.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use hubspot::Client;
use hubspot::pace::{Pace, PaceSettings};
use hubspot::token::TokenSource;
use hubspot::transport::{Answer, NoAnswer, Request as Call, Transport};
use hubspot::version::ApiVersion;
use ingest::Ingest;
use reader::Reader;
use serde_json::Value;
use shared::envelope::Envelope;
use shared::http::{Request, Response};
use shared::ports::{Clock, Delivery, Depth, Entropy, Journal, Outgoing, Queue, Receipt};
use shared::ports::{QueueFault, ReceiveRequest};
use shared::settings::{Door, WrongSetting};
use simulation::clock::VirtualClock;
use simulation::entropy::SeededEntropy;
use simulation::journal::KeptJournal;
use simulator::inner_door::InnerDoor;
use simulator::{LOCAL_TOKEN, Portal};
use sqlite::{QueueSettings, SqliteQueues};

/// The secret that the recorded tokens were signed with.
pub(crate) const SECRET: &str = "golden-secret";

/// Ingest and reader, and what stands behind them.
pub(crate) struct Doors {
    pub(crate) clock: VirtualClock,
    pub(crate) portal: Arc<Portal>,
    pub(crate) queue: Arc<FragileQueue>,
    pub(crate) journal: Arc<KeptJournal>,
    pub(crate) ids: Arc<Ids>,
    pub(crate) ingest: Ingest,
    pub(crate) reader: Reader,
}

/// The record ids of a recording, by which its contacts are asked for here too.
#[derive(Debug, Default)]
pub(crate) struct Ids(Mutex<BTreeMap<String, u64>>);

/// What a queue does to the messages that it is sent.
#[derive(Debug, Clone, Default)]
pub(crate) enum QueueMood {
    /// It takes them.
    #[default]
    Well,
    /// It takes none, and may later.
    Away,
    /// It will never take a message that holds this text.
    RefusesWith(&'static str),
    /// It does not answer.
    Silent,
}

/// The embedded queue, with moods.
pub(crate) struct FragileQueue {
    queue: Arc<dyn Queue>,
    mood: Mutex<QueueMood>,
}

impl Doors {
    /// Doors with progress switched on and a secret, and variables on top of that.
    pub(crate) fn open(
        now: DateTime<Utc>,
        variables: &[(&str, &str)],
    ) -> Result<Self, WrongSetting> {
        let mut table = BTreeMap::from([("ENABLE_CRM_PROGRESS", "true"), ("JWT_SECRET", SECRET)]);
        table.extend(variables.iter().copied());
        let door = Door::from_lookup(&|name| table.get(name).map(|value| (*value).to_owned()))?;

        let clock = VirtualClock::starting_at(now - chrono::TimeDelta::minutes(1));
        let shared_clock: Arc<dyn Clock> = Arc::new(clock.clone());
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(11));
        let journal = Arc::new(KeptJournal::default());
        let shared_journal: Arc<dyn Journal> = Arc::clone(&journal) as Arc<dyn Journal>;

        let queues = SqliteQueues::in_memory(
            Arc::clone(&shared_clock),
            Arc::clone(&entropy),
            QueueSettings::default(),
        );
        let queue = queues.unwrap().events();
        let queue = Arc::new(FragileQueue { queue, mood: Mutex::default() });

        let portal = Arc::new(Portal::in_memory(11));
        portal.define_milepost_properties();
        let ids = Arc::new(Ids::default());
        let transport = Renumbered {
            door: InnerDoor::new(Arc::clone(&portal), Arc::clone(&shared_clock)),
            ids: Arc::clone(&ids),
        };
        let share =
            PaceSettings { burst_limit: 100, headroom: 0.1, workers: 1, day_begins_at: None };
        let pace = Pace::new(share, Arc::clone(&shared_clock), Arc::clone(&entropy)).unwrap();
        let client = Client::new(
            Arc::new(transport),
            Arc::new(TokenSource::fixed(LOCAL_TOKEN)),
            Arc::new(pace),
            Arc::clone(&shared_clock),
            ApiVersion::default(),
        );
        // The burst that a new process lacks, and the portal's new definitions, come with time.
        clock.advance(Duration::from_secs(60));
        let ingest = Ingest::new(
            door.clone(),
            Arc::clone(&queue) as Arc<dyn Queue>,
            Arc::clone(&shared_clock),
            Arc::clone(&entropy),
            Arc::clone(&shared_journal),
        );
        let reader = Reader::new(door, Arc::new(client), shared_clock, entropy, shared_journal);
        Ok(Self { clock, portal, queue, journal, ids, ingest, reader })
    }

    /// Doors at some moment.
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        Self::open("2026-11-24T20:00:00Z".parse().unwrap(), variables).unwrap()
    }

    /// Adds a contact, which answers to `id` from now on.
    pub(crate) fn add(&self, id: &str, properties: &BTreeMap<String, String>) {
        let made = self.portal.add_contact(self.clock.now(), properties).unwrap();
        self.ids.0.lock().unwrap().insert(id.to_owned(), made);
    }

    /// Answers one request, whichever function it is for. The clock stands, unless the reader or a
    /// queue that is unwell waits.
    pub(crate) async fn answer(&self, request: Request) -> Response {
        if request.method != "POST" {
            return self.run(self.reader.answer(request)).await;
        }
        match self.queue.mood() {
            QueueMood::Away | QueueMood::Silent => self.run(self.ingest.answer(request)).await,
            QueueMood::Well | QueueMood::RefusesWith(_) => self.ingest.answer(request).await,
        }
    }

    /// Posts a body to `/events/track`.
    pub(crate) async fn track(&self, body: impl Into<Vec<u8>>) -> Response {
        self.answer(post(body)).await
    }

    /// Runs the work; whenever it sleeps, the clock is turned to when it wakes.
    async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.clock.run(work).await
    }

    /// Takes all envelopes from the queue, once its delay is over.
    pub(crate) async fn queued(&self) -> Vec<Envelope> {
        self.clock.advance(Duration::from_secs(60));
        let mut envelopes = Vec::new();
        loop {
            let request = ReceiveRequest {
                messages_max: 10,
                visibility: Duration::from_secs(60),
                wait: Duration::ZERO,
                attempt_id: envelopes.len().to_string(),
            };
            let deliveries = self.queue.queue.receive(request).await.unwrap();
            if deliveries.is_empty() {
                return envelopes;
            }
            let open = |delivery: &Delivery| Envelope::open(&delivery.body).unwrap();
            envelopes.extend(deliveries.iter().map(open));
            let receipts = deliveries.into_iter().map(Receipt::from).collect();
            assert_eq!(self.queue.queue.delete(receipts).await, []);
        }
    }
}

/// A request that posts this body to `/events/track`.
pub(crate) fn post(body: impl Into<Vec<u8>>) -> Request {
    Request {
        method: "POST".to_owned(),
        path: "/events/track".to_owned(),
        body: body.into(),
        ..Request::default()
    }
}

/// A request for a path with these parameters.
pub(crate) fn get(path: &str, query: &[(&str, &str)]) -> Request {
    Request {
        method: "GET".to_owned(),
        path: path.to_owned(),
        query: query.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        ..Request::default()
    }
}

/// An answer's body; an empty one is null.
pub(crate) fn body(response: &Response) -> Value {
    if response.body.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(&response.body).unwrap()
}

impl FragileQueue {
    pub(crate) fn becomes(&self, mood: QueueMood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn mood(&self) -> QueueMood {
        self.mood.lock().unwrap().clone()
    }
}

#[async_trait]
impl Queue for FragileQueue {
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), QueueFault>> {
        match self.mood() {
            QueueMood::Well => self.queue.send(messages).await,
            QueueMood::Away => {
                let fault = QueueFault::Unavailable("connection refused".into());
                vec![Err(fault); messages.len()]
            }
            QueueMood::RefusesWith(text) => {
                let mut results = Vec::new();
                for message in messages {
                    if message.body.contains(text) {
                        results.push(Err(QueueFault::Refused("too long".into())));
                    } else {
                        results.extend(self.queue.send(vec![message]).await);
                    }
                }
                results
            }
            QueueMood::Silent => std::future::pending().await,
        }
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>, QueueFault> {
        self.queue.receive(request).await
    }

    async fn delete(&self, receipts: Vec<Receipt>) -> Vec<(Receipt, QueueFault)> {
        self.queue.delete(receipts).await
    }

    async fn change_visibility(
        &self,
        receipts: Vec<(Receipt, Duration)>,
    ) -> Vec<(Receipt, QueueFault)> {
        self.queue.change_visibility(receipts).await
    }

    async fn depth(&self) -> Result<Depth, QueueFault> {
        self.queue.depth().await
    }
}

/// The portal's inner door, where contacts answer to the ids of a recording.
struct Renumbered {
    door: InnerDoor,
    ids: Arc<Ids>,
}

#[async_trait]
impl Transport for Renumbered {
    async fn call(&self, mut call: Call) -> Result<Answer, NoAnswer> {
        for (recorded, made) in &*self.ids.0.lock().unwrap() {
            let asked = format!("/contacts/{recorded}?");
            if call.path.contains(&asked) {
                call.path = call.path.replace(&asked, &format!("/contacts/{made}?"));
                // What is asked for now is one of the portal's ids, which may look like another.
                break;
            }
        }
        self.door.call(call).await
    }
}
