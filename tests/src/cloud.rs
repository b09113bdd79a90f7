//! What else ministack plays beside SQS: functions with their event sources, an HTTP API before
//! them, a parameter store, buckets, logs, and stacks of all these. Each is spoken to as AWS
//! specifies it, over plain HTTP.
//!
//! ministack takes a function's zip file, unpacks it and runs the `bootstrap` in it under a Runtime
//! API of its own. It hands over one batch of a FIFO queue at a time, so nothing that needs two
//! workers can be tried on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

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
        let zip = zipped(program).await?;
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
        self.ask("AmazonSSM.PutParameter", &parameter).await?;
        Ok(())
    }

    /// Calls a service that is asked by a target, as `Logs_20140328.FilterLogEvents`, in JSON.
    ///
    /// # Errors
    /// When the answer is no success.
    pub async fn ask(&self, target: &str, question: &Value) -> Result<Value> {
        let request = self
            .http
            .post(&self.endpoint)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", target);
        answered(request, question).await
    }

    /// Calls a service of the query protocol; gives the XML of the answer.
    ///
    /// # Errors
    /// When the answer is no success.
    pub async fn query(&self, parameters: &[(String, String)]) -> Result<String> {
        let mut url = reqwest::Url::parse(&self.endpoint)?;
        url.query_pairs_mut().extend_pairs(parameters);
        let form = url.query().unwrap_or_default().to_owned();
        let request = self.http.post(&self.endpoint).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        Ok(String::from_utf8(success(request).await?)?)
    }

    /// Puts an object, as `BUCKET/KEY`; without a key it makes the bucket.
    ///
    /// # Errors
    /// When the answer is no success.
    pub async fn put_object(&self, place: &str, content: Vec<u8>) -> Result<()> {
        success(self.http.put(format!("{}/{place}", self.endpoint)).body(content)).await?;
        Ok(())
    }

    /// Gets a path of a service, and its JSON answer.
    ///
    /// # Errors
    /// When the answer is no success.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let answer = success(self.http.get(format!("{}{path}", self.endpoint))).await?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Gives a function these variables, in place of all that it had.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn set_variables(&self, function: &str, variables: &Value) -> Result<()> {
        let path = format!("/2015-03-31/functions/{function}/configuration");
        let configuration = json!({ "Environment": { "Variables": variables } });
        self.call(Method::PUT, &path, &configuration).await?;
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
    Ok(serde_json::from_slice(&success(request.body(body.to_string())).await?)?)
}

async fn success(request: reqwest::RequestBuilder) -> Result<Vec<u8>> {
    let answer = request.send().await?;
    let status = answer.status();
    let answer = answer.bytes().await?;
    ensure!(status.is_success(), "refused with {status}: {}", String::from_utf8_lossy(&answer));
    Ok(answer.into())
}

fn text(answer: &Value, name: &str) -> Result<String> {
    let text = answer[name].as_str();
    Ok(text.with_context(|| format!("an answer without {name}"))?.to_owned())
}

/// The zip file of a program. Each is packed once in a process: they are large, and many tests
/// deploy the same ones.
pub(crate) async fn zipped(program: &Path) -> Result<Arc<[u8]>> {
    static PACKED: Mutex<BTreeMap<PathBuf, Arc<[u8]>>> = Mutex::new(BTreeMap::new());
    let program = program.to_owned();
    let zip = tokio::task::spawn_blocking(move || {
        let mut packed = PACKED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(zip) = packed.get(&program) {
            return Ok(zip.clone());
        }
        let zip: Arc<[u8]> = python(PACK, &[&program])?.into();
        packed.insert(program, zip.clone());
        anyhow::Ok(zip)
    });
    zip.await?
}

/// What a line of Python writes to standard output.
pub(crate) fn python(line: &str, arguments: &[&Path]) -> Result<Vec<u8>> {
    let python = python_environment()?.join("bin/python");
    let ended = Command::new(python)
        .args(["-c", line])
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(ended.status.success(), "{arguments:?} can't be packed");
    Ok(ended.stdout)
}
