//! What the SQS adapter makes of answers other than success, over a real socket.
//!
//! ministack does not fail on demand, so the server here answers each call with what the test
//! says: a status, and a body of the JSON protocol.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use shared::ports::{Outgoing, Queue, QueueFault, Receipt, ReceiveRequest};
use sqs::SqsQueue;
use sqs::client::{ClientSettings, Identity, Timeouts, Trust};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn a_code_decides_between_asking_again_and_giving_up() {
    let check = async |status: u16, code: &str, is_refused: bool| {
        let (queue, _) = answering(vec![error(status, code); 3]).await;
        let fault = queue.depth().await.expect_err(code);
        assert_eq!(matches!(fault, QueueFault::Refused(_)), is_refused, "{code}: {fault}");
        assert!(fault.to_string().contains(code), "the code is named: {fault}");
        assert!(!fault.to_string().contains("private"), "the message is not: {fault}");
    };
    tokio::join!(
        check(400, "QueueDoesNotExist", true),
        check(403, "AccessDeniedException", true),
        check(400, "InvalidParameterValue", true),
        check(400, "RequestThrottled", false),
        check(500, "InternalFailure", false),
        check(503, "ServiceUnavailable", false),
    );
}

#[tokio::test]
async fn no_connection_is_no_refusal() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let fault = queue_at(endpoint).depth().await.expect_err("nobody listens");
    assert!(matches!(fault, QueueFault::Unavailable(_)), "{fault}");
}

#[tokio::test]
async fn a_failed_entry_of_a_sent_batch_is_its_own() {
    let failed = json!([
        {"Id": "1", "Code": "InvalidMessageContents", "SenderFault": true, "Message": "private"},
        {"Id": "2", "Code": "InternalError", "SenderFault": false},
    ]);
    let (queue, _) =
        answering(vec![(200, json!({"Successful": [sent("0")], "Failed": failed}))]).await;
    let results = queue.send(["a", "b", "c", "d"].map(message).to_vec()).await;
    let texts = results.into_iter().map(|result| result.map_err(|fault| fault.to_string()));
    let expected = [
        Ok(()),
        Err("the queue refused: InvalidMessageContents"),
        Err("the queue did not answer: InternalError"),
        Err("the queue did not answer: the answer leaves the entry out"),
    ];
    assert!(texts.eq(expected.map(|result| result.map_err(str::to_owned))));
}

#[tokio::test]
async fn a_call_refused_for_one_entry_is_repeated_entry_by_entry() {
    let one = (200, json!({"Successful": [sent("0")], "Failed": []}));
    let refusal = error(400, "InvalidMessageContents");
    let answers = vec![refusal.clone(), one.clone(), refusal, one];
    let (queue, calls) = answering(answers).await;
    let results = queue.send(["a", "b", "c"].map(message).to_vec()).await;
    let arrived: Vec<_> = results.iter().map(Result::is_ok).collect();
    assert_eq!(arrived, [true, false, true]);
    let bodies: Vec<_> = calls.all().iter().map(|call| call["Entries"].clone()).collect();
    assert_eq!(bodies.iter().map(|entries| entries.as_array().map(Vec::len)).max(), Some(Some(3)));
    assert_eq!(bodies[3][0]["MessageBody"], "c");
}

#[tokio::test]
async fn a_call_refused_as_a_whole_is_not_repeated() {
    let (queue, calls) = answering(vec![error(403, "AccessDeniedException"); 5]).await;
    let results = queue.send(["a", "b", "c"].map(message).to_vec()).await;
    assert!(results.iter().all(|result| matches!(result, Err(QueueFault::Refused(_)))));
    assert_eq!(calls.all().len(), 1);
}

#[tokio::test]
async fn a_delete_answered_with_200_can_have_failed() {
    let failed = json!([
        {"Id": "1", "Code": "ReceiptHandleIsInvalid", "SenderFault": true},
        {"Id": "2", "Code": "InternalError", "SenderFault": false},
        {"Id": "3", "Code": "InvalidParameterValue", "SenderFault": true},
    ]);
    let (queue, _) =
        answering(vec![(200, json!({"Successful": [{"Id": "0"}], "Failed": failed}))]).await;
    let back = queue.delete(["a", "b", "c", "d", "e"].map(Receipt::new).into()).await;
    let back: Vec<_> = back
        .iter()
        .map(|(receipt, fault)| (receipt.handle(), *fault == QueueFault::Stale))
        .collect();
    assert_eq!(back, [("b", true), ("c", false), ("d", true), ("e", false)]);
}

#[tokio::test]
async fn a_receive_carries_its_attempt_id_and_takes_only_what_can_be_settled() {
    let whole = json!({"MessageId": "m", "ReceiptHandle": "r", "Body": "{}", "Attributes": {
        "MessageGroupId": "g", "MessageDeduplicationId": "d",
        "ApproximateReceiveCount": "2", "SentTimestamp": "1790000000000"}});
    let mut bare = whole.clone();
    bare["ReceiptHandle"] = json!("");
    let (queue, calls) = answering(vec![(200, json!({"Messages": [bare, whole]}))]).await;
    let request = ReceiveRequest {
        messages_max: 10,
        visibility: Duration::from_millis(29_001),
        wait: Duration::ZERO,
        attempt_id: "attempt-1".to_owned(),
    };
    let held = queue.receive(request).await.expect("an answer");
    assert_eq!(held.len(), 1);
    assert_eq!((held[0].group.as_str(), held[0].receive_count), ("g", 2));
    let call = &calls.all()[0];
    assert_eq!(call["ReceiveRequestAttemptId"], "attempt-1");
    assert_eq!(call["VisibilityTimeout"], 30, "no lock ends early");
}

type Answer = (u16, Value);

/// What was asked, in order.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<Value>>>);

impl Calls {
    fn all(&self) -> Vec<Value> {
        self.0.lock().expect("no panic").clone()
    }
}

/// A queue whose server gives these answers, one for each call, in order.
async fn answering(answers: Vec<Answer>) -> (SqsQueue, Calls) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let answers = Arc::new(Mutex::new(answers.into_iter()));
    let calls = Calls::default();
    let noted = calls.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answers.clone(), noted.clone()));
        }
    });
    (queue_at(endpoint), calls)
}

/// Serves one connection until the client closes it.
async fn serve(
    stream: TcpStream,
    answers: Arc<Mutex<std::vec::IntoIter<Answer>>>,
    calls: Calls,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        calls.0.lock().expect("no panic").push(serde_json::from_slice(&body)?);
        let answer = answers.lock().expect("no panic").next();
        let (status, body) = answer.unwrap_or_else(|| error(500, "NoAnswerLeft"));
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.0\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
    }
}

fn queue_at(endpoint: String) -> SqsQueue {
    let settings = ClientSettings {
        identity: Identity {
            region: "us-east-1".to_owned(),
            access_key_id: "test".to_owned(),
            secret_access_key: "test".to_owned(),
            session_token: None,
        },
        endpoint: Some(endpoint.clone()),
        timeouts: Timeouts::default(),
        trust: Trust::Public,
    };
    SqsQueue::new(&settings, &format!("{endpoint}/000000000000/events.fifo"))
}

fn error(status: u16, code: &str) -> Answer {
    (status, json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": "private"}))
}

fn sent(id: &str) -> Value {
    json!({"Id": id, "MessageId": "m", "MD5OfMessageBody": "x", "SequenceNumber": "1"})
}

fn message(name: &str) -> Outgoing {
    Outgoing {
        body: name.to_owned(),
        group: name.to_owned(),
        deduplication_id: name.to_owned(),
        attributes: BTreeMap::new(),
    }
}
