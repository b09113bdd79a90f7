//! HubSpot's JSON: the bodies that are sent, and lenient readings of those that come.
//!
//! Requests and records have types. An error body has none: HubSpot documents each of its fields as
//! optional, shapes vary by year, and its edge sends HTML; so [`ErrorBody`] is asked for what it may
//! hold and answers with nothing where it doesn't.
//!
//! **Invariant**: no body, whatever it holds, fails more than the reading of its own record.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::contact::{
    Contact, ContactUpdate, Found, NewContact, Properties, WrittenContact, Wrote,
};
use crate::fault::{CallFault, Refusal};
use crate::transport::Answer;

pub(crate) const OBJECT_NOT_FOUND: &str = "OBJECT_NOT_FOUND";

/// `batch/read`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchRead<'a> {
    pub(crate) properties: Vec<&'a str>,
    pub(crate) properties_with_history: [&'a str; 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id_property: Option<&'static str>,
    pub(crate) inputs: Vec<IdInput<'a>>,
}

#[derive(Serialize)]
pub(crate) struct IdInput<'a> {
    pub(crate) id: &'a str,
}

/// `batch/create` and `batch/update`. Without `inputs`, HubSpot answers 200 and does nothing.
#[derive(Serialize)]
pub(crate) struct Batch<I> {
    pub(crate) inputs: Vec<I>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateInput<'a> {
    properties: &'a Properties,
    /// The specification demands it; what it holds is nothing.
    associations: [(); 0],
    object_write_trace_id: &'a str,
}

impl<'a> From<&'a NewContact> for CreateInput<'a> {
    fn from(contact: &'a NewContact) -> Self {
        Self {
            properties: &contact.properties,
            associations: [],
            object_write_trace_id: &contact.trace_id,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpdateInput<'a> {
    id: &'a str,
    properties: &'a Properties,
    object_write_trace_id: &'a str,
}

impl<'a> From<&'a ContactUpdate> for UpdateInput<'a> {
    fn from(update: &'a ContactUpdate) -> Self {
        Self {
            id: &update.id,
            properties: &update.properties,
            object_write_trace_id: &update.trace_id,
        }
    }
}

/// `gdpr-delete`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PermanentDelete<'a> {
    pub(crate) object_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id_property: Option<&'static str>,
}

/// A page of contacts, of the list or of a search.
#[derive(Deserialize)]
pub(crate) struct ContactPage {
    pub(crate) total: Option<u64>,
    results: Vec<Value>,
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Paging {
    next: Option<NextPage>,
}

#[derive(Deserialize)]
struct NextPage {
    after: String,
}

impl ContactPage {
    /// What asks for the page after this one, if there is one.
    pub(crate) fn next(&self) -> Option<String> {
        Some(self.paging.as_ref()?.next.as_ref()?.after.clone())
    }

    /// The contacts on it, with those of `asked` that are set.
    pub(crate) fn contacts(self, asked: &[&str]) -> Vec<Contact> {
        let records = self.results.into_iter().filter_map(Record::of);
        records.map(|record| record.contact(asked)).collect()
    }
}

/// A list answer whose entries must all be readable.
#[derive(Deserialize)]
pub(crate) struct List<T> {
    pub(crate) results: Vec<T>,
}

/// What a batch call brings.
#[derive(Deserialize)]
pub(crate) struct BatchAnswer {
    results: Vec<Value>,
    errors: Option<Vec<ErrorBody>>,
}

/// A contact as HubSpot sends it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    id: String,
    properties: Option<BTreeMap<String, Value>>,
    object_write_trace_id: Option<String>,
}

/// A body for a request.
pub(crate) fn body<T: Serialize>(value: &T) -> Result<Bytes, CallFault> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|_| CallFault::Transient {
        detail: "the request's body could not be written".to_owned(),
        wait: std::time::Duration::ZERO,
    })
}

/// The body of a read's success.
pub(crate) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, CallFault> {
    // The parser's message may quote the body, so it is left out.
    serde_json::from_slice(&answer.body).map_err(|_| CallFault::Transient {
        detail: format!("status {}, and its body is not what was to come", answer.status),
        wait: std::time::Duration::ZERO,
    })
}

/// The body of a write's success. Unreadable, it leaves open what was written.
pub(crate) fn read_written<T: DeserializeOwned>(answer: &Answer) -> Result<T, CallFault> {
    serde_json::from_slice(&answer.body).map_err(|_| {
        CallFault::Unknown(format!(
            "status {}, and its body is not what was to come",
            answer.status
        ))
    })
}

impl BatchAnswer {
    /// As the answer to a read of `inputs`; `asked` are the properties to hand over.
    pub(crate) fn found(self, inputs: &[String], asked: &[&str]) -> Found {
        let contacts = self.results.into_iter().filter_map(Record::of);
        let contacts = contacts.map(|record| record.contact(asked)).collect();
        let missing: BTreeSet<String> = self
            .errors
            .unwrap_or_default()
            .iter()
            .filter(|error| error.text("category") == OBJECT_NOT_FOUND)
            .flat_map(|error| error.context(&["ids", "id"]))
            .map(|id| id.to_lowercase())
            .collect();
        let missing = inputs.iter().filter(|input| missing.contains(&input.to_lowercase()));
        Found { contacts, missing: missing.cloned().collect() }
    }

