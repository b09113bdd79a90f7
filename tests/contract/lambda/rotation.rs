//! `HUBSPOT_TOKEN_PARAMETER`: the token is in the parameter store, and is rotated there while the
//! worker lives.

use simulator::LOCAL_TOKEN;
use tests::binaries::Function;
use tests::cloud::Cloud;
use tests::emulator::Emulator;

use super::{Bench, module_event, track};

const PARAMETER: &str = "/milepost/hubspot-token";
const NEW_TOKEN: &str = "pat-na1-11111111-1111-4111-8111-rotatedtoken";

#[tokio::test]
async fn a_token_that_is_rotated_is_found_without_a_restart() {
    let bench = Bench::start().await;
    let cloud = Cloud::of(&bench.ministack);
    cloud.put_parameter(PARAMETER, LOCAL_TOKEN).await.unwrap();
    let mut variables = bench.variables(Function::Worker);
    variables.remove("HUBSPOT_PRIVATE_APP_TOKEN");
    variables.insert("HUBSPOT_TOKEN_PARAMETER", PARAMETER.to_owned());
    variables.insert("AWS_ENDPOINT_URL_SSM", bench.ministack.endpoint());
    let program = Function::Worker.program().await.unwrap();
    let worker = Emulator::start(program, &variables).await.unwrap();
    let ingest = bench.emulated(Function::Ingest).await;

    applied(&bench, &ingest, &worker, "first@example.org").await;

    bench.portal.revoke(LOCAL_TOKEN);
    bench.portal.grant(NEW_TOKEN, &[]);
    cloud.put_parameter(PARAMETER, NEW_TOKEN).await.unwrap();
    applied(&bench, &ingest, &worker, "second@example.org").await;

    let said = worker.said().unwrap();
    assert!(!said.contains(LOCAL_TOKEN) && !said.contains(NEW_TOKEN), "{said}");
}

/// Sends an event through ingest and worker, and finds it applied.
async fn applied(bench: &Bench, ingest: &Emulator, worker: &Emulator, email: &str) {
    let event = module_event("started", email, "what-is-hedgehog");
    assert_eq!(track(ingest, &event).await["queued"], true);
    let messages = bench.receive(10).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(bench.hand_over(worker, &messages).await, [""; 0]);
    assert!(bench.held(email).is_some(), "{email} is no contact");
}
