//! Batches: who is written, who is refused, and who vanishes without a word.

use serde_json::{Value, json};

use super::bench::{Bench, DATED, V3, over_both_doors};

#[tokio::test]
async fn a_batch_read_names_all_that_is_missing_in_one_error() {
    over_both_doors(async |bench: Bench| {
        let id = bench.create("a@b.co").await;
        let path = format!("{V3}/batch/read");
        let got = bench.post(&path, by_email(&["A@b.co"])).await;
        assert_eq!((got.status, got.ids()), (200, vec![id.as_str()]));
        assert_eq!(got.json.get("errors"), None);

        let got = bench.post(&path, by_email(&["x@y.z", "a@b.co", "q@y.z"])).await;
        assert_eq!((got.status, got.ids()), (207, vec![id.as_str()]));
        assert_eq!(got.json["numErrors"], json!(1));
        assert_eq!(got.json["errors"][0]["category"], json!("OBJECT_NOT_FOUND"));
        assert_eq!(got.json["errors"][0]["context"]["ids"], json!(["x@y.z", "q@y.z"]));

        let got = bench.post(&path, by_email(&["x@y.z"])).await;
        assert_eq!((got.status, got.ids().len()), (207, 0));
    })
    .await;
}

#[tokio::test]
async fn a_batch_read_by_a_secondary_address_brings_the_owner_under_its_primary_one() {
    over_both_doors(async |bench: Bench| {
        let survivor = merged(&bench).await;
        let got = bench.post(&format!("{V3}/batch/read"), by_email(&["two@b.co"])).await;
        assert_eq!((got.status, got.ids()), (200, vec![survivor.as_str()]));
        assert_eq!(got.json["results"][0]["properties"]["email"], json!("one@b.co"));
        assert!(!got.json["results"][0]["properties"].to_string().contains("\"two@b.co\""));
        let both =
            bench.post(&format!("{V3}/batch/read"), by_email(&["two@b.co", "one@b.co"])).await;
        assert_eq!((both.status, both.ids().len()), (200, 1));
    })
    .await;
}

#[tokio::test]
async fn a_batch_has_at_most_100_inputs_and_50_with_histories() {
    over_both_doors(async |bench: Bench| {
        let inputs: Vec<Value> = (0..101).map(|n| json!({"id": n.to_string()})).collect();
        for verb in ["read", "create", "update", "upsert", "archive"] {
            let path = format!("{V3}/batch/{verb}");
            let got = bench.post(&path, json!({"inputs": inputs})).await;
            assert_eq!((got.status, got.category()), (400, "VALIDATION_ERROR"), "{verb}");
            assert!(got.text.contains("supported in a batch is 100."), "{}", got.text);
        }
        let body = json!({"inputs": inputs[..51], "propertiesWithHistory": ["email"]});
        let got = bench.post(&format!("{V3}/batch/read"), body).await;
        assert_eq!(got.status, 400);
        assert!(got.text.contains("batch request for property histories is 50."));
    })
    .await;
}

#[tokio::test]
async fn the_same_id_twice_fails_a_whole_write() {
    over_both_doors(async |bench: Bench| {
        let (id, other) = (bench.create("a@b.co").await, bench.create("c@b.co").await);
        let inputs = [(&id, "t1"), (&other, "t2"), (&id, "t3")].map(|(id, trace)| {
            json!({"id": id, "objectWriteTraceId": trace, "properties": {"firstname": trace}})
        });
        let got = bench.post(&format!("{V3}/batch/update"), json!({"inputs": inputs})).await;
        assert_eq!((got.status, got.category()), (400, "VALIDATION_ERROR"));
        assert_eq!(got.json["context"]["ids"], json!([id]));
        assert_eq!(bench.value(&other, "firstname").await, Value::Null);

        let inputs = ["new@b.co", "NEW@b.co"].map(|id| json!({"id": id, "idProperty": "email"}));
        let got = bench.post(&format!("{V3}/batch/upsert"), json!({"inputs": inputs})).await;
        assert_eq!(got.status, 400);
    })
    .await;
}

#[tokio::test]
async fn without_a_trace_id_on_every_input_one_bad_row_fails_all() {
    over_both_doors(async |bench: Bench| {
        bench.create("taken@b.co").await;
        let create = format!("{V3}/batch/create");
        for traces in [[None, None], [Some("t1"), None], [Some("t1"), Some("t1")]] {
            let rows = json!([new_row("n@b.co", traces[0]), new_row("taken@b.co", traces[1])]);
            let got = bench.post(&create, json!({"inputs": rows})).await;
            assert_eq!((got.status, got.category()), (409, "CONFLICT"), "{traces:?}");
            let rows = json!([new_row("n@b.co", traces[0]), new_row("no address", traces[1])]);
            let got = bench.post(&create, json!({"inputs": rows})).await;
            assert_eq!((got.status, got.code()), (400, "INVALID_EMAIL"), "{traces:?}");
        }
        assert!(bench.portal.contact_by_email("n@b.co").is_none(), "nothing was written");
    })
    .await;
}

