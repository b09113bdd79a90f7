//! Three incidents of the deployed stack, each from its sign over its mend to the count: whatever a
//! page was told is stored is applied once, and nothing is dead.
//!
//! docs/operate.md has a section for each. The other incidents need no Lambda, and run against the
//! running stack of `serve`.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::{Value, json};
use shared::envelope;
use shared::journal::Figure;
use tests::binaries::Function;
use tests::metrics::Metric;
use tests::metrics::alarm::gone_off;
use tests::metrics::recording::Recording;
use tests::metrics::watch::ours;

use super::road::{Road, Traffic};
use super::site::{Site, deployed};
use super::{module_event, until};

/// How soon a message comes again whose invocation failed: 300 s as it is deployed, for which no test
/// waits. Ample is long enough for a pass on a busy machine, and short enough for what failed in the
/// moment of the mend.
const SOON: Duration = Duration::from_secs(3);
const AMPLE: Duration = Duration::from_secs(15);
const AS_DEPLOYED: Duration = Duration::from_secs(300);

/// As many as make more than one batch of the event source at a time.
const CROWD: usize = 40;

const MODULES: [&str; 3] = ["intro-to-hedgehog", "fabric-building-blocks", "first-vpc"];

/// A worker that takes its event and ends. A program of another version, and no program of ours.
const BROKEN_WORKER: &str = "#!/usr/bin/env python3
import os, urllib.request
api = os.environ['AWS_LAMBDA_RUNTIME_API']
urllib.request.urlopen(f'http://{api}/2018-06-01/runtime/invocation/next').read()
raise SystemExit('the next version ends here')
";

#[tokio::test]
async fn a_worker_that_does_not_start_loses_nothing_and_goes_on_with_the_setting_mended() {
    let site = Site::open().await;
    let worker = deployed(Function::Worker);
    let as_deployed = site.variables(Function::Worker).await;
    let mut by_hand = as_deployed.clone();
    by_hand["HUBSPOT_API_VERSION"] = "v1".into();
    site.cloud.set_variables(&worker, &by_hand).await.unwrap();
    site.come_again_after(SOON).await;
    site.crowd(CROWD).await;

    // See. That messages come again too soon, which is this test's doing, stands there as well.
    until_worker_errors_ring(&site).await;
    let to_fix = site.doctor().await;
    let fix = "worker, HUBSPOT_API_VERSION: set it to 2026-09, 2026-03 or v3, in the function's \
                variables";
    assert!(to_fix.contains(fix) && to_fix.len() == 2, "{to_fix:?}");
    assert_eq!(site.left(&site.queues.events).await as usize, CROWD, "each waits");
    assert_eq!(site.portal.stats().contacts, 0);

    // Do.
    site.come_again_after(AMPLE).await;
    site.cloud.set_variables(&worker, &as_deployed).await.unwrap();

    crowd_is_applied_once(&site).await;
    site.come_again_after(AS_DEPLOYED).await;
    assert_eq!(site.doctor().await, BTreeSet::new());
}

#[tokio::test]
async fn a_bad_deployment_of_the_worker_loses_nothing_and_is_mended_by_the_one_before() {
    let mut site = Site::open().await;
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("bootstrap");
    fs::write(&broken, BROKEN_WORKER).unwrap();
    fs::set_permissions(&broken, Permissions::from_mode(0o755)).unwrap();
    site.deployment.replace(Function::Worker, &broken).await.unwrap();
    site.come_again_after(SOON).await;
    site.crowd(CROWD).await;
    // What a part of that version wrote already.
    let newer = json!({ "v": envelope::VERSION + 1, "kind": "event", "anything": "else" });
    let send = site.sqs.send_message().queue_url(&site.queues.events);
    let send = send.message_body(newer.to_string()).message_group_id("newer");
    send.message_deduplication_id("newer").send().await.unwrap();

    // See.
    until_worker_errors_ring(&site).await;
    assert_eq!(site.left(&site.queues.events).await as usize, CROWD + 1, "each waits");

    // Do.
    site.come_again_after(AMPLE).await;
    let former = Function::Worker.program().await.unwrap();
    site.deployment.replace(Function::Worker, former).await.unwrap();

    // What is written is deleted a moment later.
    let is_alone = async || (site.left(&site.queues.events).await == 1).then_some(());
    until(&*site.clock, "queue with the newer message alone", is_alone).await;
    assert_eq!(site.of_crowd_applied(CROWD), CROWD);
    let parked =
        async || (site.counted(Function::Worker, Figure::Parked).await > 0.0).then_some(());
    until(&*site.clock, "word of the newer message", parked).await;
    assert_eq!(site.left(&site.queues.events).await, 1, "the newer one waits for a newer worker");
    assert_eq!(site.left(&site.queues.dead_letters).await, 0);
    assert_eq!(site.counted(Function::Worker, Figure::EventsApplied).await as usize, CROWD);
}

