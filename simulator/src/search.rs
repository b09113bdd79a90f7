//! Search: filters over an index that is seconds behind the records.
//!
//! **Invariant**: a contact is shown as it was `search_lag_ms` ago, or not at all if it was not
//! there; archived ones never.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Map, Value, json};
use simulator_portal::store::Contact;
use simulator_portal::values;
use simulator_portal::world::World;

use crate::call::Call;
use crate::errors::{self, Answer};
use crate::record;

const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 200;
const RESULTS_MAX: usize = 10_000;
const GROUPS_MAX: usize = 5;
const FILTERS_MAX: usize = 6;
const QUERY_CHARS_MAX: usize = 3_000;
/// What a free-text query looks at.
const QUERIED: [&str; 5] = ["email", "firstname", "lastname", "phone", "company"];

struct Filter {
    property: String,
    operator: Operator,
    value: String,
    high_value: String,
    values: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Eq,
    Neq,
    Lt,
    Lte,
    Gt,
    Gte,
    Between,
    In,
    NotIn,
    Has,
    HasNot,
    ContainsToken,
    ContainsNotToken,
}

pub(crate) fn search(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let body = call.object()?;
    let limit = whole_number(body, "limit")?.unwrap_or(LIMIT_DEFAULT);
    let after = whole_number(body, "after")?.unwrap_or(0);
    if limit > LIMIT_MAX {
        return Err(errors::refused(format!("limit must be at most {LIMIT_MAX}")));
    }
    if after.saturating_add(limit) > RESULTS_MAX {
        return Err(errors::refused(format!("A query brings at most {RESULTS_MAX} results")));
    }
    let groups = filter_groups(world, call, body)?;
    let query = body.get("query").and_then(Value::as_str).unwrap_or_default().to_lowercase();
    if query.chars().count() > QUERY_CHARS_MAX {
        return Err(errors::refused(format!("query is longer than {QUERY_CHARS_MAX} characters")));
    }
    let mut found: Vec<&Contact> = indexed(world, call)
        .filter(|contact| contact.archived_at.is_none())
        .filter(|c| groups.is_empty() || groups.iter().any(|g| g.iter().all(|f| f.matches(c))))
        .filter(|contact| query.is_empty() || is_queried(contact, &query))
        .collect();
    sort(&mut found, body);
    let asked: Vec<String> = body
        .get("properties")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let results: Vec<Value> = found
        .iter()
        .skip(after)
        .take(limit)
        .map(|contact| record::as_read(world, call, contact, &asked, &[]))
        .collect();
    let mut answer = json!({"total": found.len(), "results": results});
    let next = after + limit;
    if next < found.len() && limit > 0 {
        answer["paging"] = json!({"next": {"after": next.to_string()}});
    }
    Ok(Answer::json(200, answer))
}

/// The contacts as the index has them.
fn indexed<'w>(world: &'w World, call: &Call<'_>) -> impl Iterator<Item = &'w Contact> {
    let mut behind: BTreeMap<u64, Option<&Contact>> = world.store.as_indexed(call.now);
    // A contact that is gone by now still stands in the index for a while.
    let gone: Vec<&Contact> = behind
        .iter()
        .filter(|(id, _)| world.store.any(**id).is_none())
        .filter_map(|(_, old)| *old)
        .collect();
    world
        .store
        .all()
        .filter_map(move |contact| behind.remove(&contact.id).unwrap_or(Some(contact)))
        .chain(gone)
}

impl Filter {
    fn matches(&self, contact: &Contact) -> bool {
        let Some(held) = contact.value(&self.property) else {
            return matches!(
                self.operator,
                Operator::HasNot | Operator::Neq | Operator::NotIn | Operator::ContainsNotToken
            );
        };
        let held = held.to_lowercase();
        let is = |value: &str| compare(&held, value) == Ordering::Equal;
        match self.operator {
            Operator::Eq => is(&self.value),
            Operator::Neq => !is(&self.value),
            Operator::Lt => compare(&held, &self.value) == Ordering::Less,
            Operator::Lte => compare(&held, &self.value) != Ordering::Greater,
            Operator::Gt => compare(&held, &self.value) == Ordering::Greater,
            Operator::Gte => compare(&held, &self.value) != Ordering::Less,
            Operator::Between => {
                compare(&held, &self.value) != Ordering::Less
                    && compare(&held, &self.high_value) != Ordering::Greater
            }
            // These values are not folded: HubSpot wants them in lower case.
            Operator::In => self.values.iter().any(|value| is(value)),
            Operator::NotIn => !self.values.iter().any(|value| is(value)),
            Operator::Has => true,
            Operator::HasNot => false,
            Operator::ContainsToken => contains_token(&held, &self.value),
            Operator::ContainsNotToken => !contains_token(&held, &self.value),
        }
    }
}

