//! From method and path to the call it is, the API version it speaks, and the scopes it needs.
//!
//! **Invariant**: all versions lead to the same calls; only values and rules differ by version.

use http::Method;
use simulator_portal::version::Version;

use crate::errors::{self, Answer};

/// A call that the portal answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    BatchRead,
    BatchCreate,
    BatchUpdate,
    BatchUpsert,
    BatchArchive,
    Read(String),
    Update(String),
    Archive(String),
    Create,
    List,
    Search,
    Merge,
    GdprDelete,
    Properties,
    Property(String),
    PropertyCreate,
    PropertyUpdate(String),
    PropertyArchive(String),
    PropertiesRead,
    PropertiesCreate,
    PropertiesArchive,
    Groups,
    Group(String),
    GroupCreate,
    GroupUpdate(String),
    GroupArchive(String),
    Usage,
    AccountDetails,
    EventSend,
    EventSendBatch,
    EventDefinitions,
    EventDefine,
    EventDefinition(String),
    EventUndefine(String),
    EventPropertyDefine(String),
}

/// A matched request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) version: Version,
    pub(crate) endpoint: Endpoint,
}

const READ: &str = "crm.objects.contacts.read";
const WRITE: &str = "crm.objects.contacts.write";
const SCHEMAS_READ: &str = "crm.schemas.contacts.read";
const SCHEMAS_WRITE: &str = "crm.schemas.contacts.write";
const OAUTH: &str = "oauth";
const EVENTS_SEND: &str = "analytics.behavioral_events.send";
const EVENTS_DEFINE: &str = "behavioral_events.event_definitions.read_write";

/// Every scope the portal knows.
pub(crate) const SCOPES: [&str; 7] =
    [READ, WRITE, SCHEMAS_READ, SCHEMAS_WRITE, OAUTH, EVENTS_SEND, EVENTS_DEFINE];

impl Endpoint {
    /// Any one of these scopes suffices.
    pub(crate) fn scopes(&self) -> &'static [&'static str] {
        use Endpoint::*;
        match self {
            BatchRead | Read(_) | List | Search => &[READ],
            BatchCreate | BatchUpdate | BatchUpsert | BatchArchive | Update(_) | Archive(_)
            | Create | Merge | GdprDelete => &[WRITE],
            Properties | Property(_) | PropertiesRead | Groups | Group(_) => {
                &[READ, WRITE, SCHEMAS_READ]
            }
            PropertyCreate | PropertyUpdate(_) | PropertyArchive(_) | PropertiesCreate
            | PropertiesArchive | GroupCreate | GroupUpdate(_) | GroupArchive(_) => {
                &[SCHEMAS_WRITE]
            }
            Usage | AccountDetails => &[OAUTH],
            EventSend | EventSendBatch => &[EVENTS_SEND],
            EventDefinitions
            | EventDefine
            | EventDefinition(_)
            | EventUndefine(_)
            | EventPropertyDefine(_) => &[EVENTS_DEFINE],
        }
    }

    /// Search has a limit of its own and shows no other.
    pub(crate) fn is_search(&self) -> bool {
        matches!(self, Endpoint::Search)
    }
}

/// The call behind a path (without its query), or the answer for what is none.
pub(crate) fn find(method: &Method, path: &str) -> Result<Route, Answer> {
    let decoded: Vec<String> = path.trim_matches('/').split('/').map(decoded).collect();
    let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
    let unknown = errors::resource_not_found;
    let dated = |segment: &str| Version::dated(segment).ok_or_else(unknown);
    let (version, endpoint) = match segments.as_slice() {
        ["crm", "v3", "objects", kind, rest @ ..] => {
            (Version::V3, objects(method, contacts(kind, rest)?)?)
        }
        ["crm", "objects", version, kind, rest @ ..] => {
            (dated(version)?, objects(method, contacts(kind, rest)?)?)
        }
        ["crm", "v3", "properties", kind, rest @ ..] => {
            (Version::V3, properties(method, contacts(kind, rest)?)?)
        }
        ["crm", "properties", version, kind, rest @ ..] => {
            (dated(version)?, properties(method, contacts(kind, rest)?)?)
        }
        ["account-info", version, rest @ ..] => {
            let version = if *version == "v3" { Version::V3 } else { dated(version)? };
            (version, account(method, rest)?)
        }
        ["events", "v3", rest @ ..] => (Version::V3, events(method, rest)?),
        ["events", "custom", version @ ("2025-09" | "2026-09"), rest @ ..] => {
            (dated(version)?, events(method, rest)?)
        }
        ["events", version @ "2026-03", rest @ ..] => (dated(version)?, events(method, rest)?),
        _ => return Err(unknown()),
    };
    Ok(Route { version, endpoint })
}

fn contacts<'a, 'b>(kind: &str, rest: &'a [&'b str]) -> Result<&'a [&'b str], Answer> {
    match kind {
        "contacts" | "contact" | "0-1" => Ok(rest),
        other => Err(errors::refused(format!("Unable to infer object type from: {other}"))),
    }
}

