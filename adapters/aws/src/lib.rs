//! How programs reach AWS: who calls ([`Identity`]), whose certificates are believed ([`Trust`]), and
//! the HTTP client of the AWS SDK: HTTP/1.1 over rustls with ring.
//!
//! The SDK's own HTTP client reads the system's certificates when it is made, which was nine tenths
//! of a function's start, and brings HTTP/2, which SQS does not speak.
//!
//! **Invariant**: a request that may have reached AWS is never reported as one that did not.

mod identity;

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

pub use identity::{Identity, Missing, endpoint};

/// An idle connection is dropped after this long: a frozen function wakes up with dead ones.
const IDLE_CONNECTION_MAX: Duration = Duration::from_secs(20);

/// Whose certificates are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Those of the public authorities that Mozilla trusts, as of this program's build. They cost a
    /// start nothing. For functions, which speak to AWS itself.
    Public,
    /// Those that the system trusts, or the files that `SSL_CERT_FILE` and `SSL_CERT_DIR` name. For
    /// a person's machine, where a company's proxy may answer with a certificate of its own.
    System,
}

/// A client for the SDK. It opens no connection yet; `connect` bounds how long one may take.
pub fn http_client(trust: Trust, connect: Duration) -> SharedHttpClient {
    SharedHttpClient::new(Http { client: client(trust, connect) })
}

type Client = legacy::Client<HttpsConnector<legacy::connect::HttpConnector>, SdkBody>;

fn client(trust: Trust, connect: Duration) -> Client {
    let mut tcp = legacy::connect::HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect));
    let tls = HttpsConnectorBuilder::new()
        .with_tls_config(tls_config(trust))
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_CONNECTION_MAX)
        .build(tls)
}

#[derive(Debug, Clone)]
struct Http {
    client: Client,
}

impl HttpClient for Http {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
            }
        };
        let connection = capture_connection(&mut request);
        if let Some(asked) = request.extensions().get::<CaptureSmithyConnection>() {
            asked.set_connection_retriever(move || used(&connection));
        }
        let answer = self.client.request(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await.map_err(fault)?;
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// The connection that a request went over, so that the SDK can ask for another one after an answer
/// like 503.
fn used(connection: &CaptureConnection) -> Option<ConnectionMetadata> {
    let is_known = connection.connection_metadata().is_some();
    let connection = connection.clone();
    let poison = move || {
        if let Some(connection) = connection.connection_metadata().as_ref() {
            connection.poison();
        }
    };
    is_known.then(|| ConnectionMetadata::builder().proxied(false).poison_fn(poison).build())
}

/// What became of a request without an answer, as the SDK's retries look at it.
fn fault(error: legacy::Error) -> ConnectorError {
    let cause = source::<io::Error>(&error);
    if error.is_connect() {
        let is_late = cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut);
        let error = error.into();
        let fault =
            if is_late { ConnectorError::timeout(error) } else { ConnectorError::io(error) };
        return fault.never_connected();
    }
    match cause {
        Some(_) => ConnectorError::io(error.into()),
        // The connection ended in the middle of an answer, or before one: it may be made again.
        None => ConnectorError::other(error.into(), Some(ErrorKind::TransientError)),
    }
}

fn source<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let first: Option<&'a (dyn Error + 'static)> = Some(error);
    std::iter::successors(first, |error: &&'a (dyn Error + 'static)| (*error).source())
        .find_map(|error| error.downcast_ref::<E>())
}

fn roots(trust: Trust) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    match trust {
        Trust::Public => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Trust::System => {
            // One that can't be read is not trusted.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    roots
}

/// TLS 1.2 and 1.3 by ring, for a client that speaks HTTP/1.1.
pub fn tls_config(trust: Trust) -> ClientConfig {
    #[expect(clippy::expect_used, reason = "ring has cipher suites for each safe version")]
    let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3");
    versions.with_root_certificates(roots(trust)).with_no_client_auth()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// What becomes of a call to a server that reads a request, says this and hangs up.
    async fn call(said: &'static [u8]) -> Result<HttpResponse, ConnectorError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _request = stream.read(&mut [0; 1_024]).await.unwrap();
            stream.write_all(said).await.unwrap();
        });
        ask(&url).await
    }

    async fn ask(url: &str) -> Result<HttpResponse, ConnectorError> {
        let http = Http { client: client(Trust::Public, Duration::from_secs(5)) };
        let request = http::Request::post(url).body(SdkBody::from("{}")).unwrap();
        http.call(request.try_into().unwrap()).await
    }

    #[tokio::test]
    async fn an_answer_is_given_as_it_came() {
        let answer = call(b"HTTP/1.1 503 -\r\ncontent-length: 4\r\n\r\nbusy").await.unwrap();
        assert_eq!(answer.status().as_u16(), 503);
    }

    #[tokio::test]
    async fn a_connection_that_is_refused_was_none() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let fault = ask(&format!("http://{closed}/")).await.unwrap_err();
        assert!(fault.is_io(), "{fault:?}");
        assert!(format!("{fault:?}").contains("NeverConnected"), "{fault:?}");
    }

    #[tokio::test]
    async fn a_request_without_an_answer_may_have_arrived_and_is_made_again() {
        for said in [b"".as_slice(), b"HTTP/1.1 200"] {
            let fault = call(said).await.unwrap_err();
            assert_eq!(fault.as_other(), Some(ErrorKind::TransientError), "{fault:?}");
            assert!(!format!("{fault:?}").contains("NeverConnected"), "{fault:?}");
        }
    }

    #[test]
    fn there_is_somebody_to_trust() {
        for trust in [Trust::Public, Trust::System] {
            assert!(!roots(trust).is_empty(), "{trust:?}");
        }
    }
}
