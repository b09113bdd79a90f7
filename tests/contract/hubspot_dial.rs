//! The production transport over real sockets: what may have been applied is never *not sent*.

#![expect(clippy::unwrap_used, reason = "what goes wrong in a test's own helpers fails the test")]

use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use hubspot::transport::{Answer, Dial, NoAnswer, Request, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What the other side does with the one connection that it takes.
enum Peer {
    Answers(&'static str),
    Hangs,
    HangsUp,
    HangsUpWithinItsAnswer,
}

async fn call(peer: Peer, timeout: Duration) -> (Result<Answer, NoAnswer>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let other_side = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut heard = String::new();
        while !heard.ends_with("{}") {
            let mut bytes = [0; 1024];
            let count = socket.read(&mut bytes).await.unwrap();
            heard.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
        match peer {
            Peer::Answers(answer) => socket.write_all(answer.as_bytes()).await.unwrap(),
            Peer::Hangs => {
                // Ends when the caller gives up.
                let _closed = socket.read(&mut [0; 1]).await;
            }
            Peer::HangsUp => {}
            Peer::HangsUpWithinItsAnswer => {
                let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{";
                socket.write_all(begun).await.unwrap();
            }
        }
        heard
    });
    let answer = dial(address, timeout).await;
    (answer, other_side.await.unwrap())
}

async fn dial(address: SocketAddr, timeout: Duration) -> Result<Answer, NoAnswer> {
    let request = Request {
        method: Method::POST,
        path: "/crm/objects/2026-09/contacts/batch/create".to_owned(),
        token: "pat-na1-secret".to_owned(),
        body: Some("{}".into()),
        timeout,
    };
    Dial::new(&format!("http://{address}/")).unwrap().call(request).await
}

const AMPLE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn an_answer_of_any_status_is_an_answer() {
    let answer = "HTTP/1.1 429 Too Many\r\nRetry-After: 3\r\ncontent-length: 2\r\n\r\n{}";
    let (answer, heard) = call(Peer::Answers(answer), AMPLE).await;
    let answer = answer.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (429, &b"{}"[..]));
    assert_eq!(answer.headers["retry-after"], "3");
    assert!(heard.starts_with("POST /crm/objects/2026-09/contacts/batch/create HTTP/1.1\r\n"));
    assert!(heard.contains("authorization: Bearer pat-na1-secret\r\n"), "{heard}");
    assert!(heard.contains("content-type: application/json\r\n"), "{heard}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let answer = "HTTP/1.1 301 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let (answer, _) = call(Peer::Answers(answer), AMPLE).await;
    assert_eq!(answer.unwrap().status, 301);
}

#[tokio::test]
async fn what_left_and_was_not_answered_is_unknown() {
    for (peer, timeout) in [
        (Peer::HangsUp, AMPLE),
        (Peer::HangsUpWithinItsAnswer, AMPLE),
        (Peer::Hangs, Duration::from_millis(200)),
    ] {
        let (answer, _) = call(peer, timeout).await;
        let no_answer = answer.unwrap_err();
        assert!(matches!(no_answer, NoAnswer::Unknown(_)), "{no_answer:?}");
        let text = no_answer.to_string();
        assert!(!text.contains("pat-na1") && !text.contains("contacts"), "{text}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let no_answer = dial(address, AMPLE).await.unwrap_err();
    assert!(matches!(no_answer, NoAnswer::NotSent(_)), "{no_answer:?}");
}
