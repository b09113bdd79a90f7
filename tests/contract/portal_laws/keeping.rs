//! What a restart keeps, what a seed fixes, and the admin API.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::Method;
use hubspot::transport::{Dial, Request, Transport};
use serde_json::{Value, json};
use simulation::clock::VirtualClock;
use simulator::exchange::PortalRequest;
use simulator::{Engine, LOCAL_TOKEN, Portal};
use simulator_server::http_door;

use super::bench::V3;

#[tokio::test]
async fn an_answered_write_is_on_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let portal = simulator_server::open(folder.path()).expect("a portal");
    portal.define_milepost_properties();
    let create = |portal: &Portal, email: &str| {
        let body = json!({"properties": {"email": email, "hhl_total_progress": "3"}});
        let reply = portal.handle(start(), &request(Method::POST, V3, Some(body)));
        assert_eq!(reply.status, 201);
        let record: Value = serde_json::from_slice(&reply.body).expect("JSON");
        record["id"].as_str().and_then(|id| id.parse::<u64>().ok()).expect("an id")
    };
    let (first, second) = (create(&portal, "one@b.co"), create(&portal, "two@b.co"));
    let third = create(&portal, "three@b.co");
    portal.merge_contacts(start(), first, second).expect("a merge");
    assert!(portal.forget_contact(start(), third));
    portal.set(|settings| settings.burst_max = 190);
    let before = portal.contacts(10, 0);
    // As after a kill: nothing is closed, nothing is dropped.
    std::mem::forget(portal);

    let portal = simulator_server::open(folder.path()).expect("the portal again");
    assert_eq!(portal.contacts(10, 0), before);
    assert_eq!(
        portal.contact(first).map(|c| c.id),
        portal.contact_by_email("two@b.co").map(|c| c.id)
    );
    assert_eq!(portal.settings().burst_max, 190);
    assert!(portal.stats().used_today >= 3);
    assert!(create(&portal, "four@b.co") > third, "ids are not used twice");
}

#[test]
fn one_seed_is_one_sequence_of_bytes() {
    let run = |seed: u64| -> Vec<u8> {
        let mut engine = Engine::new(seed);
        let inputs: Vec<Value> =
            (0..20).map(|n| json!({"properties": {"email": format!("p{n}@b.co")}})).collect();
        let create = json!({"inputs": inputs});
        let mut bytes = Vec::new();
        for step in 0..3 {
            let path = format!("{V3}/batch/create");
            let request = request(Method::POST, &path, Some(create.clone()));
            let reply = engine.handle(start() + TimeDelta::seconds(step), &request);
            bytes.extend_from_slice(format!("{:?}", reply.headers).as_bytes());
            bytes.extend_from_slice(&reply.body);
        }
        bytes
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[tokio::test]
async fn the_admin_api_does_what_its_table_says() {
    let portal = Arc::new(Portal::in_memory(1));
    let clock = VirtualClock::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(http_door::serve(
        listener,
        Arc::clone(&portal),
        Arc::new(clock.clone()),
        async move {
            let _ = stopped.await;
        },
    ));
    let dial = Dial::new(&format!("http://{address}")).expect("a client");
    let call = async |method: Method, path: &str, body: Value| -> (u16, Value) {
        let request = Request {
            method,
            path: format!("/_portal/{path}"),
            token: String::new(),
            body: (!body.is_null()).then(|| body.to_string().into()),
            timeout: Duration::from_secs(10),
        };
        let answer = dial.call(request).await.expect("an answer");
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    };
    use Method as M;
    let (status, made) = call(M::POST, "contacts", json!({"email": "one@b.co"})).await;
    assert_eq!(status, 201);
    let one = made["id"].to_string();
    let (_, made) = call(M::POST, "contacts", json!({"email": "two@b.co"})).await;
    let two = made["id"].to_string();
    assert_eq!(call(M::POST, "contacts", json!({"email": "two@b.co"})).await.0, 400);
    let renamed = json!({"email": "uno@b.co", "firstname": "Uno"});
    assert_eq!(call(M::PATCH, &format!("contacts/{one}"), renamed).await.0, 200);
    let (_, shown) = call(M::GET, &format!("contacts/{one}"), Value::Null).await;
    assert_eq!(shown["email"], json!("uno@b.co"));
    let (primary, loser): (u64, u64) = (one.parse().unwrap(), two.parse().unwrap());
    let (status, merged) =
        call(M::POST, "merge", json!({"primary": primary, "loser": loser})).await;
    assert_eq!(status, 200);
    let (_, list) = call(M::GET, "contacts?limit=5", Value::Null).await;
    assert_eq!((&list["total"], &list["contacts"][0]["id"]), (&json!(1), &merged["id"]));

    let rule = json!({"kind": {"edge": {"status": 503}}, "path": "/batch/", "count": 2});
    let (status, set) = call(M::POST, "faults", rule).await;
    assert_eq!((status, &set["id"]), (201, &json!(1)));
    for wrong in [
        json!({"kind": "explode"}),
        json!({"kind": {"edge": {"status": 200}}}),
        json!({"kind": {"late_landing": {"after_ms": 60_000}}}),
        json!({"kind": "away", "probability": 2}),
    ] {
        assert!(matches!(call(M::POST, "faults", wrong).await.0, 400 | 422));
    }
    let (_, faults) = call(M::GET, "faults", Value::Null).await;
    assert_eq!(faults["faults"][0]["rule"]["kind"], json!({"edge": {"status": 503}}));
    assert_eq!(call(M::DELETE, "faults/1", Value::Null).await.0, 204);
    assert_eq!(call(M::DELETE, "faults/1", Value::Null).await.0, 404);
    assert_eq!(call(M::DELETE, "faults", Value::Null).await.0, 204);

    let (status, settings) =
        call(M::PATCH, "settings", json!({"burst_max": 190, "clock_skew_ms": -5000})).await;
    assert_eq!((status, &settings["burst_max"]), (200, &json!(190)));
    assert_eq!(call(M::PATCH, "settings", json!({"burst": 1})).await.0, 400);
    assert_eq!(call(M::POST, "day", json!({"used": 249_000})).await.0, 204);
    assert_eq!(portal.stats().used_today, 249_000);
    assert_eq!(call(M::POST, "tokens", json!({"token": "t", "scopes": []})).await.0, 204);
    assert_eq!(call(M::DELETE, "tokens", json!({"token": "t"})).await.0, 204);
    assert_eq!(call(M::GET, "calls?since=0", Value::Null).await.1["calls"], json!([]));
    assert_eq!(call(M::GET, "stats", Value::Null).await.1["contacts"], json!(1));
    let end = format!("contacts/{}?forever=true", merged["id"]);
    assert_eq!(call(M::DELETE, &end, Value::Null).await.0, 204);
    assert_eq!(call(M::POST, "reset", json!({"seed": 3})).await.0, 204);
    assert_eq!(portal.settings().burst_max, 100);
    assert_eq!(call(M::DELETE, "properties/hhl_last_activity", Value::Null).await.0, 204);
    stop.send(()).expect("the door is open");
    served.await.expect("no panic").expect("an orderly end");
}

fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_790_000_000)
}

fn request(method: Method, path: &str, body: Option<Value>) -> PortalRequest {
    PortalRequest {
        method,
        path: path.into(),
        token: Some(LOCAL_TOKEN.into()),
        body: body.map(|body| body.to_string().into()).unwrap_or_default(),
    }
}