#[tokio::test]
async fn with_a_trace_id_on_every_input_the_good_rows_are_written() {
    over_both_doors(async |bench: Bench| {
        let taken = bench.create("taken@b.co").await;
        let rows = json!([
            new_row("taken@b.co", Some("t1")),
            new_row("no address", Some("t2")),
            new_row("n@b.co", Some("t3")),
        ]);
        let got = bench.post(&format!("{DATED}/batch/create"), json!({"inputs": rows})).await;
        assert_eq!((got.status, got.ids().len()), (207, 1));
        let errors = got.json["errors"].as_array().expect("errors");
        assert_eq!(errors[0]["category"], json!("CONFLICT"));
        assert_eq!(errors[0]["context"]["existingId"], json!([taken]));
        assert_eq!(errors[0]["context"]["objectWriteTraceId"], json!(["t1"]));
        assert_eq!(errors[1]["category"], json!("VALIDATION_ERROR"));
        assert_eq!(errors[1]["context"]["objectWriteTraceId"], json!(["t2"]));
        assert!(bench.portal.contact_by_email("n@b.co").is_some());

        let rows = json!([new_row("m@b.co", Some("t1"))]);
        let got = bench.post(&format!("{DATED}/batch/create"), json!({"inputs": rows})).await;
        assert_eq!(got.status, 201);
    })
    .await;
}

#[tokio::test]
async fn an_upsert_conflict_fails_all_when_the_portal_is_of_that_kind() {
    over_both_doors(async |bench: Bench| {
        bench.create("taken@b.co").await;
        let row = |id: &str, trace: &str, email: &str| {
            json!({"id": id, "idProperty": "email", "objectWriteTraceId": trace,
                   "properties": {"email": email}})
        };
        let rows = json!([row("n@b.co", "t1", "n@b.co"), row("m@b.co", "t2", "taken@b.co")]);
        let path = format!("{V3}/batch/upsert");
        bench.portal.set(|settings| settings.upsert_conflict_fails_batch = true);
        let got = bench.post(&path, json!({"inputs": rows})).await;
        assert_eq!((got.status, got.category()), (409, "CONFLICT"));
        assert!(bench.portal.contact_by_email("n@b.co").is_none());
        bench.portal.set(|settings| settings.upsert_conflict_fails_batch = false);
        let got = bench.post(&path, json!({"inputs": rows})).await;
        assert_eq!((got.status, got.ids().len()), (207, 1));
    })
    .await;
}

#[tokio::test]
async fn an_unknown_id_in_an_update_is_named_and_the_others_are_written() {
    over_both_doors(async |bench: Bench| {
        let id = bench.create("a@b.co").await;
        for trace in [None, Some("t2")] {
            let rows = json!([update_row(&id, Some("t1")), update_row("90002", trace)]);
            let got = bench.post(&format!("{V3}/batch/update"), json!({"inputs": rows})).await;
            assert_eq!((got.status, got.ids()), (207, vec![id.as_str()]));
            let context = &got.json["errors"][0]["context"];
            assert_eq!(context["ids"], json!(["90002"]));
            let echoed = trace.map(|trace| json!([trace]));
            assert_eq!(context.get("objectWriteTraceId"), echoed.as_ref());
        }
        assert_eq!(bench.value(&id, "firstname").await, json!("set"));
    })
    .await;
}

#[tokio::test]
async fn a_merged_away_id_and_an_address_as_id_vanish_from_an_update_in_silence() {
    over_both_doors(async |bench: Bench| {
        let survivor = merged(&bench).await;
        let view = bench.portal.contact(survivor.parse().expect("a number")).expect("a contact");
        let old = bench.value(&survivor, "hs_merged_object_ids").await;
        let old = old.as_str().and_then(|ids| ids.split(';').next()).expect("an id").to_owned();
        for id in [old.as_str(), "one@b.co"] {
            let rows = json!([update_row(id, Some("t1"))]);
            let got = bench.post(&format!("{V3}/batch/update"), json!({"inputs": rows})).await;
            assert_eq!((got.status, got.ids().len()), (200, 0), "{id}");
            assert_eq!(got.json.get("errors"), None);
        }
        assert_eq!(bench.portal.contact(view.id), Some(view));
    })
    .await;
}

