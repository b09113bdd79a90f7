//! The front door of the local stack: HTTP requests as API Gateway would hand them to the
//! functions, the console at `/`, and the demo under `/demo`.
//!
//! **Invariant**: no body is read further than the longest that could be valid.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use ingest::Ingest;
use reader::Reader;
use shared::http::{Request, Route};
use shared::submission::BATCH_BYTES_MAX;
use tokio::net::TcpListener;

use crate::console::{Console, access};
use crate::demo::{self, Demo};

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
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    doors: Arc<Doors>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = Router::new().fallback(answer).with_state(doors);
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

async fn answer(
    State(doors): State<Arc<Doors>>,
    method: Method,
    uri: Uri,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if doors.console.owns(&method, uri.path()) {
        return doors.console.answer(&method, &uri, &headers, body).await;
    }
    if let Some(demo) = &doors.demo
        && method == Method::GET
        && let Some(served) = demo.serve(uri.path(), &query)
    {
        return page(&headers, demo::CONTENT_SECURITY_POLICY, served.content_type, served.body);
    }
    let request = Request {
        method: method.as_str().to_owned(),
        path: uri.path().to_owned(),
        query: query.into_iter().collect(),
        headers: headers
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
    let mut answer = (status, response.body).into_response();
    answer.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in response.headers {
        if let Ok(value) = value.parse() {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// The body, or so much of it that it is certainly refused as too long.
async fn read_up_to_limit(mut body: Body) -> Vec<u8> {
    use http_body_util::BodyExt as _;
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
