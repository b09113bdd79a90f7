//! One call, and which file decides it: the whole portal for a request that arrives well and is
//! answered well, without limits or faults.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use simulator_portal::definitions::Property;
use simulator_portal::limits::Usage;
use simulator_portal::version::Version;
use simulator_portal::world::World;

use crate::errors::{self, Answer};
use crate::routes::{Endpoint, Query, Route};
use crate::{account, batch, definition_calls, events, group_calls, retire, search, single};

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

    /// The definition that a write of this call finds under a name.
    pub(crate) fn defined<'w>(&self, world: &'w World, name: &str) -> Option<&'w Property> {
        if self.undefined.iter().any(|undefined| undefined == name) {
            return None;
        }
        world.definitions.property(name, self.now)
    }
}

/// Does what a routed call asks.
pub(crate) fn perform(world: &mut World, route: &Route, call: &Call<'_>) -> Answer {
    use Endpoint as E;
    let answer = match &route.endpoint {
        E::BatchRead => batch::read(world, call),
        E::BatchCreate => batch::create(world, call),
        E::BatchUpdate => batch::update(world, call),
        E::BatchUpsert => batch::upsert(world, call),
        E::BatchArchive => batch::archive(world, call),
        E::Read(id) => single::read(world, call, id),
        E::Update(id) => single::update(world, call, id),
        E::Create => single::create(world, call),
        E::List => single::list(world, call),
        E::Search => search::search(world, call),
        E::Archive(id) => retire::archive(world, call, id),
        E::Merge => retire::merge(world, call),
        E::GdprDelete => retire::gdpr_delete(world, call),
        E::Properties => definition_calls::list(world, call),
        E::Property(name) => definition_calls::get(world, call, name),
        E::PropertyCreate => definition_calls::create(world, call),
        E::PropertyUpdate(name) => definition_calls::update(world, call, name),
        E::PropertyArchive(name) => definition_calls::archive(world, call, name),
        E::PropertiesRead => definition_calls::batch_read(world, call),
        E::PropertiesCreate => definition_calls::batch_create(world, call),
        E::PropertiesArchive => definition_calls::batch_archive(world, call),
        E::Groups => group_calls::list(world, call),
        E::Group(name) => group_calls::get(world, call, name),
        E::GroupCreate => group_calls::create(world, call),
        E::GroupUpdate(name) => group_calls::update(world, call, name),
        E::GroupArchive(name) => group_calls::archive(world, call, name),
        E::Usage => account::usage(world, call),
        E::AccountDetails => account::details(world),
        E::EventSend => events::send(world, call),
        E::EventSendBatch => events::send_batch(world, call),
        E::EventDefinitions => events::list(world, call),
        E::EventDefine => events::define(world, call),
        E::EventDefinition(name) => events::get(world, name),
        E::EventUndefine(name) => events::undefine(world, name),
        E::EventPropertyDefine(name) => events::define_property(world, call, name),
    };
    answer.unwrap_or_else(|refusal| refusal)
}
