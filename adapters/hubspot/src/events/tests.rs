//! Definitions as portals have them, and requests as the specification has them.

use serde_json::json;

use super::*;

fn definition(name: &str, properties: &[(&str, &str)]) -> EventDefinition {
    let properties: Vec<Value> =
        properties.iter().map(|(name, kind)| json!({ "name": name, "type": kind })).collect();
    let body = json!({ "fullyQualifiedName": name, "archived": null, "properties": properties });
    serde_json::from_value(body).unwrap()
}

#[test]
fn an_event_is_ours_by_its_qualified_name_alone() {
    #[track_caller]
    fn check(name: &str, event: Option<EventName>) {
        assert_eq!(definition(name, &[]).event(), event, "{name}");
    }
    check("pe7_learning_module_started", Some(EventName::ModuleStarted));
    check("pe20260101_learning_page_viewed", Some(EventName::PageViewed));
    check("learning_page_viewed", None);
    check("pe_learning_page_viewed", None);
    check("pex_learning_page_viewed", None);
    check("pe7_other_learning_page_viewed", None);
    check("e_clicked_link", None);
    let archived =
        EventDefinition { archived: true, ..definition("pe7_learning_page_viewed", &[]) };
    assert_eq!(archived.event(), None);
}

/// All of ours, as they must be.
fn right() -> Vec<EventDefinition> {
    let properties = EVENT_PROPERTIES.map(|property| (property.name, PROPERTY_KIND));
    let of = |event: EventName| definition(&format!("pe7_{}", event.as_str()), &properties);
    EventName::ALL.map(of).into()
}

#[test]
fn what_stands_before_the_names_is_learnt_once_all_of_them_serve() {
    let mut theirs = right();
    theirs.insert(0, definition("pe7_other", &[]));
    let qualifier = Qualifier::learn(&theirs).unwrap();
    assert_eq!(qualifier.qualified(EventName::PageViewed), "pe7_learning_page_viewed");
    theirs[3].archived = true;
    let told = Qualifier::learn(&theirs).unwrap_err().to_string();
    assert!(told.contains("learning_pathway_enrolled is not defined; hint: run"), "{told}");
    assert!(Qualifier::learn(&[]).is_err());
}

#[test]
fn what_is_missing_or_of_another_type_is_told() {
    let mut theirs = right();
    assert_eq!(compare(&theirs), []);
    theirs[0].properties.remove(0);
    theirs[1].properties[5].kind = "enumeration".into();
    theirs.remove(6);
    let told: Vec<String> = compare(&theirs).iter().map(ToString::to_string).collect();
    let beginnings = [
        "learning_module_started lacks the property pathway; hint: ",
        "learning_module_completed has slug of type enumeration, not string; hint: ",
        "learning_page_viewed is not defined; hint: run `milepost properties create --events`",
    ];
    assert_eq!(told.len(), beginnings.len(), "{told:?}");
    for (told, beginning) in told.iter().zip(beginnings) {
        assert!(told.starts_with(beginning), "{told}");
    }
}

#[test]
fn an_occurrence_has_the_shape_of_the_specification() {
    #[track_caller]
    fn check(whom: Whom, json: &str) {
        let occurrence = EventOccurrence {
            event: "pe7_learning_module_started".into(),
            uuid: "u-1".into(),
            whom,
            occurred_at: DateTime::from_timestamp_millis(1_795_550_400_000).unwrap(),
            properties: [("course", "bread".to_owned())].into(),
        };
        let body = wire::body(&Batch { inputs: vec![Input::from(&occurrence)] }).unwrap();
        assert_eq!(String::from_utf8(body.to_vec()).unwrap(), json);
    }
    check(
        Whom::Email("a@b.co".into()),
        r#"{"inputs":[{"eventName":"pe7_learning_module_started","uuid":"u-1","email":"a@b.co","occurredAt":"2026-11-24T20:00:00.000Z","properties":{"course":"bread"}}]}"#,
    );
    check(
        Whom::RecordId("51".into()),
        r#"{"inputs":[{"eventName":"pe7_learning_module_started","uuid":"u-1","objectId":"51","occurredAt":"2026-11-24T20:00:00.000Z","properties":{"course":"bread"}}]}"#,
    );
}

#[test]
fn a_404_is_about_an_event_only_if_it_says_so() {
    let answer = |body: &'static [u8]| Answer {
        status: 404,
        headers: http::HeaderMap::new(),
        body: bytes::Bytes::from_static(body),
    };
    let named = answer(br#"{"status":"error","category":"OBJECT_NOT_FOUND","message":"x"}"#);
    assert!(matches!(not_found(&named, "/events/v3/send/batch"), CallFault::Request(_)));
    let path = answer(b"<html></html>");
    assert!(matches!(not_found(&path, "/events/v3/send/batch"), CallFault::Portal(_)));
}
