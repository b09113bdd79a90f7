//! The three compiled functions as AWS runs them: under a Lambda Runtime API, between a server that
//! speaks SQS and the portal's HTTP door.
//!
//! Real: the programs, their processes, variables and sockets, and time. Played by others: Lambda by
//! AWS's own emulator or by ministack, SQS by ministack, HubSpot by the simulator.

/// Deployed as zip files behind an HTTP API and an event source mapping.
mod deployed;
/// What AWS makes of requests and messages.
mod events;
/// What goes wrong with functions, from its sign to the count after its mend.
mod incidents;
/// Invoked in a Lambda emulator each, with the event source played by hand.
mod invocations;
/// Processes: cold, warm, killed, near their deadline; batches that come twice or fail in part.
mod lives;
/// What is between a function and AWS.
mod road;
/// A token that is kept in the parameter store, and rotated.
mod rotation;
/// The deployed stack, and who looks at it.
mod site;
/// The template, deployed.
mod stack;
/// Starts that can't be made.
mod starts;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as Attribute};
use host::clock::SystemClock;
use serde_json::{Value, json};
use shared::ports::Clock;
use simulator::{LOCAL_TOKEN, Portal};
use simulator_server::http_door;
use tests::binaries::Function;
use tests::emulator::{Emulator, Variables};
use tests::ministack::{Ministack, QueueShape, QueueUrls};
use tokio::net::TcpListener;

pub(crate) use events::{gateway_event, sqs_event};

/// How long a test waits for what must happen within seconds; machines are slow at times.
const PATIENCE: Duration = Duration::from_secs(60);

/// The visibility time-out of the events queue as it is deployed: longer than any test.
const VISIBILITY_S: i32 = 600;

/// What the functions stand between.
pub(crate) struct Bench {
    pub(crate) ministack: Ministack,
    pub(crate) queues: QueueUrls,
    pub(crate) sqs: Client,
    pub(crate) portal: Arc<Portal>,
    portal_url: String,
    clock: Arc<dyn Clock>,
}

impl Bench {
    pub(crate) async fn start() -> Bench {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let (portal, portal_url) = portal_behind_http(&clock).await;
        let ministack = Ministack::start().await.unwrap();
        let shape = QueueShape { delay: Duration::ZERO, max_receive_count: 100 };
        let queues = ministack.create_queues("events", shape).await.unwrap();
        let sqs = sqs::client(&ministack.client_settings());
        Bench { ministack, queues, sqs, portal, portal_url, clock }
    }

    /// What the template sets for this function, and what Lambda adds to it.
    pub(crate) fn variables(&self, function: Function) -> Variables {
        let mut variables = BTreeMap::from([
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("ENABLE_CRM_PROGRESS", "true".to_owned()),
        ]);
        let queue = [
            ("AWS_ENDPOINT_URL_SQS", self.ministack.endpoint()),
            ("QUEUE_URL", self.queues.events.clone()),
        ];
        let hubspot = [
            ("HUBSPOT_BASE_URL", self.portal_url.clone()),
            ("HUBSPOT_PRIVATE_APP_TOKEN", LOCAL_TOKEN.to_owned()),
        ];
        let worker = [("DLQ_URL", self.queues.dead_letters.clone()), ("CATALOG_PATH", catalog())];
        match function {
            Function::Ingest => variables.extend(queue),
            Function::Worker => variables.extend(queue.into_iter().chain(hubspot).chain(worker)),
            Function::Reader => variables.extend(hubspot),
        }
        variables
    }

    /// This function in an emulator.
    async fn emulated(&self, function: Function) -> Emulator {
        let program = function.program().await.unwrap();
        Emulator::start(program, &self.variables(function)).await.unwrap()
    }

    /// Takes so many messages, as the event source does.
    pub(crate) async fn receive(&self, messages_max: i32) -> Vec<Message> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(&self.queues.events)
            .max_number_of_messages(messages_max)
            .visibility_timeout(VISIBILITY_S)
            .message_system_attribute_names(Attribute::All)
            .message_attribute_names("All")
            .send();
        received.await.unwrap().messages.unwrap_or_default()
    }

    /// Gives the worker these messages; does with its answer what the event source does, and gives
    /// the ids that failed.
    pub(crate) async fn hand_over(&self, worker: &Emulator, messages: &[Message]) -> Vec<String> {
        let answer = worker.invoke(&sqs_event(messages)).await.unwrap();
        let failed = answer["batchItemFailures"].as_array().expect("a list of failures");
        let id = |failure: &Value| failure["itemIdentifier"].as_str().unwrap().to_owned();
        let failed: Vec<String> = failed.iter().map(id).collect();
        for message in messages {
            if !failed.iter().any(|id| id == message.message_id().unwrap()) {
                let delete = self.sqs.delete_message().queue_url(&self.queues.events);
                delete.receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
            }
        }
        failed
    }

    /// How many messages the events queue has, in hand or not.
    async fn left(&self) -> (u32, u32) {
        use aws_sdk_sqs::types::QueueAttributeName::{
            ApproximateNumberOfMessages as Visible, ApproximateNumberOfMessagesNotVisible as InHand,
        };
        let asked = self.sqs.get_queue_attributes().queue_url(&self.queues.events);
        let answer = asked.attribute_names(Visible).attribute_names(InHand).send().await.unwrap();
        let counted = answer.attributes().unwrap();
        (counted[&Visible].parse().unwrap(), counted[&InHand].parse().unwrap())
    }

    /// A contact's properties.
    fn held(&self, email: &str) -> Option<BTreeMap<String, String>> {
        Some(self.portal.contact_by_email(email)?.properties)
    }

    /// Waits until there is such a thing.
    async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        until(&*self.clock, what, look).await
    }
}

/// The simulated HubSpot with its properties, served until the test's runtime ends; and its URL.
async fn portal_behind_http(clock: &Arc<dyn Clock>) -> (Arc<Portal>, String) {
    let portal = Arc::new(Portal::in_memory(7));
    portal.define_milepost_properties();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let forever = std::future::pending();
    tokio::spawn(http_door::serve(listener, portal.clone(), clock.clone(), forever));
    (portal, url)
}

/// Waits until there is such a thing.
async fn until<T>(clock: &dyn Clock, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let begun_at = clock.uptime();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(clock.uptime() - begun_at < PATIENCE, "there is still no {what}");
        clock.sleep(Duration::from_millis(50)).await;
    }
}

/// Posts a body to ingest; gives the answer's body.
pub(crate) async fn track(ingest: &Emulator, body: &Value) -> Value {
    let mut event = gateway_event("POST", "/events/track", "");
    event["body"] = body.to_string().into();
    answered(ingest, &event).await
}

/// The body of an answer with status 200.
async fn answered(function: &Emulator, event: &Value) -> Value {
    let answer = function.invoke(event).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(answer["headers"]["access-control-allow-origin"], "https://hedgehog.cloud");
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

/// The repository's own catalog.
fn catalog() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog");
    folder.canonicalize().unwrap().display().to_string()
}

/// Somebody starts or completes a module of the repository's own catalog.
pub(crate) fn module_event(what: &str, email: &str, module: &str) -> Value {
    json!({
        "eventName": format!("learning_module_{what}"),
        "contactIdentifier": { "email": email },
        "payload": {
            "pathway_slug": "hedgehog-fundamentals",
            "course_slug": "getting-started-101",
            "module_slug": module,
            "ts": "2026-01-18T17:30:00.000Z",
        },
    })
}