fn objects(method: &Method, rest: &[&str]) -> Result<Endpoint, Answer> {
    let posted = |endpoint| if method == Method::POST { Ok(endpoint) } else { wrong_method() };
    match rest {
        ["batch", "read"] => posted(Endpoint::BatchRead),
        ["batch", "create"] => posted(Endpoint::BatchCreate),
        ["batch", "update"] => posted(Endpoint::BatchUpdate),
        ["batch", "upsert"] => posted(Endpoint::BatchUpsert),
        ["batch", "archive"] => posted(Endpoint::BatchArchive),
        ["search"] => posted(Endpoint::Search),
        ["merge"] => posted(Endpoint::Merge),
        ["gdpr-delete"] => posted(Endpoint::GdprDelete),
        [] => by_method(method, Some(Endpoint::List), Some(Endpoint::Create), None, None),
        [id] => by_method(
            method,
            Some(Endpoint::Read((*id).into())),
            None,
            Some(Endpoint::Update((*id).into())),
            Some(Endpoint::Archive((*id).into())),
        ),
        _ => Err(errors::resource_not_found()),
    }
}

fn properties(method: &Method, rest: &[&str]) -> Result<Endpoint, Answer> {
    let posted = |endpoint| if method == Method::POST { Ok(endpoint) } else { wrong_method() };
    match rest {
        ["batch", "read"] => posted(Endpoint::PropertiesRead),
        ["batch", "create"] => posted(Endpoint::PropertiesCreate),
        ["batch", "archive"] => posted(Endpoint::PropertiesArchive),
        ["groups"] => {
            by_method(method, Some(Endpoint::Groups), Some(Endpoint::GroupCreate), None, None)
        }
        ["groups", name] => by_method(
            method,
            Some(Endpoint::Group((*name).into())),
            None,
            Some(Endpoint::GroupUpdate((*name).into())),
            Some(Endpoint::GroupArchive((*name).into())),
        ),
        [] => by_method(
            method,
            Some(Endpoint::Properties),
            Some(Endpoint::PropertyCreate),
            None,
            None,
        ),
        [name] => by_method(
            method,
            Some(Endpoint::Property((*name).into())),
            None,
            Some(Endpoint::PropertyUpdate((*name).into())),
            Some(Endpoint::PropertyArchive((*name).into())),
        ),
        _ => Err(errors::resource_not_found()),
    }
}

fn account(method: &Method, rest: &[&str]) -> Result<Endpoint, Answer> {
    match rest {
        ["details"] => by_method(method, Some(Endpoint::AccountDetails), None, None, None),
        ["api-usage", "daily", "private-apps"] => {
            by_method(method, Some(Endpoint::Usage), None, None, None)
        }
        _ => Err(errors::resource_not_found()),
    }
}

fn events(method: &Method, rest: &[&str]) -> Result<Endpoint, Answer> {
    match rest {
        ["send"] => by_method(method, None, Some(Endpoint::EventSend), None, None),
        ["send", "batch"] => by_method(method, None, Some(Endpoint::EventSendBatch), None, None),
        ["event-definitions"] => by_method(
            method,
            Some(Endpoint::EventDefinitions),
            Some(Endpoint::EventDefine),
            None,
            None,
        ),
        ["event-definitions", name] => by_method(
            method,
            Some(Endpoint::EventDefinition((*name).into())),
            None,
            None,
            Some(Endpoint::EventUndefine((*name).into())),
        ),
        ["event-definitions", name, "property"] => {
            by_method(method, None, Some(Endpoint::EventPropertyDefine((*name).into())), None, None)
        }
        _ => Err(errors::resource_not_found()),
    }
}

fn by_method(
    method: &Method,
    get: Option<Endpoint>,
    post: Option<Endpoint>,
    patch: Option<Endpoint>,
    delete: Option<Endpoint>,
) -> Result<Endpoint, Answer> {
    let endpoint = match *method {
        Method::GET => get,
        Method::POST => post,
        Method::PATCH => patch,
        Method::DELETE => delete,
        _ => None,
    };
    endpoint.map_or_else(wrong_method, Ok)
}

fn wrong_method() -> Result<Endpoint, Answer> {
    Err(errors::method_not_allowed())
}

/// The parameters of a query, decoded, in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Splits path and query.
    pub(crate) fn split(target: &str) -> (&str, Self) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decoded(name), decoded(&value.replace('+', " ")))
            })
            .collect();
        (path, Self { pairs })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    /// A list, given as `a,b` or by naming the parameter again.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        self.pairs
            .iter()
            .filter(|(n, _)| n == name)
            .flat_map(|(_, value)| value.split(','))
            .filter(|entry| !entry.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes
            .get(at + 1..at + 3)
            .filter(|_| bytes[at] == b'%')
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match hex {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_root_leads_to_the_same_call() {
        for path in [
            "/crm/v3/objects/contacts/batch/read",
            "/crm/v3/objects/0-1/batch/read",
            "/crm/objects/2025-09/contacts/batch/read",
            "/crm/objects/2026-03/0-1/batch/read",
            "/crm/objects/2026-09/contacts/batch/read",
        ] {
            assert_eq!(find(&Method::POST, path).unwrap().endpoint, Endpoint::BatchRead, "{path}");
        }
    }

    #[test]
    fn an_encoded_address_is_one_segment() {
        let route = find(&Method::GET, "/crm/v3/objects/contacts/a%40b.co").unwrap();
        assert_eq!(route.endpoint, Endpoint::Read("a@b.co".into()));
    }
}
