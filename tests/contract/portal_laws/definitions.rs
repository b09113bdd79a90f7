//! Properties and groups: made, changed, archived, brought back.

use serde_json::{Value, json};

use super::bench::{Bench, PROPERTIES, V3, over_both_doors};

#[tokio::test]
async fn a_new_property_is_seen_a_moment_later_and_made_once() {
    over_both_doors(async |bench: Bench| {
        let got = bench.post(PROPERTIES, property("color")).await;
        assert_eq!(got.status, 201);
        assert!(got.header("location").ends_with("/color"));
        let path = format!("{PROPERTIES}/color");
        let early = bench.get(&path).await;
        assert_eq!((early.status, early.category()), (404, "OBJECT_NOT_FOUND"));
        bench.pass(1);
        let got = bench.get(&path).await;
        assert_eq!((got.status, &got.json["fieldType"]), (200, &json!("text")));
        let id = bench.create("a@b.co").await;
        let body = json!({"properties": {"color": "red"}});
        assert_eq!(bench.patch(&format!("{V3}/{id}"), body).await.status, 200);

        let again = bench.post(PROPERTIES, property("color")).await;
        assert_eq!((again.status, again.category()), (409, "OBJECT_ALREADY_EXISTS"));
        assert_eq!(again.json["subCategory"], json!("Properties.PROPERTY_WITH_NAME_EXISTS"));
        assert_eq!(bench.get(&format!("{PROPERTIES}/nothing")).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn an_archived_property_comes_back_by_its_name() {
    over_both_doors(async |bench: Bench| {
        bench.post(PROPERTIES, property("color")).await;
        bench.pass(1);
        let path = format!("{PROPERTIES}/color");
        let made = bench.get(&path).await.json["createdAt"].clone();
        assert_eq!(bench.delete(&path).await.status, 204);
        assert_eq!(bench.get(&path).await.status, 404);
        assert_eq!(bench.get(&format!("{path}?archived=true")).await.status, 200);
        let got = bench.post(PROPERTIES, property("color")).await;
        assert_eq!((got.status, &got.json["createdAt"]), (201, &made));
        bench.pass(1);
        assert_eq!(bench.get(&path).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_definition_is_checked_and_its_options_are_replaced_whole() {
    over_both_doors(async |bench: Bench| {
        for (name, value) in [
            ("name", "Bad Name"),
            ("type", "color"),
            ("fieldType", "select"),
            ("groupName", "nowhere"),
            ("label", ""),
        ] {
            let mut wrong = property("color");
            wrong[name] = value.into();
            assert_eq!(bench.post(PROPERTIES, wrong).await.status, 400, "{name}");
        }
        let path = format!("{PROPERTIES}/hhl_last_viewed_type");
        let options = json!({"options": [{"value": "video", "label": "Video"}]});
        assert_eq!(bench.patch(&path, options).await.status, 200);
        let got = bench.get(&path).await;
        assert_eq!(got.json["options"].as_array().map(Vec::len), Some(1));
        let got = bench.patch(&path, json!({"label": "Kind"})).await;
        assert_eq!(got.json["options"].as_array().map(Vec::len), Some(1));
        assert_eq!(bench.delete(&format!("{PROPERTIES}/email")).await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn a_batch_of_definitions_says_which_are_there_already() {
    over_both_doors(async |bench: Bench| {
        bench.post(PROPERTIES, property("color")).await;
        let body = json!({"inputs": [property("color"), property("size")]});
        let got = bench.post(&format!("{PROPERTIES}/batch/create"), body).await;
        assert_eq!((got.status, &got.json["results"][0]["name"]), (207, &json!("size")));
        assert_eq!(got.json["errors"][0]["category"], json!("OBJECT_ALREADY_EXISTS"));
        bench.pass(1);
        let body = json!({"inputs": [{"name": "color"}, {"name": "nothing"}]});
        let got = bench.post(&format!("{PROPERTIES}/batch/read"), body).await;
        assert_eq!((got.status, &got.json["numErrors"]), (207, &json!(1)));
        let body = json!({"inputs": [{"name": "color"}, {"name": "nothing"}]});
        assert_eq!(bench.post(&format!("{PROPERTIES}/batch/archive"), body).await.status, 204);
        let names: Vec<Value> = bench.get(PROPERTIES).await.json["results"]
            .as_array()
            .expect("results")
            .iter()
            .map(|property| property["name"].clone())
            .collect();
        assert!(names.contains(&json!("size")) && !names.contains(&json!("color")));
    })
    .await;
}

#[tokio::test]
async fn a_group_lives_until_it_is_empty_and_archived() {
    over_both_doors(async |bench: Bench| {
        let groups = format!("{PROPERTIES}/groups");
        let got = bench.post(&groups, json!({"name": "mine", "label": "Mine"})).await;
        assert_eq!(got.status, 201);
        bench.pass(1);
        let again = bench.post(&groups, json!({"name": "mine", "label": "Mine"})).await;
        assert_eq!(again.status, 409);
        let path = format!("{groups}/mine");
        assert_eq!(bench.get(&path).await.json["label"], json!("Mine"));
        assert_eq!(bench.patch(&path, json!({"label": "Ours"})).await.status, 200);
        let mut inside = property("color");
        inside["groupName"] = json!("mine");
        assert_eq!(bench.post(PROPERTIES, inside).await.status, 201);
        assert_eq!(bench.delete(&path).await.status, 400);
        bench.pass(1);
        bench.delete(&format!("{PROPERTIES}/color")).await;
        assert_eq!(bench.delete(&path).await.status, 204);
        assert_eq!(bench.get(&path).await.status, 404);
    })
    .await;
}

fn property(name: &str) -> Value {
    json!({"name": name, "label": "L", "type": "string", "fieldType": "text",
           "groupName": "contactinformation"})
}
