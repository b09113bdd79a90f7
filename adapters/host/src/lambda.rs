//! The Lambda edge: API Gateway's events ⇄ requests and answers, and the queue's events.
//!
//! Both of API Gateway's event formats are read, through a struct of our own: the few fields that
//! matter, all of them optional, so that no event fails before the handler sees it. A failure here
//! would be API Gateway's bare 500, without CORS and without a word.
//!
//! **Invariant**: what a client sent can't make this code return an error.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
pub use lambda_runtime::Error;
use lambda_runtime::{Context, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shared::http::{Request, Response};
use shared::ports::Clock;
use shared::query;
use shared::settings::{Lookup, WrongSetting};

/// One invocation, beside its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Lambda's request id.
    pub id: String,
    /// When Lambda ends it, as the clock's uptime.
    pub deadline: Duration,
}

/// Checks that this process runs under a Lambda runtime, real or emulated.
///
/// # Errors
/// The first variable that such a runtime would have set and that is missing.
pub fn check(lookup: Lookup<'_>) -> Result<(), WrongSetting> {
    const SHOULD: &str = "what Lambda or an emulator of it sets; without one, run `milepost local`";
    let needed = [
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
    ];
    for name in needed {
        let value = lookup(name).filter(|value| !value.is_empty());
        let value = value.ok_or(WrongSetting { name, problem: "is missing", should: SHOULD })?;
        if name == "AWS_LAMBDA_FUNCTION_MEMORY_SIZE" && value.parse::<i32>().is_err() {
            return Err(WrongSetting { name, problem: "is no number", should: SHOULD });
        }
    }
    Ok(())
}

/// Answers API Gateway's requests until Lambda ends the process.
///
/// # Errors
/// When the runtime's API can't be reached.
pub async fn serve_http<F>(handler: F) -> Result<(), Error>
where
    F: AsyncFn(Request) -> Response,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<GatewayEvent>| {
        let handler = &handler;
        async move {
            let response = handler(event.payload.into_request()).await;
            Ok::<_, Infallible>(GatewayAnswer::from(response))
        }
    }))
    .await
}

/// Takes the queue's events until Lambda ends the process. `E` is the event and `A` the answer with
/// the messages that failed.
///
/// # Errors
/// When the runtime's API can't be reached. The handler's own error fails its batch alone: all its
/// messages come again.
pub async fn serve_queue<E, A, F>(clock: &dyn Clock, handler: F) -> Result<(), Error>
where
    E: DeserializeOwned,
    A: Serialize,
    F: AsyncFn(E, Invocation) -> Result<A, Error>,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<E>| {
        let invocation = invocation(&event.context, clock);
        handler(event.payload, invocation)
    }))
    .await
}

fn invocation(context: &Context, clock: &dyn Clock) -> Invocation {
    let now_ms = u64::try_from(clock.now().timestamp_millis()).unwrap_or_default();
    let left = Duration::from_millis(context.deadline.saturating_sub(now_ms));
    Invocation { id: context.request_id.clone(), deadline: clock.uptime() + left }
}

/// API Gateway's event: version 2 (HTTP API, function URL) and version 1 (REST API) in one.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct GatewayEvent {
    raw_path: Option<String>,
    path: Option<String>,
    http_method: Option<String>,
    raw_query_string: Option<String>,
    query_string_parameters: Option<BTreeMap<String, Option<String>>>,
    headers: Option<BTreeMap<String, Option<String>>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
    request_context: Option<GatewayContext>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct GatewayContext {
    request_id: Option<String>,
    http: Option<GatewayHttp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GatewayHttp {
    method: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GatewayAnswer {
    status_code: u16,
    headers: BTreeMap<&'static str, String>,
    body: String,
    is_base64_encoded: bool,
}

impl GatewayEvent {
    fn into_request(self) -> Request {
        let context = self.request_context.unwrap_or_default();
        let method = context.http.and_then(|http| http.method).or(self.http_method);
        let query = match (self.raw_query_string, self.query_string_parameters) {
            (Some(raw), _) => query::parameters(&raw),
            (None, given) => given
                .into_iter()
                .flatten()
                .map(|(name, value)| (name, value.unwrap_or_default()))
                .collect(),
        };
        let headers = self
            .headers
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.to_lowercase(), value?)));
        let text = self.body.unwrap_or_default();
        let body = match self.is_base64_encoded {
            // A text that is flagged and no base64 is taken as it stands: it will be refused as a
            // body that can't be read, like any other.
            Some(true) => STANDARD.decode(&text).unwrap_or_else(|_| text.into_bytes()),
            _ => text.into_bytes(),
        };
        Request {
            method: method.unwrap_or_default().to_uppercase(),
            path: self.raw_path.or(self.path).unwrap_or_default(),
            query,
            headers: headers.collect(),
            body,
            id: context.request_id,
        }
    }
}