fn filter_groups(
    world: &World,
    call: &Call<'_>,
    body: &Map<String, Value>,
) -> Result<Vec<Vec<Filter>>, Answer> {
    let list = |value: Option<&Value>| -> Vec<Value> {
        value.and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let mut groups: Vec<Vec<Value>> =
        list(body.get("filterGroups")).iter().map(|group| list(group.get("filters"))).collect();
    let bare = list(body.get("filters"));
    if !bare.is_empty() {
        groups.push(bare);
    }
    if groups.len() > GROUPS_MAX || groups.iter().any(|group| group.len() > FILTERS_MAX) {
        return Err(errors::refused(format!(
            "At most {GROUPS_MAX} filter groups of {FILTERS_MAX} filters are allowed"
        )));
    }
    groups.iter().map(|group| group.iter().map(|f| filter(world, call, f)).collect()).collect()
}

fn filter(world: &World, call: &Call<'_>, filter: &Value) -> Result<Filter, Answer> {
    let text = |name: &str| match filter.get(name) {
        Some(Value::String(text)) => text.to_lowercase(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let property = text("propertyName");
    if call.defined(world, &property).is_none() {
        return Err(errors::refused(format!("Property \"{property}\" does not exist")));
    }
    let operator = match text("operator").as_str() {
        "eq" => Operator::Eq,
        "neq" => Operator::Neq,
        "lt" => Operator::Lt,
        "lte" => Operator::Lte,
        "gt" => Operator::Gt,
        "gte" => Operator::Gte,
        "between" => Operator::Between,
        "in" => Operator::In,
        "not_in" => Operator::NotIn,
        "has_property" => Operator::Has,
        "not_has_property" => Operator::HasNot,
        "contains_token" => Operator::ContainsToken,
        "not_contains_token" => Operator::ContainsNotToken,
        other => return Err(errors::refused(format!("{other} is not a search operator"))),
    };
    let values = filter.get("values").and_then(Value::as_array).into_iter().flatten();
    let values: Vec<String> = values.filter_map(Value::as_str).map(str::to_owned).collect();
    Ok(Filter { property, operator, value: text("value"), high_value: text("highValue"), values })
}

/// Numbers and times by size, all else by text.
fn compare(held: &str, wanted: &str) -> Ordering {
    let ms = |text: &str| {
        let instant = DateTime::parse_from_rfc3339(&text.to_uppercase()).ok();
        instant.map(|at| at.timestamp_millis() as f64).or_else(|| text.parse::<f64>().ok())
    };
    match (ms(held), ms(wanted)) {
        (Some(held), Some(wanted)) => held.total_cmp(&wanted),
        _ => held.cmp(wanted),
    }
}

/// Whether a word of the text is the token; a `*` at either end stands for any beginning or end.
fn contains_token(held: &str, token: &str) -> bool {
    let bare = token.trim_matches('*');
    let is_word = |word: &str| match (token.starts_with('*'), token.ends_with('*')) {
        (true, true) => word.contains(bare),
        (true, false) => word.ends_with(bare),
        (false, true) => word.starts_with(bare),
        (false, false) => word == bare,
    };
    let is_break = |c: char| c.is_whitespace() || c == ';' || c == ',';
    held.split(is_break).any(is_word) || held.split(|c: char| !c.is_alphanumeric()).any(is_word)
}

fn is_queried(contact: &Contact, query: &str) -> bool {
    QUERIED
        .iter()
        .filter_map(|name| contact.value(name))
        .any(|held| values::folded(&held).contains(query))
}

fn sort(found: &mut [&Contact], body: &Map<String, Value>) {
    let Some(sort) = body.get("sorts").and_then(Value::as_array).and_then(|sorts| sorts.first())
    else {
        return;
    };
    let (name, is_descending) = match sort {
        Value::String(name) => match name.strip_prefix('-') {
            Some(name) => (name, true),
            None => (name.as_str(), false),
        },
        other => (
            other.get("propertyName").and_then(Value::as_str).unwrap_or_default(),
            other.get("direction").and_then(Value::as_str) == Some("DESCENDING"),
        ),
    };
    found.sort_by(|a, b| {
        let order = match (a.value(name), b.value(name)) {
            (Some(a), Some(b)) => compare(&a, &b),
            (a, b) => a.cmp(&b),
        };
        if is_descending { order.reverse() } else { order }
    });
}

fn whole_number(body: &Map<String, Value>, name: &str) -> Result<Option<usize>, Answer> {
    let number = match body.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(other) => other.as_u64().and_then(|number| usize::try_from(number).ok()),
    };
    number.map(Some).ok_or_else(|| errors::refused(format!("{name} is not a whole number")))
}
