//! Every recorded request through the two functions, and its recorded answer, or the one that the
//! contract asks for where it departs from the recording.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::facts::Facts;
use shared::http::Request;
use shared::milestones::{Values, milestones};
use simulator::faults::{FaultKind, FaultRule};

use crate::doors::{self, Doors};
use crate::golden;

/// What Milepost answers on purpose where the recording says something else, and why.
struct Departure {
    id: &'static str,
    reason: &'static str,
    status: u16,
    body: Value,
}

fn departures() -> Vec<Departure> {
    let departure = |id, reason, status, body| Departure { id, reason, status, body };
    let persisted = |contact_id: Option<&str>| {
        let mut body =
            json!({ "status": "persisted", "mode": "authenticated", "backend": "properties" });
        if let Some(id) = contact_id {
            body["contactId"] = id.into();
        }
        body
    };
    let anonymous = || json!({ "mode": "anonymous" });
    let empty = || {
        json!({ "mode": "authenticated", "progress": {}, "updated_at": null, "summary": null,
                "last_viewed": { "type": null, "slug": null, "at": null } })
    };
    let not_found = || json!({ "error": "Not found" });
    let no_object = "a state that is no object is corrupt, and reads as {}";
    let unknown_id = "an unknown contact id is anonymous";
    let later = "what HubSpot has or does is the worker's to find, and never reaches the sender";
    let more_slashes = "a path may have a trailing slash";
    let no_path = "an unknown path is 404 by any method";
    vec![
        departure("http-0009", no_object, 200, empty()),
        departure("http-0011", no_object, 200, empty()),
        departure("http-0015", unknown_id, 200, anonymous()),
        departure("http-0033", more_slashes, 200, empty()),
        departure(
            "http-0043",
            no_object,
            200,
            json!({ "mode": "authenticated", "enrollments": { "pathways": [], "courses": [] } }),
        ),
        departure(
            "http-0065",
            "a token that names nobody is nobody named, which is 400 here",
            400,
            json!({ "error": "Invalid query parameters", "details": {
                "code": "SCHEMA_VALIDATION_FAILED",
                "details": ["root: Either email or contactId is required"] } }),
        ),
        departure(
            "http-0069",
            "a known path by a wrong method is 405",
            405,
            json!({ "error": "Method not allowed" }),
        ),
        departure("http-0115", unknown_id, 200, anonymous()),
        departure("http-0129", later, 200, persisted(Some("999"))),
        departure("http-0131", later, 200, persisted(Some("103"))),
        departure("http-0135", later, 200, persisted(None)),
        departure("http-0137", later, 200, persisted(None)),
        departure("http-0139", later, 200, persisted(None)),
        departure("http-0141", "a claim is queued and judged later", 200, persisted(Some("101"))),
        departure(
            "http-0149",
            "nobody is named, so HubSpot is not asked; without a token no reader starts",
            200,
            anonymous(),
        ),
        departure("http-0153", no_path, 404, not_found()),
        departure(
            "http-0155",
            more_slashes,
            200,
            json!({ "status": "logged", "mode": "anonymous" }),
        ),
        departure("http-0159", no_path, 404, not_found()),
        departure("http-0161", no_path, 404, not_found()),
        departure(
            "http-0193",
            "each parser words its complaint in its own way",
            400,
            json!({ "error": "Request body is not valid JSON", "details": {
                "code": "INVALID_JSON",
                "details": ["root: not valid JSON at line 1 column 1"] } }),
        ),
        departure(
            "http-0195",
            "a body that is no object is refused, and no failure of ours",
            400,
            json!({ "error": "Invalid track event payload", "details": {
                "code": "SCHEMA_VALIDATION_FAILED",
                "details": ["root: Expected object, received null"] } }),
        ),
    ]
}

/// A variable with which Milepost does not start, where the original answered a fallback.
const STOPS_THE_START: [(&str, &str); 1] = [("http-0147", "PROGRESS_BACKEND")];

/// Recorded effects that are others on purpose, with the reason.
const OTHER_EFFECTS: [(&str, &str); 1] =
    [("http-0133", "a state that is no object is corrupt: nothing is written over it")];