impl From<Response> for GatewayAnswer {
    fn from(response: Response) -> Self {
        let Response { status: status_code, headers, body } = response;
        Self { status_code, headers, body, is_base64_encoded: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(event: &str) -> Request {
        serde_json::from_str::<GatewayEvent>(event).unwrap().into_request()
    }

    #[test]
    fn an_event_of_an_http_api_becomes_a_request() {
        let request = request(
            r#"{"version":"2.0","routeKey":"POST /events/track","rawPath":"/prod/events/track",
            "rawQueryString":"a=1&b=x%20y","cookies":["s=1"],
            "headers":{"Content-Type":"text/plain","authorization":"Bearer t"},
            "queryStringParameters":{"a":"1","b":"x y"},
            "requestContext":{"accountId":"123456789012","apiId":"api","stage":"prod",
              "authorizer":{"jwt":{"claims":{"exp":1800000000.5,"admin":true,"n":12345678901234567890},"scopes":null}},
              "http":{"method":"post","path":"/prod/events/track","protocol":"HTTP/1.1","sourceIp":"192.0.2.1","userAgent":"x"},
              "requestId":"JKJaXmPLvHcESHA=","time":"24/Nov/2026:20:00:00 +0000","timeEpoch":1795550400123},
            "stageVariables":null,"body":"eyJhIjoxfQ==","isBase64Encoded":true}"#,
        );
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", "/prod/events/track")
        );
        assert_eq!(request.query["b"], "x y");
        assert_eq!(request.header("content-type"), Some("text/plain"));
        assert_eq!(request.header("authorization"), Some("Bearer t"));
        assert_eq!(request.body, br#"{"a":1}"#);
        assert_eq!(request.id.as_deref(), Some("JKJaXmPLvHcESHA="));
    }

    #[test]
    fn an_event_of_a_rest_api_becomes_a_request() {
        let request = request(
            r#"{"resource":"/{proxy+}","path":"/progress/read","httpMethod":"GET",
            "headers":null,"multiValueHeaders":null,
            "queryStringParameters":{"email":"a+b@example.org","empty":null},
            "multiValueQueryStringParameters":{"email":["a+b@example.org"]},
            "requestContext":{"requestId":"r-1","requestTimeEpoch":1795550400123,"identity":{"sourceIp":"192.0.2.1"}},
            "body":null,"isBase64Encoded":false}"#,
        );
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/progress/read"));
        assert_eq!(request.query["email"], "a+b@example.org");
        assert_eq!(request.query["empty"], "");
        assert!(request.body.is_empty() && request.headers.is_empty());
    }

    #[test]
    fn a_flag_that_lies_does_not_fail_the_event() {
        let request = request(r#"{"body":"{not base64}","isBase64Encoded":true}"#);
        assert_eq!(request.body, b"{not base64}");
    }

    #[test]
    fn an_empty_event_is_a_request_for_nothing() {
        assert_eq!(request("{}"), Request::default());
    }

    #[test]
    fn an_answer_has_the_shape_that_both_formats_take() {
        let answer = GatewayAnswer::from(Response::error(404, "Not found"));
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            r#"{"statusCode":404,"headers":{"content-type":"application/json; charset=utf-8"},"body":"{\"error\":\"Not found\"}","isBase64Encoded":false}"#
        );
    }

    /// A clock that stands at 20:00, one hour after its start.
    struct Standing;

    #[async_trait::async_trait]
    impl Clock for Standing {
        fn now(&self) -> chrono::DateTime<chrono::Utc> {
            "2026-11-24T20:00:00Z".parse().unwrap()
        }

        fn uptime(&self) -> Duration {
            Duration::from_secs(3_600)
        }

        async fn sleep(&self, _wait: Duration) {}
    }

    #[test]
    fn a_deadline_is_told_as_uptime() {
        let mut context = Context::default();
        context.request_id = "r-1".into();
        context.deadline = 1_795_550_400_000 + 30_000;
        let expected = Invocation { id: "r-1".into(), deadline: Duration::from_secs(3_630) };
        assert_eq!(invocation(&context, &Standing), expected);
        // One that is over already ends now.
        context.deadline = 0;
        assert_eq!(invocation(&context, &Standing).deadline, Standing.uptime());
    }

    #[test]
    fn a_process_outside_of_lambda_says_what_it_misses() {
        let fault = check(&|_| None).unwrap_err();
        assert_eq!(fault.name, "AWS_LAMBDA_RUNTIME_API");
        assert_eq!(check(&|_| Some("128".into())), Ok(()));
    }
}
