//! AWS on loopback, a clock that waiting turns, and chance that is given.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, TimeDelta, Utc};
use shared::ports::{Clock, Entropy};
use signed::{Call, Client, Identity, Limits, Service, Trust};
use tokio::net::TcpListener;

/// Ample for an answer on loopback.
pub(crate) const LIMITS: Limits = Limits {
    connect: Duration::from_secs(5),
    attempt: Duration::from_secs(5),
    total: Duration::from_secs(10),
};

/// How the server answers a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// With this status, `Date` and body.
    Says(u16, Option<&'static str>, String),
    /// Not at all.
    Never,
}

/// A reply without a `Date`.
pub(crate) fn says(status: u16, body: impl ToString) -> Reply {
    Reply::Says(status, None, body.to_string())
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// A server that plays AWS: it gives its replies in turn, and the last one again and again.
#[derive(Debug, Clone)]
pub(crate) struct Aws {
    pub(crate) endpoint: String,
    seen: Arc<Mutex<Vec<Asked>>>,
}

impl Aws {
    pub(crate) async fn replying(replies: impl Into<Vec<Reply>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let aws = Self { endpoint, seen: Arc::default() };
        let state = (aws.seen.clone(), Arc::new(replies.into()));
        let router = Router::new().fallback(answer).with_state(state);
        tokio::spawn(async move { axum::serve(listener, router).await });
        aws
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().clone()
    }

    /// A call of this server.
    pub(crate) fn call(&self) -> Call {
        Call {
            service: Service::Lambda,
            endpoint: self.endpoint.clone(),
            path: "/2015-03-31/functions/worker/configuration".to_owned(),
            posted: None,
        }
    }
}

type Seen = (Arc<Mutex<Vec<Asked>>>, Arc<Vec<Reply>>);

async fn answer(State((seen, replies)): State<Seen>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let asked = Asked { headers: head.headers, body: String::from_utf8(body.into()).unwrap() };
    let nth = {
        let mut seen = seen.lock().unwrap();
        seen.push(asked);
        seen.len() - 1
    };
    match &replies[nth.min(replies.len() - 1)] {
        Reply::Never => std::future::pending().await,
        Reply::Says(status, date, body) => {
            let mut answer = (StatusCode::from_u16(*status).unwrap(), body.clone()).into_response();
            if let Some(date) = date {
                answer.headers_mut().insert("date", date.parse().unwrap());
            }
            answer
        }
    }
}

/// A clock that stands until somebody sleeps, and keeps each wait.
#[derive(Debug, Default)]
pub(crate) struct Turned {
    waits: Mutex<Vec<Duration>>,
}

impl Turned {
    pub(crate) fn waits(&self) -> Vec<Duration> {
        self.waits.lock().unwrap().clone()
    }
}

#[async_trait]
impl Clock for Turned {
    fn now(&self) -> DateTime<Utc> {
        let start: DateTime<Utc> = "2026-11-24T20:00:00Z".parse().unwrap();
        start + TimeDelta::from_std(self.uptime()).unwrap()
    }

    fn uptime(&self) -> Duration {
        self.waits.lock().unwrap().iter().sum()
    }

    async fn sleep(&self, wait: Duration) {
        self.waits.lock().unwrap().push(wait);
    }
}

/// Always the same number.
pub(crate) struct Always(pub(crate) u64);

impl Entropy for Always {
    fn next_u64(&self) -> u64 {
        self.0
    }
}

/// A client with these limits and this chance, and the clock that it waits on.
pub(crate) fn client(limits: Limits, chance: u64) -> (Client, Arc<Turned>) {
    let clock = Arc::new(Turned::default());
    let identity = Identity {
        region: "eu-central-1".to_owned(),
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: "secret-of-the-test".to_owned(),
        session_token: Some("session-of-the-test".to_owned()),
    };
    let entropy = Arc::new(Always(chance));
    let client = Client::new(identity, Trust::Public, limits, clock.clone(), entropy).unwrap();
    (client, clock)
}