#[tokio::test]
async fn every_recorded_request_has_its_answer() {
    let departures: BTreeMap<&str, Departure> =
        departures().into_iter().map(|departure| (departure.id, departure)).collect();
    let mut departed = Vec::new();
    for vector in golden::lines(include_str!("../golden/http.jsonl")) {
        let id = vector["id"].as_str().unwrap();
        let variables: Vec<(&str, &str)> = fields(&vector["env"]).collect();
        let now = vector["now"].as_str().unwrap().parse().unwrap();
        let doors = match Doors::open(now, &variables) {
            Ok(doors) => doors,
            Err(wrong) => {
                assert!(STOPS_THE_START.contains(&(id, wrong.name)), "{id}: {wrong}");
                continue;
            }
        };
        for contact in contacts() {
            doors.add(&contact.id, &contact.properties);
        }
        if let Some(fault) = vector["hubspot"].as_str() {
            let kind = match fault {
                "all_500" => FaultKind::InternalError,
                "search_429" | "patch_429" => FaultKind::TenSecondly,
                "patch_400" => FaultKind::Forbidden,
                other => panic!("{id}: no fault {other}"),
            };
            doors.portal.set_fault(FaultRule::every(kind));
        }

        let response = doors.answer(request(&vector["request"])).await;

        let mut found = doors::body(&response);
        let is_persisted = found["status"] == "persisted";
        if is_persisted {
            let fields = found.as_object_mut().unwrap();
            assert_eq!(fields.remove("queued"), Some(Value::Bool(true)), "{id}");
            assert!(fields.remove("eventId").unwrap().is_string(), "{id}");
        }
        let recorded = &vector["response"];
        let (status, expected, reason) = match departures.get(id) {
            Some(departure) => {
                departed.push(id.to_owned());
                (departure.status, departure.body.clone(), departure.reason)
            }
            None => {
                let status = u16::try_from(recorded["status"].as_u64().unwrap()).unwrap();
                (status, recorded["body"].clone(), "as recorded")
            }
        };
        assert_eq!((response.status, found), (status, expected), "{id}: {reason}");

        let queued = doors.queued().await;
        assert_eq!(queued.len(), usize::from(is_persisted), "{id}");
        let has_other_effect = OTHER_EFFECTS.iter().any(|(other, _)| *other == id);
        if let (Some(after), false) = (vector["contacts_after"].as_array(), has_other_effect) {
            let person = &queued[0].person;
            let is_it = |contact: &&Contact| match person.contact_id() {
                Some(id) => contact.id == id,
                None => contact.properties.get("email").map(String::as_str) == person.email(),
            };
            let contacts = contacts();
            let contact = contacts.iter().find(is_it).unwrap();
            let facts = Facts::of(queued[0].happening().unwrap());
            let changed =
                milestones(Some(&contact.properties), &facts, &golden::catalog()).unwrap().changed;
            let mut found = contact.properties.clone();
            found.extend(changed);
            let recorded = after.iter().find(|recorded| recorded["id"] == contact.id.as_str());
            golden::assert_same(id, &found, &texts(&recorded.unwrap()["properties"]));
        }
    }
    let unused: Vec<&&str> =
        departures.keys().filter(|id| !departed.iter().any(|departed| departed == **id)).collect();
    assert!(unused.is_empty(), "no vector has these ids: {unused:?}");
}

#[tokio::test]
async fn an_allowed_origin_gets_itself_back_and_another_gets_nothing() {
    let doors = Doors::with(&[]);
    let check = async |origin: Option<&str>, allowed: bool| {
        for mut request in [
            doors::get("/progress/read", &[]),
            doors::get("/nowhere", &[]),
            doors::post("{"),
            Request { method: "OPTIONS".into(), ..doors::post("") },
        ] {
            if let Some(origin) = origin {
                request.headers.insert("origin".into(), origin.into());
            }
            let response = doors.answer(request).await;
            let header = |name: &str| response.headers.get(name).map(String::as_str);
            let expected = origin.filter(|_| allowed);
            assert_eq!(header("access-control-allow-origin"), expected, "{origin:?}");
            let credentials = header("access-control-allow-credentials");
            assert_eq!(credentials, allowed.then_some("true"), "{origin:?}");
            assert_eq!(header("vary"), Some("Origin"));
        }
    };
    check(Some("https://hedgehog.cloud"), true).await;
    check(Some("https://x.hubspotusercontent-na1.net"), true).await;
    check(Some("https://a.b.hubspotusercontent20.net"), true).await;
    check(Some("https://evil.com"), false).await;
    check(Some("https://evil.com/.hubspotusercontent30.net"), false).await;
    check(Some("https://x.hubspotusercontent40.net.evil.com"), false).await;
    check(Some("http://hedgehog.cloud"), false).await;
    check(Some("null"), false).await;
    check(None, false).await;
}

struct Contact {
    id: String,
    properties: Values,
}

fn contacts() -> Vec<Contact> {
    let contacts: Value =
        serde_json::from_str(include_str!("../golden/http_contacts.json")).unwrap();
    let contact = |contact: &Value| Contact {
        id: contact["id"].as_str().unwrap().to_owned(),
        properties: texts(&contact["properties"]),
    };
    contacts.as_array().unwrap().iter().map(contact).collect()
}

fn request(recorded: &Value) -> Request {
    let lower = |(name, value): (&str, &str)| (name.to_lowercase(), value.to_owned());
    Request {
        method: recorded["method"].as_str().unwrap().to_owned(),
        path: recorded["path"].as_str().unwrap().to_owned(),
        query: texts(&recorded["query"]),
        headers: fields(&recorded["headers"]).map(lower).collect(),
        body: recorded["body"].as_str().unwrap_or_default().into(),
        id: None,
    }
}

fn texts(value: &Value) -> Values {
    fields(value).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn fields(value: &Value) -> impl Iterator<Item = (&str, &str)> {
    let fields = value.as_object().into_iter().flatten();
    fields.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
}
