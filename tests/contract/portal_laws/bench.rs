//! One portal, its clock, and the two doors to it.
//!
//! **Invariant**: a law never learns which door it is run over.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};
use hubspot::transport::{Answer, Dial, NoAnswer, Request, Transport};
use serde_json::{Value, json};
use shared::ports::Clock;
use simulation::clock::VirtualClock;
use simulator::inner_door::InnerDoor;
use simulator::{LOCAL_TOKEN, Portal};
use simulator_server::http_door;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub(super) const V3: &str = "/crm/v3/objects/contacts";
pub(super) const DATED: &str = "/crm/objects/2026-09/contacts";
pub(super) const PROPERTIES: &str = "/crm/v3/properties/contacts";

/// A portal with Milepost's properties, and one way to call it.
pub(super) struct Bench {
    pub(super) portal: Arc<Portal>,
    pub(super) clock: VirtualClock,
    pub(super) door: Arc<dyn Transport>,
    pub(super) token: String,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    /// The body as JSON; null when it is none.
    pub(super) json: Value,
}

/// Runs a law over the in-process door, then over the HTTP door, each with a fresh portal.
pub(super) async fn over_both_doors(law: impl AsyncFn(Bench)) {
    let (portal, clock) = (fresh_portal(), VirtualClock::default());
    let door = Arc::new(InnerDoor::new(Arc::clone(&portal), Arc::new(clock.clone())));
    law(Bench { portal, clock, door, token: LOCAL_TOKEN.into() }).await;

    let (portal, clock) = (fresh_portal(), VirtualClock::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(http_door::serve(
        listener,
        Arc::clone(&portal),
        Arc::new(clock.clone()),
        async move {
            // A law that fails drops the sender, which stops the door as well.
            let _ = stopped.await;
        },
    ));
    let door = Arc::new(Dial::new(&format!("http://{address}")).expect("a client"));
    law(Bench { portal, clock, door, token: LOCAL_TOKEN.into() }).await;
    stop.send(()).expect("the door is still open");
    served.await.expect("the door does not panic").expect("the door closes in order");
}

fn fresh_portal() -> Arc<Portal> {
    let portal = Portal::in_memory(7);
    portal.define_milepost_properties();
    Arc::new(portal)
}

impl Bench {
    pub(super) async fn get(&self, path: &str) -> Got {
        self.call(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Got {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(super) async fn patch(&self, path: &str, body: Value) -> Got {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Got {
        self.call(Method::DELETE, path, None).await
    }

    pub(super) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Got {
        self.try_call(method, path, body).await.expect("an answer")
    }

    /// One call on a clock that stands still.
    pub(super) async fn try_call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Got, NoAnswer> {
        self.door.call(self.request(method, path, body)).await.map(Got::from)
    }

    /// One call, with the clock turned for whoever waits on it.
    pub(super) async fn call_while_time_passes(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Got, NoAnswer> {
        let mut call = pin!(self.door.call(self.request(method, path, body)));
        loop {
            tokio::select! {
                biased;
                answer = &mut call => return answer.map(Got::from),
                () = tokio::task::yield_now() => {
                    if let Some(wait) = self.clock.next_wake() {
                        self.clock.advance(wait);
                    }
                }
            }
        }
    }

    fn request(&self, method: Method, path: &str, body: Option<Value>) -> Request {
        Request {
            method,
            path: path.into(),
            token: self.token.clone(),
            body: body.map(|body| body.to_string().into()),
            timeout: Duration::from_secs(120),
        }
    }

    pub(super) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.portal.settle(self.clock.now());
    }

    /// Creates a contact and tells its id.
    pub(super) async fn create(&self, email: &str) -> String {
        let got = self.post(V3, json!({"properties": {"email": email}})).await;
        assert_eq!(got.status, 201, "{}", got.text);
        got.json["id"].as_str().expect("an id").to_owned()
    }

    /// A property of a contact, as a read shows it.
    pub(super) async fn value(&self, id: &str, property: &str) -> Value {
        let got = self.get(&format!("{V3}/{id}?properties={property}")).await;
        assert_eq!(got.status, 200, "{}", got.text);
        got.json["properties"][property].clone()
    }
}

impl From<Answer> for Got {
    fn from(answer: Answer) -> Self {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status: answer.status, headers: answer.headers, text, json }
    }
}

impl Got {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap_or_default())
    }

    pub(super) fn category(&self) -> &str {
        self.json["category"].as_str().unwrap_or_default()
    }

    /// The code of the first entry in `errors`.
    pub(super) fn code(&self) -> &str {
        self.json["errors"][0]["code"].as_str().unwrap_or_default()
    }

    /// The ids in `results`, in their order.
    pub(super) fn ids(&self) -> Vec<&str> {
        let results = self.json["results"].as_array().map_or(&[][..], Vec::as_slice);
        results.iter().filter_map(|record| record["id"].as_str()).collect()
    }
}
