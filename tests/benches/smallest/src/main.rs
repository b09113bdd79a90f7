//! The smallest Lambda function in Rust that makes one signed HTTPS call: what ours are measured
//! against (`tests/benches/functions.rs`).
//!
//! An event's body goes to SQS as it is, signed by hand (Signature Version 4), over hyper and rustls
//! with ring. There is no SDK, no setting, no log, no check of what comes in and no second try. It
//! is built by the same profile as the functions and deployed nowhere.
#![expect(clippy::disallowed_methods, reason = "it stands for itself, without the crate `host`")]

use std::env;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
const TARGET: &str = "AmazonSQS.SendMessage";
/// The headers that are signed.
const HEADERS: &str = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target";

/// Who signs, for where.
struct Signer {
    region: String,
    key_id: String,
    secret: String,
    session: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let queue = env::var("QUEUE_URL")?;
    let region = env::var("AWS_REGION")?;
    let own = format!("https://sqs.{region}.amazonaws.com");
    let endpoint: Uri = env::var("AWS_ENDPOINT_URL_SQS").unwrap_or(own).parse()?;
    let signer = Signer {
        region,
        key_id: env::var("AWS_ACCESS_KEY_ID")?,
        secret: env::var("AWS_SECRET_ACCESS_KEY")?,
        session: env::var("AWS_SESSION_TOKEN").unwrap_or_default(),
    };
    // Certificates that are compiled in cost a start nothing.
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    let client = Client::builder(TokioExecutor::new()).build::<_, Full<_>>(tls);
    let (queue, endpoint, signer, client) = (&queue, &endpoint, &signer, &client);
    run(service_fn(|event: LambdaEvent<Value>| async move {
        let id = &event.context.request_id;
        let message = json!({
            "QueueUrl": queue,
            "MessageBody": event.payload["body"],
            "MessageGroupId": id,
            "MessageDeduplicationId": id,
        });
        let request = signer.signed(endpoint, message.to_string().into_bytes())?;
        let answer = client.request(request).await?;
        let status = answer.status().as_u16();
        answer.into_body().collect().await?;
        Ok::<_, Error>(json!({ "statusCode": status, "body": "" }))
    }))
    .await
}

impl Signer {
    fn signed(&self, endpoint: &Uri, body: Vec<u8>) -> Result<Request<Full<Bytes>>, Error> {
        let host = endpoint.authority().ok_or("the endpoint has no host")?.as_str();
        let time = timestamp(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs());
        let (day, _) = time.split_at(8);
        let region = &self.region;
        let canonical = format!(
            "POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{host}\nx-amz-date:{time}\n\
             x-amz-security-token:{}\nx-amz-target:{TARGET}\n\n{HEADERS}\n{}",
            self.session,
            hex(&Sha256::digest(&body)),
        );
        let scope = format!("{day}/{region}/sqs/aws4_request");
        let hash = hex(&Sha256::digest(canonical));
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}");
        let mut key = mac(format!("AWS4{}", self.secret).as_bytes(), day)?;
        for part in [region, "sqs", "aws4_request"] {
            key = mac(&key, part)?;
        }
        let signature = hex(&mac(&key, &text)?);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={HEADERS}, Signature={signature}",
            self.key_id
        );
        let request = Request::post(endpoint)
            .header("content-type", CONTENT_TYPE)
            .header("x-amz-date", &time)
            .header("x-amz-security-token", &self.session)
            .header("x-amz-target", TARGET)
            .header("authorization", authorization);
        Ok(request.body(Full::from(body))?)
    }
}

fn mac(key: &[u8], text: &str) -> Result<Vec<u8>, Error> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
    mac.update(text.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _never_fails = write!(text, "{byte:02x}");
        text
    })
}

/// Seconds since 1970 as `20261125T093000Z`.
fn timestamp(seconds: u64) -> String {
    // Days are counted from the first of March of a year 0, so that a leap day ends its year.
    let days = seconds / 86_400 + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let of_day = seconds % 86_400;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_told_as_aws_reads_it() {
        let check = |seconds, expected: &str| assert_eq!(timestamp(seconds), expected);
        check(0, "19700101T000000Z");
        check(951_827_696, "20000229T123456Z");
        check(1_795_599_000, "20261125T093000Z");
        check(1_798_761_599, "20261231T235959Z");
    }
}
