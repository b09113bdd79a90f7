//! Faults: what a client sees of each, and what became of its write.

use http::Method;
use hubspot::transport::NoAnswer;
use serde_json::{Value, json};
use shared::ports::Clock;
use simulator::faults::{FaultKind, FaultRule};

use super::bench::{Bench, PROPERTIES, V3, over_both_doors};

#[tokio::test]
async fn a_fault_of_the_moment_answers_as_hubspot_and_applies_nothing() {
    over_both_doors(async |bench: Bench| {
        use FaultKind::*;
        for (kind, status, policy) in [
            (Unauthorized, 401, None),
            (Forbidden, 403, None),
            (Locked, 423, None),
            (TenSecondly, 429, Some("TEN_SECONDLY_ROLLING")),
            (Secondly, 429, Some("SECONDLY")),
            (Daily, 429, Some("DAILY")),
            (Migrating { retry_after_s: 60 }, 477, None),
            (InternalError, 500, None),
            (Edge { status: 502 }, 502, None),
            (Edge { status: 524 }, 524, None),
        ] {
            bench.portal.set_fault(FaultRule::on("contacts", kind.clone()).times(1));
            let got = bench.post(V3, contact()).await;
            assert_eq!(got.status, status, "{kind:?}");
            assert_eq!(got.json["policyName"].as_str(), policy, "{kind:?}");
            match kind {
                Edge { .. } => {
                    assert_eq!(got.header("content-type"), "text/html");
                    assert!(got.text.starts_with("<html>"));
                }
                Migrating { .. } => assert_eq!(got.header("retry-after"), "60"),
                _ => assert_eq!(got.json["status"], json!("error")),
            }
        }
        assert_eq!(bench.portal.stats().contacts, 0);
        assert_eq!(bench.post(V3, contact()).await.status, 201, "every rule is used up");
    })
    .await;
}

#[tokio::test]
async fn a_slow_answer_takes_its_time_and_the_write_is_made() {
    over_both_doors(async |bench: Bench| {
        bench.portal.set_fault(FaultRule::every(FaultKind::Slow { wait_ms: 60_000 }));
        let before = bench.clock.uptime();
        let got = bench.call_while_time_passes(Method::POST, V3, Some(contact())).await;
        assert_eq!(got.expect("an answer").status, 201);
        assert_eq!((bench.clock.uptime() - before).as_secs(), 60);
    })
    .await;
}

#[tokio::test]
async fn a_cut_connection_tells_nothing_of_the_write() {
    over_both_doors(async |bench: Bench| {
        for (kind, contacts) in [(FaultKind::CutBefore, 0), (FaultKind::CutAfter, 1)] {
            bench.portal.set_fault(FaultRule::every(kind).times(1));
            let got = bench.try_call(Method::POST, V3, Some(contact())).await;
            assert!(matches!(got, Err(NoAnswer::Unknown(_))), "{got:?}");
            assert_eq!(bench.portal.stats().contacts, contacts);
        }
        assert_eq!(bench.post(V3, contact()).await.status, 409, "the second one had landed");
        let statuses: Vec<_> = bench.portal.calls_since(0).iter().map(|call| call.status).collect();
        assert_eq!(statuses, [None, None, Some(409)]);
    })
    .await;
}

#[tokio::test]
async fn a_write_may_be_made_and_answered_with_a_failure() {
    over_both_doors(async |bench: Bench| {
        bench.portal.set_fault(FaultRule::every(FaultKind::AppliedThen { status: 504 }).times(1));
        assert_eq!(bench.post(V3, contact()).await.status, 504);
        bench.portal.set_fault(FaultRule::every(FaultKind::AppliedThen { status: 500 }).times(1));
        let path = format!("{V3}/a@b.co?idProperty=email");
        let body = json!({"properties": {"firstname": "Ada"}});
        let got = bench.patch(&path, body).await;
        assert_eq!((got.status, &got.json["message"]), (500, &json!("internal error")));
        let contact = bench.portal.contact_by_email("a@b.co").expect("it was made");
        assert_eq!(contact.properties["firstname"], "Ada");
    })
    .await;
}

#[tokio::test]
async fn a_late_landing_goes_over_what_came_between() {
    over_both_doors(async |bench: Bench| {
        let id = bench.create("a@b.co").await;
        let path = format!("{V3}/{id}");
        let name = |name: &str| json!({"properties": {"firstname": name}});
        bench
            .portal
            .set_fault(FaultRule::every(FaultKind::LateLanding { after_ms: 20_000 }).times(1));
        let got = bench.try_call(Method::PATCH, &path, Some(name("late"))).await;
        assert!(matches!(got, Err(NoAnswer::Unknown(_))), "{got:?}");
        bench.patch(&path, name("newer")).await;
        assert_eq!(bench.value(&id, "firstname").await, json!("newer"));
        bench.pass(20);
        assert_eq!(bench.value(&id, "firstname").await, json!("late"));
    })
    .await;
}

