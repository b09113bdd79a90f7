//! The other side of an HTTP/1.1 connection, with next to no cost of its own, for benches that
//! measure who calls it.
//!
//! In: a listener and what to answer. Each request is read whole, answered, and its connection kept
//! open. Bodies come with their length, as the clients measured here send them; whatever else comes
//! ends the connection.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A request, as far as the stubs look at it.
#[derive(Debug, Default)]
pub struct Request {
    /// `POST /path`.
    pub line: String,
    /// The rest of the head, as it came.
    pub headers: String,
    /// The body.
    pub body: Vec<u8>,
}

/// The answer to a request.
#[derive(Debug, Default)]
pub struct Answer {
    /// `200`.
    pub status: u16,
    /// Whole lines.
    pub headers: String,
    /// The body.
    pub body: Vec<u8>,
}

/// Answers until it is dropped. Where there is no answer, the connection ends.
pub async fn serve<F, A>(listener: TcpListener, answer: F)
where
    F: Fn(Request) -> A + Send + Sync + 'static,
    A: Future<Output = Option<Answer>> + Send,
{
    let answer = Arc::new(answer);
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let answer = Arc::clone(&answer);
        // A client whose connection ends sees that for itself.
        connections.spawn(async move { serve_one(stream, &*answer).await });
    }
}

async fn serve_one<F, A>(mut stream: TcpStream, answer: &F) -> io::Result<()>
where
    F: Fn(Request) -> A,
    A: Future<Output = Option<Answer>>,
{
    stream.set_nodelay(true)?;
    let mut read = Vec::with_capacity(4_096);
    while let Some(request) = next(&mut stream, &mut read).await? {
        let Some(Answer { status, headers, body }) = answer(request).await else { break };
        let length = body.len();
        let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {length}\r\n{headers}\r\n");
        stream.write_all(&[head.as_bytes(), &body].concat()).await?;
    }
    Ok(())
}

/// The next request of a connection; none when the client has ended it.
async fn next(stream: &mut TcpStream, read: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let head_end = loop {
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(read).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&read[..head_end]).into_owned();
    let (line, headers) = head.split_once("\r\n").unwrap_or((&head, ""));
    let length = header(headers, "content-length").unwrap_or("0");
    let length: usize = length.parse().map_err(io::Error::other)?;
    let body_start = head_end + 4;
    while read.len() < body_start + length {
        if stream.read_buf(read).await? == 0 {
            return Ok(None);
        }
    }
    let rest = read.split_off(body_start + length);
    let body = read.split_off(body_start);
    *read = rest;
    let line = line.trim_end_matches(" HTTP/1.1").to_owned();
    Ok(Some(Request { line, headers: headers.to_owned(), body }))
}

/// A header's value.
pub fn header<'a>(headers: &'a str, name: &str) -> Option<&'a str> {
    headers.split("\r\n").find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}
