//! Single records: what they look like, who answers to which address, how they end.

use http::Method;
use serde_json::{Value, json};

use super::bench::{Bench, DATED, Got, V3, over_both_doors};

#[tokio::test]
async fn every_root_leads_to_one_store() {
    over_both_doors(async |bench: Bench| {
        let id = bench.create("a@b.co").await;
        for root in [
            "/crm/v3/objects/contacts",
            "/crm/v3/objects/0-1",
            "/crm/objects/2025-09/contacts",
            "/crm/objects/2026-03/0-1",
            "/crm/objects/2026-09/contacts",
        ] {
            assert_eq!(bench.get(&format!("{root}/{id}")).await.status, 200, "{root}");
        }
        assert_eq!(bench.get(&format!("/crm/objects/2031-01/contacts/{id}")).await.status, 404);
        let unknown = bench.get(&format!("/crm/v3/objects/spaceships/{id}")).await;
        assert_eq!((unknown.status, unknown.category()), (400, "VALIDATION_ERROR"));
    })
    .await;
}

#[tokio::test]
async fn an_unknown_token_is_401_and_a_missing_scope_403() {
    over_both_doors(async |mut bench: Bench| {
        bench.token = "unknown".into();
        let got = bench.get(V3).await;
        assert_eq!((got.status, got.category()), (401, "INVALID_AUTHENTICATION"));

        bench.portal.grant("reader", &["crm.objects.contacts.read"]);
        bench.token = "reader".into();
        assert_eq!(bench.get(V3).await.status, 200);
        let got = bench.post(V3, json!({"properties": {"email": "a@b.co"}})).await;
        assert_eq!((got.status, got.category()), (403, "MISSING_SCOPES"));
        let missing = &got.json["errors"][0]["context"]["requiredGranularScopes"];
        assert_eq!(*missing, json!(["crm.objects.contacts.write"]));

        bench.portal.revoke("reader");
        assert_eq!(bench.get(V3).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn an_error_names_its_correlation_id_in_body_and_header() {
    over_both_doors(async |bench: Bench| {
        let got = bench.get(&format!("{V3}/999")).await;
        assert_eq!(got.header("content-type"), "application/json;charset=utf-8");
        let id = got.json["correlationId"].as_str().expect("a correlation id");
        assert_eq!(got.header("x-hubspot-correlation-id"), id);
        assert_eq!((id.len(), id.as_bytes()[14]), (36, b'7'));
        assert!(!got.text.contains(": "), "compact JSON: {}", got.text);
    })
    .await;
}

#[tokio::test]
async fn values_are_text_and_an_empty_one_clears() {
    over_both_doors(async |bench: Bench| {
        let id = bench.create("a@b.co").await;
        let path = format!("{V3}/{id}");
        let body = json!({"properties": {"hhl_total_progress": 42, "firstname": true}});
        assert_eq!(bench.patch(&path, body).await.status, 200);
        assert_eq!(bench.value(&id, "hhl_total_progress").await, json!("42"));
        assert_eq!(bench.value(&id, "firstname").await, json!("true"));
        bench.patch(&path, json!({"properties": {"firstname": ""}})).await;
        assert_eq!(bench.value(&id, "firstname").await, Value::Null);

        let got = bench.patch(&path, json!({"properties": {"nonsense": "1"}})).await;
        assert_eq!((got.status, got.code()), (400, "PROPERTY_DOESNT_EXIST"));
        let got = bench.patch(&path, json!({"properties": {"createdate": "1"}})).await;
        assert_eq!((got.status, got.code()), (400, "READ_ONLY_VALUE"));
        let read = bench.get(&format!("{path}?properties=nonsense,lastname")).await;
        assert_eq!(read.json["properties"].get("nonsense"), None);
        assert_eq!(read.json["properties"]["lastname"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn primary_and_secondary_addresses_are_one_namespace_without_case() {
    over_both_doors(async |bench: Bench| {
        let id = bench.create("  Ada@B.Co ").await;
        assert_eq!(bench.value(&id, "email").await, json!("ada@b.co"));
        let got = bench.post(V3, json!({"properties": {"email": "ADA@b.co"}})).await;
        assert_eq!(got.status, 409);

        let other = bench.create("second@b.co").await;
        let body = json!({"primaryObjectId": id, "objectIdToMerge": other});
        let merged = bench.post(&format!("{V3}/merge"), body).await;
        let survivor = merged.json["id"].as_str().expect("an id");
        let got = bench.post(V3, json!({"properties": {"email": "Second@b.co"}})).await;
        let told = format!("Contact already exists. Existing ID: {survivor}");
        assert_eq!((got.status, got.json["message"].as_str()), (409, Some(told.as_str())));
    })
    .await;
}

#[tokio::test]
async fn a_missing_record_is_told_by_the_shape_of_its_id() {
    over_both_doors(async |bench: Bench| {
        for method in [Method::GET, Method::PATCH] {
            let body = (method == Method::PATCH).then(|| json!({"properties": {}}));
            let path = format!("{V3}/90001");
            let got = bench.call(method.clone(), &path, body.clone()).await;
            assert_eq!((got.status, &got.json["message"]), (404, &json!("resource not found")));
            assert_eq!(got.json.get("category"), None);

            let got = bench.call(method, &format!("{V3}/a%40b.co"), body).await;
            assert_eq!((got.status, got.category()), (404, "OBJECT_NOT_FOUND"));
            assert_eq!(got.json["context"]["id"], json!(["a@b.co"]));
            let told = "Object not found.  objectId are usually numeric.";
            assert_eq!(got.json["message"], json!(told));
        }
        let got = bench.get(&format!("{V3}/a%40b.co?idProperty=email")).await;
        assert_eq!(got.status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_created_record_has_its_location_and_a_second_one_conflicts() {
    over_both_doors(async |bench: Bench| {
        let body = json!({"properties": {"email": "a@b.co"}});
        let got = bench.post(DATED, body.clone()).await;
        let id = got.json["id"].as_str().expect("an id").to_owned();
        assert_eq!(got.status, 201);
        assert!(got.header("location").ends_with(&id));
        assert_eq!(got.json["properties"]["lifecyclestage"], json!("lead"));

        let got = bench.post(DATED, body.clone()).await;
        assert_eq!((got.status, got.category()), (409, "CONFLICT"));
        bench.portal.set(|settings| settings.conflict_with_identity_profile = true);
        let got = bench.post(DATED, body).await;
        assert_eq!((got.status, got.category()), (409, "OBJECT_ALREADY_EXISTS"));
        assert_eq!(got.json["identityProfile"]["vid"].to_string(), id);

        let got = bench.post(DATED, json!({"properties": {"phone": "1"}})).await;
        assert_eq!((got.status, got.category()), (400, "VALIDATION_ERROR"));
    })
    .await;
}

#[tokio::test]
async fn a_refusal_lists_every_wrong_value_twice() {
    over_both_doors(async |bench: Bench| {
        let body = json!({"properties": {"email": "no address", "nonsense": "1"}});
        let got = bench.post(V3, body).await;
        assert_eq!((got.status, got.category()), (400, "VALIDATION_ERROR"));
        let message = got.json["message"].as_str().expect("a message");
        let array = message.strip_prefix("Property values were not valid: ").expect("the prefix");
        let inner: Value = serde_json::from_str(array).expect("a JSON array");
        let codes: Vec<&Value> =
            inner.as_array().expect("an array").iter().map(|wrong| &wrong["error"]).collect();
        assert_eq!(codes, ["INVALID_EMAIL", "PROPERTY_DOESNT_EXIST"]);
        let errors = got.json["errors"].as_array().expect("errors");
        assert_eq!(errors[1]["context"]["propertyName"], json!(["nonsense"]));
    })
    .await;
}

#[tokio::test]
async fn a_date_off_midnight_is_refused_before_2026_09_and_cut_to_its_day_from_then_on() {
    over_both_doors(async |bench: Bench| {
        let id = bench.create("a@b.co").await;
        let body = json!({"properties": {"hhl_last_activity": 1_570_233_600}});
        let got = bench.patch(&format!("{V3}/{id}"), body.clone()).await;
        assert_eq!((got.status, got.code()), (400, "INVALID_DATE"));
        assert!(got.text.contains("1570233600 is at 4:10:33.600 UTC, not midnight!"));

        let got = bench.patch(&format!("{DATED}/{id}"), body).await;
        assert_eq!(got.status, 200);
        assert_eq!(got.json["warnings"][0]["category"], json!("PROPERTY_VALUE_NORMALIZED"));
        assert_eq!(bench.value(&id, "hhl_last_activity").await, json!("2019-10-05"));
    })
    .await;
}

#[tokio::test]
async fn an_option_a_number_and_a_length_are_checked() {
    over_both_doors(async |bench: Bench| {
        let id = bench.create("a@b.co").await;
        for (property, value, code) in [
            ("hhl_last_viewed_type", "video".to_owned(), "INVALID_OPTION"),
            ("hhl_total_progress", "many".to_owned(), "INVALID_LONG"),
            ("firstname", "x".repeat(65_537), "PROPERTY_VALUE_TOO_LONG"),
        ] {
            let got = bench.patch(&format!("{V3}/{id}"), set(property, &value)).await;
            assert_eq!((got.status, got.code()), (400, code), "{property}");
        }
        let got = bench.patch(&format!("{V3}/{id}"), set("hhl_last_viewed_type", "video")).await;
        assert!(got.text.contains("value: "), "the options are listed: {}", got.text);
        bench.portal.set(|settings| settings.bad_number_is_invalid_integer = true);
        let got = bench.patch(&format!("{V3}/{id}"), set("hhl_total_progress", "many")).await;
        assert_eq!(got.code(), "INVALID_INTEGER");
    })
    .await;
}

#[tokio::test]
async fn the_lifecycle_stage_only_moves_forward() {
    over_both_doors(async |bench: Bench| {
        let id = bench.create("a@b.co").await;
        bench.patch(&format!("{V3}/{id}"), set("lifecyclestage", "customer")).await;
        bench.patch(&format!("{V3}/{id}"), set("lifecyclestage", "lead")).await;
        assert_eq!(bench.value(&id, "lifecyclestage").await, json!("customer"));
    })
    .await;
}

#[tokio::test]
async fn a_write_of_the_same_value_moves_the_modification_time() {
    over_both_doors(async |bench: Bench| {
        let id = bench.create("a@b.co").await;
        let created = bench.value(&id, "lastmodifieddate").await;
        bench.pass(1);
        bench.patch(&format!("{V3}/{id}"), set("email", "a@b.co")).await;
        assert_ne!(bench.value(&id, "lastmodifieddate").await, created);
        assert_eq!(bench.value(&id, "createdate").await, created);
    })
    .await;
}

#[tokio::test]
async fn the_portals_clock_may_be_off() {
    over_both_doors(async |bench: Bench| {
        bench.portal.set(|settings| settings.clock_skew_ms = -3_600_000);
        let id = bench.create("a@b.co").await;
        // The clock stands at 14:13:20.
        assert_eq!(bench.value(&id, "createdate").await, json!("2026-09-21T13:13:20Z"));
    })
    .await;
}

#[tokio::test]
async fn a_list_has_pages_by_id_and_hides_the_archived() {
    over_both_doors(async |bench: Bench| {
        let mut ids = Vec::new();
        for n in 0..5 {
            ids.push(bench.create(&format!("p{n}@b.co")).await);
        }
        assert_eq!(bench.delete(&format!("{V3}/{}", ids[4])).await.status, 204);
        let first = bench.get(&format!("{V3}?limit=3")).await;
        assert_eq!(first.ids(), ids[..3]);
        let after = first.json["paging"]["next"]["after"].as_str().expect("a next page");
        assert_eq!(after, ids[3]);
        let last = bench.get(&format!("{V3}?limit=3&after={after}")).await;
        assert_eq!(last.ids(), ids[3..4]);
        assert_eq!(last.json.get("paging"), None);
        let archived = bench.get(&format!("{V3}?archived=true")).await;
        assert_eq!(archived.ids(), ids[4..]);
        assert_eq!(bench.get(&format!("{V3}?limit=101")).await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn an_archived_record_is_hidden_and_its_address_free() {
    over_both_doors(async |bench: Bench| {
        let id = bench.create("a@b.co").await;
        assert_eq!(bench.delete(&format!("{V3}/{id}")).await.status, 204);
        assert_eq!(bench.delete(&format!("{V3}/999999")).await.status, 204);
        assert_eq!(bench.get(&format!("{V3}/{id}")).await.status, 404);
        let archived = bench.get(&format!("{V3}/{id}?archived=true")).await;
        assert_eq!((archived.status, &archived.json["archived"]), (200, &json!(true)));
        assert_ne!(bench.create("a@b.co").await, id);
    })
    .await;
}

#[tokio::test]
async fn a_merge_makes_a_new_id_and_the_old_ones_lead_to_it() {
    over_both_doors(async |bench: Bench| {
        let (first, second) = (bench.create("one@b.co").await, bench.create("two@b.co").await);
        let got = merge(&bench, &first, &second).await;
        let survivor = got.json["id"].as_str().expect("an id").to_owned();
        assert!(survivor != first && survivor != second);
        assert_eq!(bench.value(&survivor, "hs_additional_emails").await, json!("two@b.co"));
        let ids = bench.value(&survivor, "hs_merged_object_ids").await;
        assert_eq!(ids, json!(format!("{second};{first}")));
        let vids = bench.value(&survivor, "hs_calculated_merged_vids").await;
        assert!(vids.as_str().expect("vids").starts_with(&format!("{second}:")), "{vids}");
        for old in [&first, &second] {
            let got = bench.get(&format!("{V3}/{old}")).await;
            assert_eq!((got.status, &got.json["id"]), (200, &json!(survivor)));
        }

        bench.portal.set(|settings| settings.merge_keeps_primary_id = true);
        let third = bench.create("three@b.co").await;
        let got = merge(&bench, &survivor, &third).await;
        assert_eq!(got.json["id"], json!(survivor));
    })
    .await;
}

#[tokio::test]
async fn a_person_deleted_for_good_may_come_back_by_the_api_unless_switched_off() {
    over_both_doors(async |bench: Bench| {
        let id = bench.create("a@b.co").await;
        let body = json!({"objectId": "a@b.co", "idProperty": "email"});
        let path = format!("{V3}/gdpr-delete");
        assert_eq!(bench.post(&path, body.clone()).await.status, 204);
        assert_eq!(bench.get(&format!("{V3}/{id}?archived=true")).await.status, 404);
        assert_ne!(bench.create("a@b.co").await, id);

        assert_eq!(bench.post(&path, body).await.status, 204);
        bench.portal.set(|settings| settings.gdpr_blocks_create = true);
        assert_eq!(bench.post(V3, set("email", "a@b.co")).await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn an_administrators_rule_binds_writes_from_2026_09_on() {
    over_both_doors(async |bench: Bench| {
        let rules = json!({"required": [
            {"property": "firstname"},
            {"property": "city", "when": {"property": "country", "values": ["DE"]}},
        ]});
        let settings = bench.portal.settings().patched(&rules).expect("settings");
        bench.portal.set(|present| *present = settings);
        let got = bench.post(DATED, set("email", "a@b.co")).await;
        assert_eq!((got.status, got.code()), (400, "MISSING_REQUIRED_PROPERTY"));
        assert_eq!(got.json["message"], json!("The property values provided are invalid"));
        let id = bench.create("a@b.co").await;
        let got = bench.patch(&format!("{DATED}/{id}"), set("country", "DE")).await;
        assert_eq!((got.status, got.code()), (400, "MISSING_CONDITIONAL_REQUIRED_PROPERTY"));
        assert_eq!(bench.patch(&format!("{V3}/{id}"), set("country", "DE")).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn the_last_writer_wins_whoever_it_is() {
    over_both_doors(async |bench: Bench| {
        let id = bench.create("a@b.co").await;
        bench.patch(&format!("{V3}/{id}"), set("firstname", "ours")).await;
        let edit = [("firstname".to_owned(), "theirs".to_owned())].into();
        let number = id.parse().expect("a number");
        let now = shared::ports::Clock::now(&bench.clock);
        bench.portal.edit_contact(now, number, &edit).expect("an edit");
        assert_eq!(bench.value(&id, "firstname").await, json!("theirs"));
        bench.patch(&format!("{V3}/{id}"), set("firstname", "ours")).await;
        assert_eq!(bench.value(&id, "firstname").await, json!("ours"));
    })
    .await;
}

#[tokio::test]
async fn an_event_is_accepted_once_per_uuid_if_it_is_defined() {
    over_both_doors(async |bench: Bench| {
        let body = json!({"label": "Lesson", "name": "lesson", "propertyDefinitions": []});
        let defined = bench.post("/events/v3/event-definitions", body).await;
        let name = defined.json["fullyQualifiedName"].as_str().expect("a name").to_owned();
        assert_eq!(defined.status, 201);
        let event = json!({"eventName": name, "email": "a@b.co", "uuid": "1"});
        for path in ["/events/v3/send", "/events/2026-03/send", "/events/custom/2026-09/send"] {
            let got = bench.post(path, event.clone()).await;
            assert_eq!((got.status, got.text.as_str()), (204, ""), "{path}");
        }
        assert_eq!(bench.portal.stats().events, 1);
        let unknown = json!({"eventName": "pe1_nothing", "email": "a@b.co"});
        assert_eq!(bench.post("/events/v3/send", unknown).await.status, 404);
        let many = json!({"inputs": vec![event; 501]});
        assert_eq!(bench.post("/events/v3/send/batch", many).await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn bad_json_is_400_without_a_category() {
    over_both_doors(async |bench: Bench| {
        let got = bench.post(V3, json!("no object")).await;
        assert_eq!((got.status, got.json.get("category")), (400, None));
        let told = got.json["message"].as_str().expect("a message");
        assert!(told.starts_with("Invalid input JSON on line 1, column "), "{told}");
    })
    .await;
}

fn set(property: &str, value: &str) -> Value {
    json!({"properties": {property: value}})
}

async fn merge(bench: &Bench, primary: &str, loser: &str) -> Got {
    let body = json!({"primaryObjectId": primary, "objectIdToMerge": loser});
    let got = bench.post(&format!("{V3}/merge"), body).await;
    assert_eq!(got.status, 200, "{}", got.text);
    got
}