#[tokio::test]
async fn an_update_takes_no_id_property_unless_switched_on() {
    over_both_doors(async |bench: Bench| {
        let id = bench.create("a@b.co").await;
        let row = json!({"id": "a@b.co", "idProperty": "email", "properties": {"firstname": "A"}});
        let path = format!("{V3}/batch/update");
        let got = bench.post(&path, json!({"inputs": [row]})).await;
        let told = "Unable to perform update/upsert by non-unique 0-1 property email";
        assert_eq!((got.status, got.json["message"].as_str()), (400, Some(told)));
        bench.portal.set(|settings| settings.update_by_email = true);
        let got = bench.post(&path, json!({"inputs": [row]})).await;
        assert_eq!((got.status, got.ids()), (200, vec![id.as_str()]));
    })
    .await;
}

#[tokio::test]
async fn a_batch_without_inputs_succeeds_and_does_nothing() {
    over_both_doors(async |bench: Bench| {
        for verb in ["read", "create", "update", "upsert"] {
            let bare = json!({"properties": {"email": "a@b.co"}});
            let got = bench.post(&format!("{V3}/batch/{verb}"), bare).await;
            assert_eq!((got.status, &got.json["status"]), (200, &json!("COMPLETE")), "{verb}");
            assert_eq!(got.json["results"], json!([]));
        }
        assert_eq!(bench.portal.stats().contacts, 0);
    })
    .await;
}

#[tokio::test]
async fn an_upsert_says_what_is_new_and_finds_owners_by_secondary_address() {
    over_both_doors(async |bench: Bench| {
        let survivor = merged(&bench).await;
        let path = format!("{V3}/batch/upsert");
        let row = |email: &str| {
            json!({"inputs": [{"id": email, "idProperty": "email",
                                       "properties": {"firstname": "A"}}]})
        };
        for (email, expected) in [("n@b.co", true), ("n@b.co", false), ("two@b.co", false)] {
            let got = bench.post(&path, row(email)).await;
            assert_eq!((got.status, &got.json["results"][0]["new"]), (200, &json!(expected)));
        }
        let got = bench.post(&path, row("Two@B.co")).await;
        assert_eq!(got.ids(), [survivor.as_str()]);
        let got =
            bench.post(&path, json!({"inputs": [{"id": "x", "idProperty": "firstname"}]})).await;
        assert_eq!(got.status, 400);
    })
    .await;
}

#[tokio::test]
async fn results_come_in_no_order() {
    over_both_doors(async |bench: Bench| {
        let rows: Vec<Value> = (0..30).map(|n| new_row(&format!("p{n}@b.co"), None)).collect();
        let got = bench.post(&format!("{V3}/batch/create"), json!({"inputs": rows})).await;
        let mut sorted = got.ids();
        sorted.sort_unstable();
        assert_eq!(sorted.len(), 30);
        assert_ne!(got.ids(), sorted);
    })
    .await;
}

#[tokio::test]
async fn errors_of_a_refused_batch_are_not_one_per_input() {
    over_both_doors(async |bench: Bench| {
        let row = |email: &str| json!({"properties": {"email": email, "no": "1", "nay": "2"}});
        let rows = json!([row("a@b.co"), row("c@b.co")]);
        let got = bench.post(&format!("{V3}/batch/create"), json!({"inputs": rows})).await;
        assert_eq!(got.json["errors"].as_array().map(Vec::len), Some(4));
    })
    .await;
}

#[tokio::test]
async fn a_batch_archive_answers_204_whatever_the_ids() {
    over_both_doors(async |bench: Bench| {
        let id = bench.create("a@b.co").await;
        let inputs = json!([{"id": id}, {"id": "90001"}]);
        let got = bench.post(&format!("{V3}/batch/archive"), json!({"inputs": inputs})).await;
        assert_eq!((got.status, got.text.as_str()), (204, ""));
        assert_eq!(bench.get(&format!("{V3}/{id}")).await.status, 404);
    })
    .await;
}

fn by_email(emails: &[&str]) -> Value {
    let inputs: Vec<Value> = emails.iter().map(|email| json!({"id": email})).collect();
    json!({"idProperty": "email", "properties": ["email"], "inputs": inputs})
}

fn new_row(email: &str, trace: Option<&str>) -> Value {
    match trace {
        Some(trace) => json!({"properties": {"email": email}, "objectWriteTraceId": trace}),
        None => json!({"properties": {"email": email}}),
    }
}

fn update_row(id: &str, trace: Option<&str>) -> Value {
    match trace {
        Some(trace) => {
            json!({"id": id, "objectWriteTraceId": trace, "properties": {"firstname": "set"}})
        }
        None => json!({"id": id, "properties": {"firstname": "set"}}),
    }
}

/// A contact with `one@b.co` as its primary address and `two@b.co` as its secondary one.
async fn merged(bench: &Bench) -> String {
    let (first, second) = (bench.create("one@b.co").await, bench.create("two@b.co").await);
    let body = json!({"primaryObjectId": first, "objectIdToMerge": second});
    let got = bench.post(&format!("{V3}/merge"), body).await;
    got.json["id"].as_str().expect("an id").to_owned()
}
