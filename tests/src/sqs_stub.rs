//! A server that speaks SQS's protocol and answers at once, and knows how long it had each request.
//!
//! It takes `SendMessage` and `SendMessageBatch` and stores nothing; a receive finds nothing. So it
//! is good for measuring who calls it, and for nothing else: the queue's laws are held against
//! ministack.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use shared::ports::Clock;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::http_stub::{self, Answer, Request, header};

/// The server. It ends with this value.
pub struct SqsStub {
    address: SocketAddr,
    had: Arc<Mutex<Duration>>,
    server: JoinHandle<()>,
}

impl SqsStub {
    /// Starts it on a free loopback port.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start(clock: Arc<dyn Clock>) -> std::io::Result<SqsStub> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let had = Arc::new(Mutex::new(Duration::ZERO));
        let sum = Arc::clone(&had);
        let server = tokio::spawn(http_stub::serve(listener, move |request| {
            let read_at = clock.uptime();
            let answer = answer(&request);
            *sum.lock().unwrap_or_else(PoisonError::into_inner) += clock.uptime() - read_at;
            std::future::ready(Some(answer))
        }));
        Ok(SqsStub { address, had, server })
    }

    /// `http://127.0.0.1:40000`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How long it had requests in hand since this was last asked: the queue's own time.
    pub fn take_time(&self) -> Duration {
        std::mem::take(&mut *self.had.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for SqsStub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn answer(request: &Request) -> Answer {
    const ID: &str = "5fea7756-0ea4-451a-a703-a558b933e274";
    // The SDK for Rust does not compare it.
    const MD5: &str = "fafb00f5732ab283681e124bf8747ed1";
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let target = header(&request.headers, "x-amz-target").unwrap_or_default();
    let sent = |id: &Value| json!({ "Id": id, "MessageId": ID, "MD5OfMessageBody": MD5 });
    let (status, body) = match target.trim_start_matches("AmazonSQS.") {
        "SendMessage" => (200, json!({ "MessageId": ID, "MD5OfMessageBody": MD5 })),
        "SendMessageBatch" => {
            let entries = body["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
            let successful: Vec<Value> = entries.iter().map(|entry| sent(&entry["Id"])).collect();
            (200, json!({ "Successful": successful, "Failed": [] }))
        }
        "ReceiveMessage" => (200, json!({ "Messages": [] })),
        _ => (400, json!({ "__type": "com.amazonaws.sqs#UnsupportedOperation" })),
    };
    let headers = "content-type: application/x-amz-json-1.0\r\n".to_owned();
    Answer { status, headers, body: body.to_string().into_bytes() }
}
