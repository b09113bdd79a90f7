//! Requests that no client would send: each gets an answer of HubSpot's kind, and none a panic.

use chrono::{DateTime, TimeDelta, Utc};
use http::Method;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use simulator::exchange::PortalRequest;
use simulator::{LOCAL_TOKEN, Portal};

proptest! {
    #[test]
    fn no_request_is_answered_with_a_failure_of_the_portals_own(
        method in prop::sample::select(vec![Method::GET, Method::POST, Method::PATCH, Method::DELETE]),
        path in path(),
        body in prop_oneof![
            body().prop_map(|body| body.to_string().into_bytes()),
            prop::collection::vec(any::<u8>(), 0..40),
        ],
    ) {
        let portal = Portal::in_memory(1);
        portal.define_milepost_properties();
        // Somebody is there to be found.
        for email in ["a@b.co", "c@d.co"] {
            let create = json!({"properties": {"email": email}}).to_string().into_bytes();
            send(&portal, Method::POST, "/crm/v3/objects/contacts", create);
        }
        let status = send(&portal, method, &path, body);
        prop_assert!(
            matches!(status, 200 | 201 | 204 | 207 | 400 | 404 | 405 | 409 | 414),
            "{status} for {path}"
        );
    }
}

fn send(portal: &Portal, method: Method, path: &str, body: Vec<u8>) -> u16 {
    let now: DateTime<Utc> = DateTime::UNIX_EPOCH + TimeDelta::seconds(1_790_000_000);
    let request = PortalRequest {
        method,
        path: path.into(),
        token: Some(LOCAL_TOKEN.into()),
        body: body.into(),
    };
    portal.handle(now, &request).status
}

fn path() -> impl Strategy<Value = String> {
    let root = prop::sample::select(vec![
        "/crm/v3/objects/contacts",
        "/crm/objects/2026-09/0-1",
        "/crm/properties/2026-09/contacts",
        "/crm/v3/properties/contacts/groups",
        "/account-info/v3/details",
        "/events/v3/send",
        "/events/v3/event-definitions",
    ]);
    let rest = prop_oneof![
        prop::sample::select(vec![
            "",
            "/",
            "/101",
            "/a%40b.co",
            "/batch/read",
            "/batch/create",
            "/batch/update",
            "/batch/upsert",
            "/batch/archive",
            "/search",
            "/merge",
            "/gdpr-delete",
            "/email",
            "?limit=1&after=18446744073709551615",
            "/101?idProperty=email",
            "/%ff%",
            "?archived=true",
        ])
        .prop_map(str::to_owned),
        "/[a-z0-9%?=&]{0,20}",
    ];
    (root, rest).prop_map(|(root, rest)| format!("{root}{rest}"))
}

/// A batch with values that may be right in its properties, or any JSON.
fn body() -> impl Strategy<Value = Value> {
    let property = prop::sample::select(vec![
        "email",
        "firstname",
        "lifecyclestage",
        "createdate",
        "hhl_last_activity",
        "hhl_last_viewed_at",
        "hhl_last_viewed_type",
        "hhl_total_progress",
        "nonsense",
    ]);
    let input = (leaf(), leaf(), prop::collection::vec((property, leaf()), 0..4)).prop_map(
        |(id, trace_id, properties)| {
            let properties: Map<String, Value> =
                properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            json!({"id": id, "objectWriteTraceId": trace_id, "properties": properties})
        },
    );
    let batch =
        (prop::collection::vec(input, 0..4), any::<bool>()).prop_map(|(inputs, by_email)| {
            let id_property = if by_email { json!("email") } else { Value::Null };
            let inputs: Vec<Value> = inputs
                .into_iter()
                .map(|mut input| {
                    input["idProperty"] = id_property.clone();
                    input
                })
                .collect();
            json!({"inputs": inputs})
        });
    prop_oneof![batch, any_json()]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(i64::MIN)),
        Just(json!(u64::MAX)),
        prop::sample::select(vec![
            "a@b.co",
            "101",
            "151",
            "t1",
            "email",
            "createdate",
            "EQ",
            "IN",
            "-email",
            "text",
            "string",
            "enumeration",
            "contactinformation",
            "9223372036854775807",
            "-9223372036854775808",
            "2026-09-21",
            "",
        ])
        .prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ]
}

/// JSON in which the names that mean something are frequent.
fn any_json() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(5, 64, 6, |inner| {
        let name = prop::sample::select(vec![
            "inputs",
            "id",
            "idProperty",
            "properties",
            "propertiesWithHistory",
            "email",
            "lifecyclestage",
            "objectWriteTraceId",
            "filterGroups",
            "filters",
            "propertyName",
            "operator",
            "value",
            "values",
            "sorts",
            "query",
            "limit",
            "after",
            "primaryObjectId",
            "objectIdToMerge",
            "objectId",
            "name",
            "label",
            "type",
            "fieldType",
            "groupName",
            "options",
            "eventName",
            "uuid",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6).prop_map(|entries| {
                let entries = entries.into_iter().map(|(name, value)| (name.to_owned(), value));
                Value::Object(entries.collect::<Map<_, _>>())
            }),
        ]
    })
}
