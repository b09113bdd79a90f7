//! What else ministack plays beside SQS: functions with their event sources, an HTTP API before
//! them, and a parameter store. Each is spoken to as AWS specifies it, over plain HTTP.
//!
//! ministack takes a function's zip file, unpacks it and runs the `bootstrap` in it under a Runtime
//! API of its own. It hands over one batch of a FIFO queue at a time, so nothing that needs two
//! workers can be tried on it.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};

use crate::emulator::{Variables, http};
use crate::ministack::{Ministack, python_environment};

/// Writes a zip file with the program `argv[1]` as its `bootstrap` to standard output.
const PACK: &str = "import sys, zipfile; \
                    zipfile.ZipFile(sys.stdout.buffer, 'w', zipfile.ZIP_DEFLATED, compresslevel=1)\
                    .write(sys.argv[1], 'bootstrap')";

/// How long a function has, in seconds. Less than two of the worker's passes, so that it makes one.
const FUNCTION_TIMEOUT_S: u32 = 60;

/// The stage of the HTTP API. It stands in the paths that the functions see.
const STAGE: &str = "prod";

/// A ministack's other services.
pub struct Cloud {
    endpoint: String,
    http: reqwest::Client,
}

impl Cloud {
    /// Those of this one.
    pub fn of(ministack: &Ministack) -> Cloud {
        Cloud { endpoint: ministack.endpoint(), http: http() }
    }

    /// Makes a function from a program; gives its ARN.
    ///
    /// # Errors
    /// When it can't be packed, or is refused.
    pub async fn create_function(
        &self,
        name: &str,
        program: &'static Path,
        variables: &Variables,
    ) -> Result<String> {
        let zip = tokio::task::spawn_blocking(|| zipped(program)).await??;
        let function = json!({
            "FunctionName": name,
            "Runtime": "provided.al2023",
            "Handler": "bootstrap",
            "Role": "arn:aws:iam::000000000000:role/function",
            "Timeout": FUNCTION_TIMEOUT_S,
            "MemorySize": 256,
            "Code": { "ZipFile": STANDARD.encode(zip) },
            "Environment": { "Variables": variables },
        });
        let made = self.call(Method::POST, "/2015-03-31/functions", &function).await?;
        text(&made, "FunctionArn")
    }

    /// Puts an HTTP API with one route, as `POST /events/track`, before a function; gives the URL of
    /// its stage.
    ///
    /// # Errors
    /// When a part of it is refused.
    pub async fn create_http_api(&self, route: &str, function_arn: &str) -> Result<String> {
        let api = json!({ "name": "milepost", "protocolType": "HTTP" });
        let api = text(&self.call(Method::POST, "/v2/apis", &api).await?, "apiId")?;
        let part = |name: &str| format!("/v2/apis/{api}/{name}");
        let integration = json!({
            "integrationType": "AWS_PROXY",
            "integrationUri": function_arn,
            "payloadFormatVersion": "2.0",
        });
        let integration = self.call(Method::POST, &part("integrations"), &integration).await?;
        let target = format!("integrations/{}", text(&integration, "integrationId")?);
        let route = json!({ "routeKey": route, "target": target });
        self.call(Method::POST, &part("routes"), &route).await?;
        let stage = json!({ "stageName": STAGE, "autoDeploy": true });
        self.call(Method::POST, &part("stages"), &stage).await?;
        Ok(format!("{}/_aws/execute-api/{api}/{STAGE}", self.endpoint))
    }

    /// Makes a queue the event source of a function, which reports its failures message by message.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn map_queue(&self, queue_arn: &str, function_arn: &str) -> Result<()> {
        let mapping = json!({
            "EventSourceArn": queue_arn,
            "FunctionName": function_arn,
            "BatchSize": 10,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        });
        self.call(Method::POST, "/2015-03-31/event-source-mappings", &mapping).await?;
        Ok(())
    }

    /// Keeps a secret in the parameter store, in place of an older one.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn put_parameter(&self, name: &str, value: &str) -> Result<()> {
        let parameter =
            json!({ "Name": name, "Value": value, "Type": "SecureString", "Overwrite": true });
        let request = self
            .http
            .post(&self.endpoint)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "AmazonSSM.PutParameter");
        answered(request, &parameter).await?;
        Ok(())
    }

    /// Posts JSON to the HTTP API, and gives the JSON answer.
    ///
    /// # Errors
    /// When the answer is no success.
    pub async fn post(&self, url: &str, body: &Value) -> Result<Value> {
        answered(self.http.post(url).header("content-type", "application/json"), body).await
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        answered(self.http.request(method, format!("{}{path}", self.endpoint)), body).await
    }
}

async fn answered(request: reqwest::RequestBuilder, body: &Value) -> Result<Value> {
    let answer = request.body(body.to_string()).send().await?;
    let status = answer.status();
    let answer = answer.bytes().await?;
    ensure!(status.is_success(), "refused with {status}: {}", String::from_utf8_lossy(&answer));
    Ok(serde_json::from_slice(&answer)?)
}

fn text(answer: &Value, name: &str) -> Result<String> {
    let text = answer[name].as_str();
    Ok(text.with_context(|| format!("an answer without {name}"))?.to_owned())
}

fn zipped(program: &Path) -> Result<Vec<u8>> {
    let python = python_environment()?.join("bin/python");
    let packed = Command::new(python)
        .args(["-c", PACK])
        .arg(program)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(packed.status.success(), "{} can't be packed", program.display());
    Ok(packed.stdout)
}
