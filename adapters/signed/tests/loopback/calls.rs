//! What is signed, what is tried again and how often, and what a refusal is called.

use std::time::Duration;

use serde_json::json;
use signed::client::{ATTEMPTS_MAX, BACKOFF_FIRST_MAX};
use signed::{Call, CallFault, Limits, Service};
use tokio::net::TcpListener;

use crate::world::{Asked, Aws, LIMITS, Reply, client, says};

const HALF: u64 = 1 << 63;
const THROTTLED: &str = r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#;

fn no_answer(text: &str) -> CallFault {
    CallFault::NoAnswer(text.to_owned())
}

#[tokio::test]
async fn a_call_is_signed_for_its_service_region_and_session() {
    let aws = Aws::replying([says(200, json!({"Timeout": 240}))]).await;
    let (client, _) = client(LIMITS, 0);
    let answer = client.call(&aws.call()).await.unwrap();
    assert_eq!(answer, json!({"Timeout": 240}));
    let posted = Some(("GraniteServiceVersion20100801.DescribeAlarms", json!({"MaxRecords": 1})));
    let call = Call { service: Service::CloudWatch, path: "/".to_owned(), posted, ..aws.call() };
    client.call(&call).await.unwrap();

    let [got, posted] = aws.asked().try_into().unwrap();
    let header = |asked: &Asked, name: &str| {
        asked.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    assert_eq!(header(&got, "x-amz-date"), "20261124T200000Z");
    assert_eq!(header(&got, "x-amz-security-token"), "session-of-the-test");
    let signature = header(&got, "authorization");
    let scope = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/eu-central-1/lambda/aws4_request";
    assert!(signature.starts_with(scope), "{signature}");
    assert!(!signature.contains("secret-of-the-test"));
    let signature = header(&posted, "authorization");
    assert!(signature.contains("/eu-central-1/monitoring/aws4_request"), "{signature}");
    assert!(signature.contains("x-amz-target"), "the target is signed: {signature}");
    assert_eq!(posted.body, r#"{"MaxRecords":1}"#);
}

#[tokio::test]
async fn a_throttled_call_is_made_again_after_a_share_of_a_growing_wait() {
    let aws = Aws::replying([says(400, THROTTLED), says(400, THROTTLED), says(200, "{}")]).await;
    let (client, clock) = client(LIMITS, HALF);
    client.call(&aws.call()).await.unwrap();
    assert_eq!(clock.waits(), [BACKOFF_FIRST_MAX / 2, BACKOFF_FIRST_MAX]);
}

#[tokio::test]
async fn each_try_is_signed_with_its_own_time() {
    let aws = Aws::replying([says(503, ""), says(200, "{}")]).await;
    let (client, _) = client(LIMITS, u64::MAX);
    client.call(&aws.call()).await.unwrap();
    let dates =
        aws.asked().iter().map(|asked| asked.headers["x-amz-date"].clone()).collect::<Vec<_>>();
    assert_ne!(dates[0], dates[1]);
}

#[tokio::test]
async fn a_call_is_tried_three_times_and_no_more() {
    for (status, body, text) in
        [(400, THROTTLED, "ThrottlingException"), (429, "", "status 429"), (503, "", "status 503")]
    {
        let aws = Aws::replying([says(status, body)]).await;
        let (client, _) = client(LIMITS, HALF);
        assert_eq!(client.call(&aws.call()).await, Err(no_answer(text)));
        assert_eq!(aws.asked().len(), ATTEMPTS_MAX as usize);
    }
}

#[tokio::test]
async fn a_wait_that_would_pass_the_time_limit_ends_the_call() {
    let aws = Aws::replying([says(503, "")]).await;
    let limits = Limits { total: BACKOFF_FIRST_MAX / 4, ..LIMITS };
    let (client, clock) = client(limits, HALF);
    assert_eq!(client.call(&aws.call()).await, Err(no_answer("status 503")));
    assert_eq!((aws.asked().len(), clock.waits().len()), (1, 0));
}

#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    let missing =
        json!({"__type": "com.amazonaws#ResourceNotFoundException", "message": "private"});
    let denied = json!({"__type": "AccessDeniedException"});
    for (status, body, fault) in [
        (400, missing, CallFault::Refused("ResourceNotFoundException".to_owned())),
        (400, denied, CallFault::Forbidden("AccessDeniedException".to_owned())),
        (301, json!({}), CallFault::Refused("status 301".to_owned())),
    ] {
        let aws = Aws::replying([says(status, body)]).await;
        let (client, _) = client(LIMITS, 0);
        assert_eq!(client.call(&aws.call()).await, Err(fault));
        assert_eq!(aws.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_wrong_clock_is_named_as_the_cause_of_a_refused_signature() {
    let body = json!({"__type": "InvalidSignatureException", "message": "Signature expired"});
    let date = Some("Tue, 24 Nov 2026 20:30:00 GMT");
    let aws = Aws::replying([Reply::Says(400, date, body.to_string())]).await;
    let fault = client(LIMITS, 0).0.call(&aws.call()).await.unwrap_err().to_string();
    let told = "InvalidSignatureException: this machine's clock is 1800 s behind AWS's; \
                hint: set the clock";
    assert_eq!(fault, told);
    assert_eq!(aws.asked().len(), 1);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_given_up_and_asked_for_again() {
    let aws = Aws::replying([Reply::Never, Reply::Never, says(200, "{}")]).await;
    let limits = Limits { attempt: Duration::from_millis(100), ..LIMITS };
    client(limits, 0).0.call(&aws.call()).await.unwrap();
    assert_eq!(aws.asked().len(), 3);

    let silent = Aws::replying([Reply::Never]).await;
    let fault = client(limits, 0).0.call(&silent.call()).await;
    assert_eq!(fault, Err(no_answer("no answer in time")));
    assert_eq!(silent.asked().len(), ATTEMPTS_MAX as usize);
}

#[tokio::test]
async fn a_try_gets_what_is_left_of_the_time_limit() {
    let silent = Aws::replying([Reply::Never]).await;
    let limits = Limits { total: Duration::from_millis(100), ..LIMITS };
    // The clock stands, so only the client's own time-out can end a try.
    let fault = client(limits, 0).0.call(&silent.call()).await;
    assert_eq!(fault, Err(no_answer("no answer in time")));
}

#[tokio::test]
async fn a_connection_that_is_refused_is_tried_again_and_named() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let aws = Aws::replying([says(200, "{}")]).await;
    let call = Call { endpoint: format!("http://{closed}"), ..aws.call() };
    let (client, clock) = client(LIMITS, HALF);
    let fault = client.call(&call).await.unwrap_err();
    assert!(matches!(&fault, CallFault::NoAnswer(why) if why.contains("refused")), "{fault:?}");
    assert_eq!(clock.waits().len() as u32, ATTEMPTS_MAX - 1);
}

#[tokio::test]
async fn an_answer_that_is_too_long_or_not_json_is_refused_without_showing_it() {
    for (body, told) in [
        ("private".to_owned(), "the answer isn't valid JSON"),
        ("\"private\"".repeat(200_000), "the answer is longer than 1 MiB"),
    ] {
        let aws = Aws::replying([says(200, body)]).await;
        let fault = client(LIMITS, 0).0.call(&aws.call()).await;
        assert_eq!(fault, Err(CallFault::Refused(told.to_owned())));
        assert_eq!(aws.asked().len(), 1);
    }
}

#[tokio::test]
async fn the_time_of_a_server_is_read_from_any_of_its_answers() {
    let date = Some("Tue, 24 Nov 2026 20:30:00 GMT");
    let aws = Aws::replying([Reply::Says(403, date, String::new())]).await;
    let theirs = client(LIMITS, 0).0.date_of(&aws.endpoint).await.unwrap();
    assert_eq!(theirs, Some("2026-11-24T20:30:00Z".parse().unwrap()));
    assert!(!aws.asked()[0].headers.contains_key("authorization"));
}
