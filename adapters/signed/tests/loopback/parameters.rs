//! The token's parameter: what is asked for, and what is said when it can't be read.

use std::sync::Arc;
use std::time::Duration;

use hubspot::token::ReadToken as _;
use serde_json::{Value, json};
use shared::settings::Token;
use signed::parameters::READ_TIME_MAX;
use signed::{ParameterStore, Trust, token_source};

use crate::world::{Always, Aws, Turned, says};

const NAME: &str = "/milepost/prod/hubspot-token";
const VALUE: &str = "pat-na1-secret";
/// Variables without which nothing can be signed, each by itself.
const NEEDED: [&[&str]; 3] = [&["AWS_REGION"], &["AWS_ACCESS_KEY_ID"], &["AWS_SECRET_ACCESS_KEY"]];

fn holds(value: &str) -> Value {
    json!({"Parameter": {"Name": NAME, "Type": "SecureString", "Value": value}})
}

/// The variables of a function, as a lookup.
fn variables(aws: &Aws, unset: &'static [&'static str]) -> impl Fn(&str) -> Option<String> + use<> {
    let endpoint = aws.endpoint.clone();
    move |name| {
        let value = match name {
            _ if unset.contains(&name) => return None,
            "AWS_REGION" => "eu-central-1",
            "AWS_ACCESS_KEY_ID" => "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY" => "secret-of-the-test",
            "AWS_ENDPOINT_URL_SSM" | "AWS_ENDPOINT_URL" => &endpoint,
            _ => return None,
        };
        Some(value.to_owned())
    }
}

fn store(aws: &Aws, unset: &'static [&'static str], clock: &Arc<Turned>) -> ParameterStore {
    let lookup = variables(aws, unset);
    // The most that chance can make a wait.
    let entropy = Arc::new(Always(u64::MAX));
    ParameterStore::from_lookup(&lookup, Trust::Public, clock.clone(), entropy)
}

async fn read(aws: &Aws, name: &str) -> Result<String, String> {
    store(aws, &[], &Arc::default()).read_token(name).await
}

#[tokio::test]
async fn a_parameter_is_read_decrypted_by_its_name() {
    for name in [NAME, "/aws/reference/secretsmanager/milepost/hubspot-token"] {
        let aws = Aws::replying([says(200, holds(VALUE))]).await;
        assert_eq!(read(&aws, name).await.as_deref(), Ok(VALUE));
        let [asked] = aws.asked().try_into().unwrap();
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        assert_eq!(body, json!({"Name": name, "WithDecryption": true}));
        assert_eq!(asked.headers["x-amz-target"], "AmazonSSM.GetParameter");
        assert_eq!(asked.headers["content-type"], "application/x-amz-json-1.1");
        let signature = asked.headers["authorization"].to_str().unwrap();
        assert!(signature.contains("/eu-central-1/ssm/aws4_request"), "{signature}");
    }
}

#[tokio::test]
async fn the_endpoint_of_all_services_is_taken_where_ssm_has_none() {
    let aws = Aws::replying([says(200, holds(VALUE))]).await;
    let store = store(&aws, &["AWS_ENDPOINT_URL_SSM"], &Arc::default());
    assert_eq!(store.read_token(NAME).await.as_deref(), Ok(VALUE));
}

#[tokio::test]
async fn a_read_that_is_throttled_to_the_end_stays_within_its_time() {
    let aws = Aws::replying([says(400, json!({"__type": "ThrottlingException"}))]).await;
    let clock = Arc::new(Turned::default());
    let told = store(&aws, &[], &clock).read_token(NAME).await.unwrap_err();
    assert_eq!(told, format!("the parameter {NAME} can't be read: ThrottlingException"));
    let waited: Duration = clock.waits().iter().sum();
    assert!(!waited.is_zero() && waited < READ_TIME_MAX, "{waited:?}");
}

#[tokio::test]
async fn a_refused_read_names_the_parameter_and_the_code_and_nothing_else() {
    for code in ["ParameterNotFound", "AccessDeniedException", "InvalidKeyId"] {
        let refusal = json!({"__type": code, "message": format!("{VALUE} private")});
        let aws = Aws::replying([says(400, refusal)]).await;
        let told = read(&aws, NAME).await.unwrap_err();
        assert_eq!(told, format!("the parameter {NAME} can't be read: {code}"));
        assert_eq!(aws.asked().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_without_a_value_is_said_to_have_none() {
    let listed = json!({"Parameter": {"Name": NAME, "Value": [VALUE]}});
    for answer in [json!({}), json!({"Parameter": {"Name": NAME}}), listed, json!(VALUE)] {
        let aws = Aws::replying([says(200, answer)]).await;
        let told = read(&aws, NAME).await.unwrap_err();
        assert_eq!(told, format!("the parameter {NAME} has no value"));
    }
}

#[tokio::test]
async fn a_missing_credential_is_named_and_nothing_is_sent() {
    for unset in NEEDED {
        let variable = unset[0];
        let aws = Aws::replying([says(200, holds(VALUE))]).await;
        let told = store(&aws, unset, &Arc::default()).read_token(NAME).await.unwrap_err();
        let begin = format!("the parameter {NAME} can't be read: {variable} is not set; hint: ");
        assert!(told.starts_with(&begin), "{told}");
        assert_eq!(aws.asked().len(), 0);
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_read_again_from_the_parameter() {
    let aws = Aws::replying([says(200, holds("pat-1\n")), says(200, holds("pat-2\n"))]).await;
    let clock = Arc::new(Turned::default());
    let token = Token::Parameter(NAME.to_owned());
    let source = token_source(&token, &variables(&aws, &[]), clock, Arc::new(Always(0)));
    for _ in 0..2 {
        assert_eq!(source.current().await.as_deref(), Ok("pat-1"));
    }
    assert_eq!(source.after_refusal("pat-1").await.as_deref(), Some("pat-2"));
    assert_eq!(source.after_refusal("pat-2").await, None, "once a minute at most");
    assert_eq!(aws.asked().len(), 2);
}
