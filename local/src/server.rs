//! The front door of the local stack: HTTP requests as API Gateway would hand them to the
//! functions, the console at `/`, and the demo under `/demo`.
//!
//! **Invariant**: no body is read further than the longest that could be valid, and a request that
//! came whole is worked through, whoever still waits for the answer.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use ingest::Ingest;
use reader::Reader;
use shared::http::{Request, Route};
use shared::query;
use shared::submission::BATCH_BYTES_MAX;
use tokio::net::TcpListener;

use crate::demo::{self, Demo};
use console::{Console, access};

/// What stands behind the door.
pub struct Doors {
    /// Takes events.
    pub ingest: Ingest,
    /// Answers reads.
    pub reader: Reader,
    /// The page at `/`, and what is under `/console`.
    pub console: Console,
    /// What is under `/demo`; `None` beside the real HubSpot.
    pub demo: Option<Demo>,
}

/// Serves until `stop` ends, then lets the requests in hand finish.
pub async fn serve(mut listener: TcpListener, doors: Arc<Doors>, stop: impl Future<Output = ()>) {
    let mut http = http1::Builder::new();
    // Otherwise a page that posts and is gone takes along an event that the queue is still asked for.
    http.half_close(true);
    let open = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let stream = tokio::select! {
            (stream, _) = Listener::accept(&mut listener) => stream,
            () = &mut stop => break,
        };
        let doors = Arc::clone(&doors);
        let service = service_fn(move |request| {
            let doors = Arc::clone(&doors);
            async move { Ok::<_, Infallible>(answer(&doors, request).await) }
        });
        let connection = open.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // How a connection breaks is its client's affair.
            let _broken = connection.await;
        });
    }
    drop(listener);
    open.shutdown().await;
}

async fn answer(doors: &Doors, request: hyper::Request<Incoming>) -> Response {
    let (asked, body) = request.into_parts();
    let path = asked.uri.path();
    if doors.console.owns(&asked.method, path) {
        let (method, uri, headers) = (&asked.method, &asked.uri, &asked.headers);
        return doors.console.answer(method, uri, headers, Body::new(body)).await;
    }
    let query = query::parameters(asked.uri.query().unwrap_or_default());
    if let Some(demo) = &doors.demo
        && asked.method == Method::GET
        && let Some(served) = demo.serve(path, &query)
    {
        let policy = demo::CONTENT_SECURITY_POLICY;
        return page(&asked.headers, policy, served.content_type, served.body);
    }
    let request = Request {
        method: asked.method.as_str().to_owned(),
        path: path.to_owned(),
        query,
        headers: asked
            .headers
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect(),
        body: read_up_to_limit(body).await,
        id: None,
    };
    let response = match request.route() {
        Ok(Route::ProgressRead | Route::ProgressAggregate | Route::EnrollmentsList) => {
            doors.reader.answer(request).await
        }
        _ => doors.ingest.answer(request).await,
    };
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = Response::new(Body::from(response.body));
    *answer.status_mut() = status;
    for (name, value) in response.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// The body, or so much of it that it is certainly refused as too long.
async fn read_up_to_limit(mut body: Incoming) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() <= BATCH_BYTES_MAX {
        match body.frame().await {
            Some(Ok(frame)) => bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            // A body that breaks off is no JSON any more, and is refused as such.
            Some(Err(_)) | None => break,
        }
    }
    bytes
}

/// A page shows people's addresses, so another site's name that leads to this machine must not show
/// it in that site's name: only a loopback or literal address is answered.
fn page(headers: &HeaderMap, policy: &str, content_type: &str, body: String) -> Response {
    if !access::is_literal_host(headers) {
        return (StatusCode::FORBIDDEN, "open this page by its address, not by a name")
            .into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    (headers, body).into_response()
}