    /// As the answer to a write.
    pub(crate) fn wrote(self) -> Wrote {
        let written = self.results.into_iter().filter_map(Record::of).map(Record::written);
        let errors = self.errors.unwrap_or_default();
        Wrote {
            written: written.collect(),
            refused: errors.iter().map(|error| Refusal::of(207, error)).collect(),
        }
    }
}

impl Record {
    fn of(value: Value) -> Option<Self> {
        serde_json::from_value(value).ok()
    }

    pub(crate) fn contact(self, asked: &[&str]) -> Contact {
        let mut properties = set_ones(self.properties);
        let email = properties
            .get(shared::properties::EMAIL)
            .map(|email| email.trim().to_lowercase())
            .filter(|email| !email.is_empty());
        let additional_emails = properties
            .get(shared::properties::ADDITIONAL_EMAILS)
            .map(|list| list.split(';').map(|email| email.trim().to_lowercase()))
            .into_iter()
            .flatten()
            .filter(|email| !email.is_empty())
            .collect();
        properties.retain(|name, _| asked.contains(&name.as_str()));
        Contact { id: self.id, email, additional_emails, properties }
    }

    fn written(self) -> WrittenContact {
        WrittenContact {
            id: self.id,
            trace_id: self.object_write_trace_id,
            properties: set_ones(self.properties),
        }
    }
}

/// Values are text or null; older captures have numbers and booleans too. Null and the empty text
/// both mean that nothing is set.
fn set_ones(properties: Option<BTreeMap<String, Value>>) -> Properties {
    let texts = properties.unwrap_or_default().into_iter().filter_map(|(name, value)| {
        let text = match value {
            Value::Null => return None,
            Value::String(text) => text,
            other => other.to_string(),
        };
        (!text.is_empty()).then_some((name, text))
    });
    texts.collect()
}

/// An error, whole or an entry of a 207.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct ErrorBody(Value);

impl ErrorBody {
    /// Reads a body that may be anything.
    pub(crate) fn of(body: &[u8]) -> Self {
        Self(serde_json::from_slice(body).unwrap_or_default())
    }

    /// A field's text; empty when there is none.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.0.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// The texts that the context has under any of these keys, in the whole and in its details.
    pub(crate) fn context(&self, keys: &[&str]) -> Vec<&str> {
        let contexts = std::iter::once(&self.0).chain(self.details());
        let contexts = contexts.filter_map(|part| part.get("context"));
        contexts
            .flat_map(|context| keys.iter().filter_map(|key| context.get(*key)))
            .flat_map(texts)
            .collect()
    }

    /// Which properties are at fault, as name and code: from `errors`, and from the array that the
    /// message of a validation error carries as text.
    pub(crate) fn properties(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for detail in self.details() {
            let code = detail.get("code").and_then(Value::as_str).unwrap_or_default();
            let named = detail.get("context").and_then(|context| context.get("propertyName"));
            for name in named.map(texts).unwrap_or_default() {
                found.push((name.to_owned(), code.to_owned()));
            }
        }
        for entry in self.message_entries() {
            if let (Some(name), Some(code)) = (entry.get("name"), entry.get("error"))
                && let (Some(name), Some(code)) = (name.as_str(), code.as_str())
            {
                found.push((name.to_owned(), code.to_owned()));
            }
        }
        found.sort();
        found.dedup();
        found
    }

    /// The messages, for what stands nowhere else. They quote values: never hand one on.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.0)
            .chain(self.details())
            .filter_map(|part| part.get("message").and_then(Value::as_str))
    }

    fn details(&self) -> impl Iterator<Item = &Value> {
        self.0.get("errors").and_then(Value::as_array).into_iter().flatten()
    }

    /// `Property values were not valid: [{"name": …, "error": …}, …]`
    fn message_entries(&self) -> Vec<Value> {
        let message = self.text("message");
        let Some(start) = message.find('[') else { return Vec::new() };
        serde_json::from_str(message[start..].trim_end()).unwrap_or_default()
    }
}

