//! What people do in the account while an integration runs: edit, merge, archive, redefine.
//!
//! These are the writes that come from elsewhere: no token, no limit, no fault. They are checked
//! as a call's values are.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use simulator_portal::version::Version;

use crate::Portal;
use crate::call::Call;
use crate::errors::{Answer, Body};
use crate::retire;
use crate::routes::Query;
use crate::write::{self, Claimed};
use crate::{definition_calls, engine::Engine};

/// Why an edit was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditFault {
    /// There is no such contact, property or group.
    #[error("there is no such record")]
    Missing,
    /// HubSpot would refuse it; its words are inside.
    #[error("the portal refuses: {0}")]
    Refused(String),
}

impl Portal {
    /// Makes a contact, as a person in the account does; its id comes back.
    ///
    /// # Errors
    /// When a value is wrong or the address is taken.
    pub fn add_contact(
        &self,
        now: DateTime<Utc>,
        properties: &BTreeMap<String, String>,
    ) -> Result<u64, EditFault> {
        self.change(|engine| edit(engine, now, None, properties))
    }

    /// Sets properties of a contact; an empty text clears. A new `email` renames it.
    ///
    /// # Errors
    /// When there is no such contact, a value is wrong, or the address is taken.
    pub fn edit_contact(
        &self,
        now: DateTime<Utc>,
        id: u64,
        properties: &BTreeMap<String, String>,
    ) -> Result<u64, EditFault> {
        self.change(|engine| {
            engine.settle(now);
            let store = &engine.world.store;
            let id = store.survivor(id).unwrap_or(id);
            if store.live(id).is_none() {
                return Err(EditFault::Missing);
            }
            edit(engine, now, Some(id), properties)
        })
    }

    /// Merges `loser` into `primary`; the survivor's id comes back.
    ///
    /// # Errors
    /// When either is no live contact, or both are one.
    pub fn merge_contacts(
        &self,
        now: DateTime<Utc>,
        primary: u64,
        loser: u64,
    ) -> Result<u64, EditFault> {
        self.change(|engine| {
            engine.settle(now);
            retire::merge_contacts(&mut engine.world, now, primary, loser).map_err(|a| refusal(&a))
        })
    }

    /// Archives a contact; whether there was one.
    pub fn archive_contact(&self, now: DateTime<Utc>, id: u64) -> bool {
        self.change(|engine| {
            let was_live = engine.world.store.live(id).is_some();
            engine.world.store.archive(now, id);
            was_live
        })
    }

    /// Deletes a contact permanently; whether there was one.
    pub fn forget_contact(&self, now: DateTime<Utc>, id: u64) -> bool {
        self.change(|engine| {
            let was_there = engine.world.store.any(id).is_some();
            engine.world.forget(now, id);
            was_there
        })
    }

    /// Archives a property's definition, as somebody who tidies up; whether there was one.
    pub fn archive_property(&self, now: DateTime<Utc>, name: &str) -> bool {
        self.change(|engine| {
            let found = engine.world.definitions.property(name, now).cloned();
            let Some(property) = found.filter(|p| !p.hubspot_defined) else { return false };
            definition_calls::archive_one(&mut engine.world, now, property);
            true
        })
    }
}

fn edit(
    engine: &mut Engine,
    now: DateTime<Utc>,
    target: Option<u64>,
    properties: &BTreeMap<String, String>,
) -> Result<u64, EditFault> {
    let (query, body) = (Query::default(), Ok(Value::Null));
    let call = Call {
        now: crate::engine::to_the_millisecond(now),
        version: Version::D2026_03,
        query: &query,
        body: &body,
        undefined: &[],
        silent_rows: 0,
        usage: None,
    };
    let properties: Map<String, Value> =
        properties.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    let judged = write::judge(&engine.world, &call, target, &properties, &mut Claimed::new())
        .map_err(|fault| refusal(&fault.whole(&engine.world)))?;
    Ok(judged.apply(&mut engine.world, &call))
}

fn refusal(answer: &Answer) -> EditFault {
    if answer.status == 404 {
        return EditFault::Missing;
    }
    let message = match &answer.body {
        Body::Json(body) => body.get("message").and_then(Value::as_str).unwrap_or_default(),
        Body::Html(_) | Body::Empty => "",
    };
    EditFault::Refused(message.to_owned())
}