#[tokio::test]
async fn a_row_may_be_passed_over_in_silence() {
    over_both_doors(async |bench: Bench| {
        bench.portal.set_fault(FaultRule::on("batch/create", FaultKind::SilentNoOp { rows: 2 }));
        let rows: Vec<Value> = (0..5)
            .map(|n| {
                json!({"properties": {"email": format!("p{n}@b.co")},
                            "objectWriteTraceId": n.to_string()})
            })
            .collect();
        let got = bench.post(&format!("{V3}/batch/create"), json!({"inputs": rows})).await;
        assert_eq!((got.status, got.ids().len()), (201, 3));
        assert_eq!(got.json.get("errors"), None);
        assert_eq!(bench.portal.stats().contacts, 3);
    })
    .await;
}

#[tokio::test]
async fn a_property_may_go_away_under_the_client() {
    over_both_doors(async |bench: Bench| {
        let id = bench.create("a@b.co").await;
        let body = json!({"properties": {"hhl_total_progress": "1"}});
        let kind = FaultKind::UnknownProperty { name: "hhl_total_progress".into() };
        let rule = bench.portal.set_fault(FaultRule::every(kind));
        let got = bench.patch(&format!("{V3}/{id}"), body.clone()).await;
        assert_eq!((got.status, got.code()), (400, "PROPERTY_DOESNT_EXIST"));
        let definition = format!("{PROPERTIES}/hhl_total_progress");
        assert_eq!(bench.get(&definition).await.status, 404);
        assert!(bench.portal.clear_fault(rule));
        assert_eq!(bench.patch(&format!("{V3}/{id}"), body.clone()).await.status, 200);

        assert!(bench.portal.archive_property(bench.clock.now(), "hhl_total_progress"));
        let got = bench.patch(&format!("{V3}/{id}"), body).await;
        assert_eq!(got.code(), "PROPERTY_DOESNT_EXIST");
    })
    .await;
}

#[tokio::test]
async fn a_portal_that_is_away_applies_nothing_until_it_is_back() {
    over_both_doors(async |bench: Bench| {
        let until = bench.clock.now() + chrono::TimeDelta::seconds(60);
        let rule = FaultRule { until: Some(until), ..FaultRule::every(FaultKind::Away) };
        bench.portal.set_fault(rule);
        for _ in 0..12 {
            let got = bench.try_call(Method::POST, V3, Some(contact())).await;
            assert!(got.is_err() || got.is_ok_and(|got| got.status >= 502));
        }
        bench.portal.set_fault(FaultRule::every(FaultKind::Refused).times(1));
        bench.pass(60);
        assert!(bench.try_call(Method::POST, V3, Some(contact())).await.is_err());
        assert_eq!(bench.portal.stats().contacts, 0);
        assert_eq!(bench.post(V3, contact()).await.status, 201);
    })
    .await;
}

#[tokio::test]
async fn a_rule_hits_the_calls_its_matcher_names() {
    over_both_doors(async |bench: Bench| {
        let rule = FaultRule {
            method: Some("get".into()),
            nth: Some(2),
            ..FaultRule::on("/contacts/", FaultKind::Locked)
        };
        bench.portal.set_fault(rule);
        let id = bench.create("a@b.co").await;
        let path = format!("{V3}/{id}");
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(bench.get(&path).await.status);
        }
        assert_eq!(statuses, [200, 423, 200]);
        bench.portal.clear_faults();
        let often = FaultRule { probability: Some(0.5), ..FaultRule::every(FaultKind::Locked) };
        bench.portal.set_fault(often);
        let mut locked = 0;
        for _ in 0..60 {
            locked += usize::from(bench.get(&path).await.status == 423);
        }
        assert!((15..=45).contains(&locked), "{locked} of 60");
    })
    .await;
}

#[tokio::test]
async fn the_call_log_names_nobody() {
    over_both_doors(async |bench: Bench| {
        bench.post(V3, contact()).await;
        bench.get(&format!("{V3}/a%40b.co?idProperty=email")).await;
        let body = json!({"inputs": [{"id": "a@b.co"}], "idProperty": "email"});
        bench.post(&format!("{V3}/batch/read"), body).await;
        let calls = bench.portal.calls_since(0);
        let log = format!("{calls:?}");
        assert!(!log.contains("b.co") && !log.contains(&bench.token), "{log}");
        assert_eq!(calls[1].path, "/crm/v3/objects/contacts/{id}");
        assert_eq!((calls[2].inputs, calls[2].status), (1, Some(200)));
        assert_eq!(calls[0].written.len(), 1);
        assert_eq!(bench.portal.calls_since(2).len(), 1);
    })
    .await;
}

fn contact() -> Value {
    json!({"properties": {"email": "a@b.co"}})
}