/// A text, or a list of them.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(body: &str) -> BatchAnswer {
        serde_json::from_str(body).unwrap()
    }

    fn texts_of(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_contact_comes_under_its_primary_email_with_what_was_asked_for() {
        let answer = batch(
            r#"{"status":"COMPLETE","results":[{"id":"512","properties":{"email":"A@b.co","hs_additional_emails":"Old@b.co; older@b.co;","hhl_total_progress":"7","hhl_progress_summary":null,"hhl_last_viewed_slug":"","hs_object_id":"512"},"createdAt":"2026-01-05T10:00:00Z","archived":false}],"startedAt":"…","completedAt":"…"}"#,
        );
        let asked = ["hhl_total_progress", "hhl_progress_summary", "hhl_last_viewed_slug"];
        let found = answer.found(&texts_of(&["older@b.co"]), &asked);
        let contact = &found.contacts[0];
        assert_eq!(contact.email.as_deref(), Some("a@b.co"));
        assert_eq!(contact.additional_emails, ["old@b.co", "older@b.co"]);
        assert_eq!(contact.properties, [("hhl_total_progress".into(), "7".into())].into());
        assert_eq!(found.missing, Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_is_named_as_it_was_asked_for() {
        let answer = batch(
            r#"{"status":"COMPLETE","results":[],"numErrors":1,"errors":[{"status":"error","category":"OBJECT_NOT_FOUND","message":"Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid.","context":{"ids":["x@y.z","q@y.z"]}}]}"#,
        );
        let found = answer.found(&texts_of(&["X@y.z", "q@y.z", "p@y.z"]), &[]);
        assert_eq!(found.missing, ["X@y.z", "q@y.z"]);
        assert_eq!(found.contacts, []);
    }

    #[test]
    fn a_207s_errors_name_their_inputs() {
        let answer = batch(
            r#"{"status":"COMPLETE","results":[{"id":"9","properties":{"email":"n@b.co"},"objectWriteTraceId":"t0"},{"id":"10"}],"numErrors":3,"errors":[
            {"status":"error","category":"CONFLICT","message":"Contact already exists. Existing ID: 171591000198","context":{"objectWriteTraceId":["t1"],"existingId":["171591000198"]}},
            {"status":"error","category":"VALIDATION_ERROR","message":"Property values were not valid: [{\"isValid\":false,\"error\":\"INVALID_OPTION\",\"name\":\"hhl_last_viewed_type\"}]","context":{"objectWriteTraceId":["t2"]}},
            {"status":"error","category":"OBJECT_NOT_FOUND","message":"Could not get some CONTACT objects","context":{"ids":["90002"],"objectWriteTraceId":["t3"]}}]}"#,
        );
        let wrote = answer.wrote();
        let ids: Vec<_> = wrote.written.iter().map(|w| (&*w.id, w.trace_id.as_deref())).collect();
        assert_eq!(ids, [("9", Some("t0")), ("10", None)]);
        let [conflict, invalid, absent] = &wrote.refused[..] else { panic!("{wrote:?}") };
        assert_eq!((conflict.status, &*conflict.trace_ids[0]), (207, "t1"));
        assert_eq!(conflict.existing_id.as_deref(), Some("171591000198"));
        assert_eq!(invalid.trace_ids, ["t2"]);
        let option = ("hhl_last_viewed_type".to_owned(), "INVALID_OPTION".to_owned());
        assert_eq!(invalid.properties, [option]);
        assert_eq!((absent.category.as_str(), &*absent.ids[0]), ("OBJECT_NOT_FOUND", "90002"));
    }

    #[test]
    fn one_unreadable_record_spoils_no_other() {
        let answer = batch(
            r#"{"results":[{"id":null},7,{"id":"1","properties":{"a":3.5,"b":true}}],"errors":[null,7,{"context":"none"}]}"#,
        );
        let wrote = answer.wrote();
        assert_eq!(wrote.written.len(), 1);
        let texts = [("a".to_owned(), "3.5".to_owned()), ("b".to_owned(), "true".to_owned())];
        assert_eq!(wrote.written[0].properties, Properties::from(texts));
        assert_eq!(wrote.refused.len(), 3);
    }

    #[test]
    fn requests_have_the_shape_of_the_specification() {
        #[track_caller]
        fn check<T: Serialize>(request: &T, json: &str) {
            assert_eq!(String::from_utf8(body(request).unwrap().to_vec()).unwrap(), json);
        }
        let by_id = |id_property| BatchRead {
            properties: vec!["email"],
            properties_with_history: [],
            id_property,
            inputs: vec![IdInput { id: "a@b.co" }],
        };
        check(
            &by_id(Some("email")),
            r#"{"properties":["email"],"propertiesWithHistory":[],"idProperty":"email","inputs":[{"id":"a@b.co"}]}"#,
        );
        check(
            &by_id(None),
            r#"{"properties":["email"],"propertiesWithHistory":[],"inputs":[{"id":"a@b.co"}]}"#,
        );
        let properties = Properties::from([("x".to_owned(), "1".to_owned())]);
        let new = NewContact { trace_id: "t1".to_owned(), properties: properties.clone() };
        check(
            &Batch { inputs: vec![CreateInput::from(&new)] },
            r#"{"inputs":[{"properties":{"x":"1"},"associations":[],"objectWriteTraceId":"t1"}]}"#,
        );
        let update = ContactUpdate { trace_id: "t1".to_owned(), id: "5".to_owned(), properties };
        check(
            &Batch { inputs: vec![UpdateInput::from(&update)] },
            r#"{"inputs":[{"id":"5","properties":{"x":"1"},"objectWriteTraceId":"t1"}]}"#,
        );
    }
}