#[tokio::test]
async fn while_the_queue_does_not_answer_pages_are_answered_and_recover_applies_each_event_once() {
    let site = Site::open().await;
    let road = Road::to(&site.endpoint()).await;
    let mut variables = site.variables(Function::Ingest).await;
    variables["AWS_ENDPOINT_URL_SQS"] = road.url.clone().into();
    let ingest = deployed(Function::Ingest);
    site.cloud.set_variables(&ingest, &variables).await.unwrap();

    // Two pages a mood of the road, one with one event and one with three.
    let mut people = Vec::new();
    let mut figures = Recording::default();
    for traffic in [Traffic::Flows, Traffic::LosesRequests, Traffic::LosesAnswers] {
        road.set(traffic);
        let answer = if traffic == Traffic::Flows { "persisted" } else { "logged" };
        for modules in [1, 3] {
            let person = Person { email: format!("p{}@example.org", people.len()), modules };
            let began_at = site.clock.uptime();
            assert_eq!(site.track(&person.page()).await["status"], answer, "{traffic:?}");
            let took = site.clock.uptime() - began_at;
            if traffic != Traffic::Flows {
                figures.add(&latency(), 0, took.as_secs_f64() * 1_000.0);
            }
            people.push(person);
        }
    }

    // See.
    let in_log = site.counted(Function::Ingest, Figure::EventsFallback).await;
    assert_eq!(in_log, 8.0);
    figures.add(&ours(Figure::EventsFallback, "ingest"), 0, in_log);
    figures.minutes = 5;
    let (rings, _) = gone_off(&figures);
    let expected = ["events-in-fallback", "ingest-slow", "ingest-slow-p95"].map(str::to_owned);
    assert_eq!(rings, BTreeSet::from(expected));

    // Do.
    road.set(Traffic::Flows);
    let folder = tempfile::tempdir().unwrap();
    let exported = folder.path().join("fallback.json");
    fs::write(&exported, site.log(Function::Ingest).await.to_string()).unwrap();
    for _ in 0..2 {
        let ended = site.milepost(&["recover", exported.to_str().unwrap()]).await;
        assert!(ended.status.success(), "{ended:?}");
    }

    site.until_at_rest().await;
    for Person { email, modules } in &people {
        let held = site.portal.contact_by_email(email).expect("a contact").properties;
        assert_eq!(held["hhl_total_progress"], modules.to_string(), "{email}");
    }
    assert_eq!(site.portal.stats().contacts, people.len());
    assert_eq!(site.left(&site.queues.dead_letters).await, 0);
    // Stored once, too: all this takes less than the five minutes of SQS's deduplication.
    let events: usize = people.iter().map(|person| person.modules).sum();
    assert_eq!(site.counted(Function::Worker, Figure::EventsApplied).await as usize, events);
}

/// Somebody, and how many modules they complete at once.
struct Person {
    email: String,
    modules: usize,
}

impl Person {
    /// What the page posts.
    fn page(&self) -> Value {
        let event = |module: &&str| module_event("completed", &self.email, module);
        match &MODULES[..self.modules] {
            [module] => event(module),
            modules => json!({ "events": modules.iter().map(event).collect::<Vec<_>>() }),
        }
    }
}

/// Waits until Lambda has counted so many errors of the worker that the alarm goes off, and no other.
async fn until_worker_errors_ring(site: &Site) {
    let rings = async || {
        let (rings, _) = gone_off(&site.worker_errors().await);
        (!rings.is_empty()).then_some(rings)
    };
    let rings = until(&*site.clock, "alarm", rings).await;
    assert_eq!(rings, BTreeSet::from(["worker-errors".to_owned()]));
}

/// Waits until the crowd's events are applied, and counts them.
async fn crowd_is_applied_once(site: &Site) {
    site.until_at_rest().await;
    assert_eq!(site.of_crowd_applied(CROWD), CROWD);
    assert_eq!(site.portal.stats().contacts, CROWD);
    assert_eq!(site.left(&site.queues.dead_letters).await, 0);
    assert_eq!(site.counted(Function::Worker, Figure::EventsApplied).await as usize, CROWD);
}

fn latency() -> Metric {
    let route = [("ApiId", "HttpApi"), ("Stage", "$default"), ("Method", "POST")];
    let route = [&route[..], &[("Resource", "/events/track")]].concat();
    Metric::new("AWS/ApiGateway", "Latency", &route)
}
