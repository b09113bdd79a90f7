//! The HTTP door: the portal behind a listening socket, with the admin API beside it.
//!
//! It does what the reply's delivery says, on the clock it is given. A cut is a real one: the
//! socket is closed and no byte of an answer was written. Where the in-process door can refuse a
//! connection, this one cuts it: somebody listens here.
//!
//! **Invariant**: after `shutdown` nothing is waited for: slow answers go out at once.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use axum::serve::{IncomingStream, Listener};
use chrono::TimeDelta;
use http::{HeaderValue, StatusCode, header};
use shared::ports::Clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::admin;
use simulator::Portal;
use simulator::exchange::{Ending, PortalRequest, Reply};

/// The longest body that is read: a batch of 100 contacts with a state of 64 KiB each is 6.5 MB.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Serves a portal on a bound listener until `shutdown` is done.
///
/// # Errors
/// When the socket fails.
pub async fn serve(
    listener: TcpListener,
    portal: Arc<Portal>,
    clock: Arc<dyn Clock>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (stop, stopping) = watch::channel(false);
    let door = Door { portal, clock, stopping };
    let router = Router::new().nest("/_portal", admin::routes()).fallback(answer).with_state(door);
    let shutdown = async move {
        shutdown.await;
        stop.send_replace(true);
    };
    axum::serve(Lines { listener }, router.into_make_service_with_connect_info::<Line>())
        .with_graceful_shutdown(shutdown)
        .await
}

/// What every request is served with.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) portal: Arc<Portal>,
    pub(crate) clock: Arc<dyn Clock>,
    stopping: watch::Receiver<bool>,
}

/// One connection, as its requests see it.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) peer: SocketAddr,
    cut: Arc<AtomicBool>,
}

async fn answer(
    State(mut door): State<Door>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let token = head
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let incoming = PortalRequest {
        method: head.method,
        path: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        token: token.map(str::to_owned),
        body,
    };
    let Some(reply) = handle(&door, incoming).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    land_later(&door, &reply);
    if !reply.delivery.wait.is_zero() {
        door.wait(reply.delivery.wait).await;
    }
    match reply.delivery.ending {
        Ending::Answer => {
            let mut response = Response::new(Body::from(reply.body));
            *response.status_mut() =
                StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            *response.headers_mut() = reply.headers;
            response.headers_mut().extend(date(&door).map(|date| (header::DATE, date)));
            response
        }
        Ending::Refused | Ending::Cut => {
            // The line breaks at the first byte of this.
            line.cut.store(true, Ordering::Relaxed);
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

/// The portal's own time of day.
fn date(door: &Door) -> Option<HeaderValue> {
    let skew = TimeDelta::milliseconds(door.portal.settings().clock_skew_ms);
    let date = (door.clock.now() + skew).format("%a, %d %b %Y %H:%M:%S GMT");
    HeaderValue::try_from(date.to_string()).ok()
}

/// The engine's reply, which may take the disk's time.
async fn handle(door: &Door, incoming: PortalRequest) -> Option<Reply> {
    let (portal, now) = (Arc::clone(&door.portal), door.clock.now());
    tokio::task::spawn_blocking(move || portal.handle(now, &incoming)).await.ok()
}

/// Sees to it that a late landing lands when nobody calls meanwhile.
fn land_later(door: &Door, reply: &Reply) {
    let Some(lands_at) = reply.delivery.lands_at else { return };
    let mut door = door.clone();
    let wait = (lands_at - door.clock.now()).to_std().unwrap_or_default();
    tokio::spawn(async move {
        door.wait(wait).await;
        door.portal.settle(door.clock.now());
    });
}

impl Door {
    /// Waits, unless the door is closing.
    async fn wait(&mut self, wait: std::time::Duration) {
        tokio::select! {
            () = self.clock.sleep(wait) => {}
            _ = self.stopping.wait_for(|stopping| *stopping) => {}
        }
    }
}

/// A listener whose connections can be cut.
struct Lines {
    listener: TcpListener,
}

impl Listener for Lines {
    type Io = CuttableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        (CuttableStream { stream, cut: Arc::default() }, peer)
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        Self { peer: *stream.remote_addr(), cut: Arc::clone(&stream.io().cut) }
    }
}

/// A stream that fails to write once it is cut, so that its server drops it.
struct CuttableStream {
    stream: TcpStream,
    cut: Arc<AtomicBool>,
}

impl CuttableStream {
    fn check(&self) -> std::io::Result<()> {
        if self.cut.load(Ordering::Relaxed) {
            return Err(std::io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for CuttableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
