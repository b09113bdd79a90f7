//! What the calls work on: contacts, definitions, events and settings, without limits or faults.
//!
//! [`World::perform`] leads a routed call to the file that decides it. It is the whole portal for
//! a request that arrives well and is answered well.
//!
//! **Invariant**: what a call changed stands in `touched` until it was taken to disk.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use crate::chance::Chance;
use crate::definitions::{Definitions, Property};
use crate::errors::{self, Answer};
use crate::events::Events;
use crate::limits::Usage;
use crate::routes::{Endpoint, Query, Route, Version};
use crate::settings::Settings;
use crate::store::Store;
use crate::{account, batch, definition_calls, events, group_calls, retire, search, single};

/// The portal's state.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) definitions: Definitions,
    pub(crate) events: Events,
    pub(crate) settings: Settings,
    pub(crate) chance: Chance,
    /// Rows that changed and are not on disk yet, contacts excepted (the store keeps those).
    pub(crate) touched: BTreeSet<Row>,
}

/// A row on disk that is no contact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    Alias(u64),
    Forgotten(String),
    Property(String),
    Group(String),
    EventDefinition(String),
    EventId(String),
    Settings,
    Counters,
}

/// One call, as the file that decides it sees it.
pub(crate) struct Call<'a> {
    /// The portal's time, its skew included.
    pub(crate) now: DateTime<Utc>,
    pub(crate) version: Version,
    pub(crate) query: &'a Query,
    /// The body, parsed once.
    pub(crate) body: &'a serde_json::Result<Value>,
    /// Properties that a fault makes undefined for this call.
    pub(crate) undefined: &'a [String],
    /// How many rows of a batch write a fault drops in silence.
    pub(crate) silent_rows: usize,
    /// What the usage endpoint tells, if this call asks it.
    pub(crate) usage: Option<Usage>,
}

impl<'a> Call<'a> {
    /// The body as a JSON object.
    pub(crate) fn object(&self) -> Result<&'a Map<String, Value>, Answer> {
        match self.body {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(errors::wrong_shape("Cannot deserialize the value as an object")),
            Err(reason) => Err(errors::bad_json(reason)),
        }
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            store: Store::new(),
            definitions: Definitions::of_a_fresh_portal(),
            events: Events::default(),
            settings: Settings::default(),
            chance: Chance::new(seed),
            touched: BTreeSet::new(),
        }
    }

    pub(crate) fn perform(&mut self, route: &Route, call: &Call<'_>) -> Answer {
        use Endpoint as E;
        self.store.index_lag = TimeDelta::milliseconds(self.settings.search_lag_ms as i64);
        let answer = match &route.endpoint {
            E::BatchRead => batch::read(self, call),
            E::BatchCreate => batch::create(self, call),
            E::BatchUpdate => batch::update(self, call),
            E::BatchUpsert => batch::upsert(self, call),
            E::BatchArchive => batch::archive(self, call),
            E::Read(id) => single::read(self, call, id),
            E::Update(id) => single::update(self, call, id),
            E::Create => single::create(self, call),
            E::List => single::list(self, call),
            E::Search => search::search(self, call),
            E::Archive(id) => retire::archive(self, call, id),
            E::Merge => retire::merge(self, call),
            E::GdprDelete => retire::gdpr_delete(self, call),
            E::Properties => definition_calls::list(self, call),
            E::Property(name) => definition_calls::get(self, call, name),
            E::PropertyCreate => definition_calls::create(self, call),
            E::PropertyUpdate(name) => definition_calls::update(self, call, name),
            E::PropertyArchive(name) => definition_calls::archive(self, call, name),
            E::PropertiesRead => definition_calls::batch_read(self, call),
            E::PropertiesCreate => definition_calls::batch_create(self, call),
            E::PropertiesArchive => definition_calls::batch_archive(self, call),
            E::Groups => group_calls::list(self, call),
            E::Group(name) => group_calls::get(self, call, name),
            E::GroupCreate => group_calls::create(self, call),
            E::GroupUpdate(name) => group_calls::update(self, call, name),
            E::GroupArchive(name) => group_calls::archive(self, call, name),
            E::Usage => account::usage(self, call),
            E::AccountDetails => account::details(self),
            E::EventSend => events::send(self, call),
            E::EventSendBatch => events::send_batch(self, call),
            E::EventDefinitions => events::list(self, call),
            E::EventDefine => events::define(self, call),
            E::EventDefinition(name) => events::get(self, name),
            E::EventUndefine(name) => events::undefine(self, name),
            E::EventPropertyDefine(name) => events::define_property(self, call, name),
        };
        answer.unwrap_or_else(|refusal| refusal)
    }

    /// The definition that a write of this call finds under a name.
    pub(crate) fn defined(&self, call: &Call<'_>, name: &str) -> Option<&Property> {
        if call.undefined.iter().any(|undefined| undefined == name) {
            return None;
        }
        self.definitions.property(name, call.now)
    }
}
