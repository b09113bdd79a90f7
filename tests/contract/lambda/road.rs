//! The road between a function and AWS, which can be cut in two ways.
//!
//! A relay of bytes, so what goes over it is what the function's own client sends.
//!
//! **Invariant**: a connection that has lost something carries nothing any more.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What becomes of what is sent over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Traffic {
    /// It arrives.
    Flows,
    /// Requests are lost: nobody has heard of them.
    LosesRequests,
    /// Answers are lost: what was asked for is done.
    LosesAnswers,
}

/// The road. It ends with the test's runtime.
pub(super) struct Road {
    /// `http://127.0.0.1:PORT`, where it begins.
    pub(super) url: String,
    traffic: Arc<Mutex<Traffic>>,
}

impl Road {
    /// A road to this URL, on which traffic flows.
    pub(super) async fn to(url: &str) -> Road {
        let end = url.strip_prefix("http://").expect("plain HTTP").to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let traffic = Arc::new(Mutex::new(Traffic::Flows));
        let of_road = traffic.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, end.clone(), of_road.clone()));
            }
        });
        Road { url, traffic }
    }

    /// From now on.
    pub(super) fn set(&self, traffic: Traffic) {
        *self.traffic.lock().unwrap_or_else(PoisonError::into_inner) = traffic;
    }
}

async fn carry(near: TcpStream, end: String, traffic: Arc<Mutex<Traffic>>) -> io::Result<()> {
    let (near_reads, near_writes) = near.into_split();
    let (far_reads, far_writes) = TcpStream::connect(end).await?.into_split();
    let loses = |lost: Traffic| {
        let traffic = traffic.clone();
        move || *traffic.lock().unwrap_or_else(PoisonError::into_inner) == lost
    };
    tokio::select! {
        ended = pass(near_reads, far_writes, loses(Traffic::LosesRequests)) => ended,
        ended = pass(far_reads, near_writes, loses(Traffic::LosesAnswers)) => ended,
    }
}

/// Passes on what comes, until something is lost; then reads on to the end, and passes on nothing.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    is_lost: impl Fn() -> bool,
) -> io::Result<()> {
    let mut part = [0; 4_096];
    let mut has_lost = false;
    loop {
        let read = from.read(&mut part).await?;
        if read == 0 {
            return Ok(());
        }
        has_lost |= is_lost();
        if !has_lost {
            to.write_all(&part[..read]).await?;
        }
    }
}
