//! What feeds the worker: the event source of the events queue, and the function behind it.
//!
//! Only Lambda knows them. Whoever asks may lack the right to ask Lambda: then nothing is found,
//! and the list says by which command to look.

use std::time::Duration;

use command::aws::{Aws, Question};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde_json::Value;
use shared::settings::{self, HubSpot};
use signed::{CallFault, Service};
use worker::PASS_WORST_CASE;

use super::{Area, Check};

const AREA: Area = Area::Queue;
const SOURCE: &str = "event source";
const FUNCTION: &str = "worker";
/// What RFC 3986 reserves, and what the signature therefore expects encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What Lambda says.
pub(super) struct Feeding {
    sources: Result<Vec<Value>, CallFault>,
    /// The configuration of the function, if it is one and may be seen.
    function: Option<Result<Value, CallFault>>,
}

/// Asks Lambda about the queue.
pub(super) async fn ask(aws: &Aws, queue_arn: &str) -> Feeding {
    let question = Question {
        service: Service::Lambda,
        path: format!("/2015-03-31/event-source-mappings?EventSourceArn={}", encoded(queue_arn)),
        posted: None,
    };
    let sources =
        aws.ask(question).await.map(|mut answer| match answer["EventSourceMappings"].take() {
            Value::Array(sources) => sources,
            _ => Vec::new(),
        });
    let arn = match sources.as_deref() {
        Ok([source]) => source["FunctionArn"].as_str().unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    // `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, perhaps with a version behind it.
    let function = match arn.split(':').nth(6) {
        None => None,
        Some(name) => Some(
            aws.ask(Question {
                service: Service::Lambda,
                path: format!("/2015-03-31/functions/{}/configuration", encoded(name)),
                posted: None,
            })
            .await,
        ),
    };
    Feeding { sources, function }
}

impl Feeding {
    /// The function's time-out.
    pub(super) fn timeout(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.configuration()?["Timeout"].as_u64()?))
    }

    /// The function's quarantine.
    pub(super) fn quarantine(&self) -> Option<Duration> {
        Some(self.worker()?.ok()?.quarantine)
    }

    /// What there is to say.
    pub(super) fn checks(&self, queue_url: &str) -> Vec<Check> {
        let sources = match &self.sources {
            Ok(sources) => sources,
            Err(fault) => {
                let look = "aws lambda list-event-source-mappings --event-source-arn ARN";
                return vec![unasked(AREA, SOURCE, fault, look)];
            }
        };
        let [source] = sources.as_slice() else {
            return vec![match sources.len() {
                0 => AREA.bad(
                    SOURCE,
                    "none: nothing takes events off the queue",
                    "deploy template.yaml, which maps the queue to the worker",
                ),
                count => AREA.bad(
                    SOURCE,
                    format!("{count}: more workers than shares of HubSpot's limit"),
                    "aws lambda delete-event-source-mapping, for all but the worker's",
                ),
            }];
        };
        let mut checks = self.of_source(source);
        checks.extend(self.of_function(queue_url));
        checks
    }

    fn of_source(&self, source: &Value) -> Vec<Check> {
        let part = |part: &str| format!("{SOURCE}, {part}");
        let state = match source["State"].as_str().unwrap_or("unknown") {
            "Enabled" => AREA.good(part("state"), "on"),
            state => AREA.bad(
                part("state"),
                format!("{state}: events wait"),
                "deploy with CrmProgress=true",
            ),
        };
        let reports =
            source["FunctionResponseTypes"].to_string().contains("ReportBatchItemFailures");
        let failures = match reports {
            true => AREA.good(part("failures"), "reported message by message"),
            false => AREA.bad(
                part("failures"),
                "one failure returns the whole batch",
                "aws lambda update-event-source-mapping --function-response-types \
                 ReportBatchItemFailures",
            ),
        };
        let filter = match source["FilterCriteria"]["Filters"].as_array().map_or(0, Vec::len) {
            0 => AREA.good(part("filter"), "none"),
            _ => AREA.bad(
                part("filter"),
                "Lambda deletes what it leaves out",
                "aws lambda update-event-source-mapping --filter-criteria '{}'",
            ),
        };
        vec![state, failures, filter, self.concurrency(source)]
    }

    /// As many workers as shares: more of them would exceed HubSpot's limit together.
    fn concurrency(&self, source: &Value) -> Check {
        let name = format!("{SOURCE}, workers at once");
        let shares = self.worker().and_then(Result::ok).map(|worker| worker.concurrency);
        let fix = "deploy template.yaml: WorkerConcurrency sets both";
        match (source["ScalingConfig"]["MaximumConcurrency"].as_u64(), shares) {
            (None, _) => AREA.bad(name, "unbounded: together they exceed HubSpot's limit", fix),
            (Some(workers), Some(shares)) if workers > u64::from(shares) => AREA.bad(
                name,
                format!(
                    "{workers}, and WORKER_CONCURRENCY is {shares}: they exceed HubSpot's limit"
                ),
                fix,
            ),
            (Some(workers), Some(shares)) if workers < u64::from(shares) => AREA.doubtful(
                name,
                format!("{workers}, and WORKER_CONCURRENCY is {shares}: shares stay unused"),
                fix,
            ),
            (Some(workers), _) => AREA.good(name, format!("{workers}")),
        }
    }

    fn of_function(&self, queue_url: &str) -> Vec<Check> {
        let configuration = match &self.function {
            None => return Vec::new(),
            Some(Err(fault)) => {
                let look = "aws lambda get-function-configuration --function-name NAME";
                return vec![unasked(AREA, FUNCTION, fault, look)];
            }
            Some(Ok(configuration)) => configuration,
        };
        let part = |part: &str| format!("{FUNCTION}, {part}");
        let mut checks = Vec::new();
        if let Some(timeout) = self.timeout() {
            let (given_s, needed_s) = (timeout.as_secs(), PASS_WORST_CASE.as_secs());
            let what = format!("{given_s} s; its longest pass takes {needed_s}");
            checks.push(match timeout >= PASS_WORST_CASE {
                true => AREA.good(part("time-out"), what),
                false => AREA.bad(part("time-out"), what, "deploy template.yaml, which has 240 s"),
            });
        }
        let variables = |name: &str| variable(configuration, name);
        let mut wrong = Vec::new();
        wrong.extend(self.worker().and_then(Result::err));
        wrong.extend(HubSpot::from_lookup(&variables).err());
        checks.extend(wrong.iter().map(|wrong| {
            AREA.bad(
                part(wrong.name),
                wrong.problem,
                format!("set it to {}, in the function's variables", wrong.should),
            )
        }));
        if wrong.is_empty() {
            checks.push(AREA.good(part("settings"), "valid"));
        }
        if let Some(Ok(settings::Worker { is_enabled: false, .. })) = self.worker() {
            let fix = "deploy with CrmProgress=true";
            checks.push(AREA.bad(part("switch"), "off: nothing is written, events wait", fix));
        }
        if variables("QUEUE_URL").is_some_and(|theirs| theirs != queue_url) {
            let what = "is another than the one whose event source it is";
            checks.push(AREA.bad(part("QUEUE_URL"), what, "deploy template.yaml, which sets it"));
        }
        checks
    }

    fn configuration(&self) -> Option<&Value> {
        self.function.as_ref()?.as_ref().ok()
    }

    /// The function's own settings, not those of whoever looks.
    fn worker(&self) -> Option<Result<settings::Worker, settings::WrongSetting>> {
        let configuration = self.configuration()?;
        Some(settings::Worker::from_lookup(&|name| variable(configuration, name)))
    }
}

/// A failed call on the list. `look` is the command that shows the answer to somebody who may ask.
pub(super) fn unasked(area: Area, name: &str, fault: &CallFault, look: &str) -> Check {
    match fault {
        CallFault::Forbidden(why) => {
            area.unseen(name, format!("your credentials may not ask ({why}); look with `{look}`"))
        }
        CallFault::Refused(why) => area.unseen(name, why),
        CallFault::NoAnswer(why) => area.silent(name, why),
    }
}

fn variable(configuration: &Value, name: &str) -> Option<String> {
    configuration["Environment"]["Variables"][name].as_str().map(str::to_owned)
}

/// A text as a part of a URL.
fn encoded(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}
