//! The calls on one contact, and the list of all.

use serde_json::{Value, json};
use simulator_portal::world::World;

use crate::batch;
use crate::call::Call;
use crate::errors::{self, Answer};
use crate::record;
use crate::write::{self, Claimed, RowFault};

const LIST_DEFAULT: usize = 10;
const LIST_MAX: usize = 100;

/// `GET /{id}`; a merged-away id brings the survivor.
pub(crate) fn read(world: &mut World, call: &Call<'_>, id: &str) -> Result<Answer, Answer> {
    let archived = call.query.is_true("archived");
    let found = locate(world, call, id)?;
    let contact = found
        .and_then(|id| world.store.any(id))
        .filter(|contact| contact.archived_at.is_some() == archived)
        .ok_or_else(errors::resource_not_found)?;
    let asked = call.query.list("properties");
    let with_history = call.query.list("propertiesWithHistory");
    Ok(Answer::json(200, record::as_read(world, call, contact, &asked, &with_history)))
}

/// `PATCH /{id}`.
pub(crate) fn update(world: &mut World, call: &Call<'_>, id: &str) -> Result<Answer, Answer> {
    let properties = batch::properties_of(call.object()?)?;
    let target = locate(world, call, id)?.filter(|id| world.store.live(*id).is_some());
    let target = target.ok_or_else(errors::resource_not_found)?;
    let judged = write::judge(world, call, Some(target), &properties, &mut Claimed::new())
        .map_err(|fault| refusal(world, fault))?;
    if call.silent_rows == 0 {
        judged.apply(world, call);
    }
    let contact = world.store.any(target).ok_or_else(errors::resource_not_found)?;
    let sent = judged.changes.keys();
    Ok(Answer::json(200, record::as_written(world, contact, sent, &judged.warnings)))
}

/// `POST /`.
pub(crate) fn create(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let properties = batch::properties_of(call.object()?)?;
    let judged = write::judge(world, call, None, &properties, &mut Claimed::new())
        .map_err(|fault| refusal(world, fault))?;
    let id = judged.apply(world, call);
    let contact = world.store.any(id).ok_or_else(errors::resource_not_found)?;
    let body = record::as_written(world, contact, judged.changes.keys(), &judged.warnings);
    let location = format!("https://api.hubapi.com/crm/v3/objects/contacts/{id}");
    Ok(Answer::json(201, body).with("location", location))
}

/// `GET /`: by ascending id, in pages.
pub(crate) fn list(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let limit = match call.query.get("limit").map(str::parse::<usize>) {
        None => LIST_DEFAULT,
        Some(Ok(limit)) if (1..=LIST_MAX).contains(&limit) => limit,
        Some(_) => return Err(errors::refused(format!("limit must be from 1 to {LIST_MAX}"))),
    };
    let after: u64 = match call.query.get("after").map(str::parse) {
        None => 0,
        Some(Ok(after)) => after,
        Some(Err(_)) => return Err(errors::refused("after is not a cursor of this list")),
    };
    let archived = call.query.is_true("archived");
    let asked = call.query.list("properties");
    let with_history = call.query.list("propertiesWithHistory");
    let mut page =
        world.store.from(after).filter(|contact| contact.archived_at.is_some() == archived);
    let results: Vec<Value> = page
        .by_ref()
        .take(limit)
        .map(|contact| record::as_read(world, call, contact, &asked, &with_history))
        .collect();
    let mut body = json!({"results": results});
    if let Some(next) = page.next() {
        let link = format!("https://api.hubapi.com/crm/v3/objects/contacts?after={}", next.id);
        body["paging"] = json!({"next": {"after": next.id.to_string(), "link": link}});
    }
    Ok(Answer::json(200, body))
}

/// The record that a path means, following merges.
fn locate(world: &World, call: &Call<'_>, id: &str) -> Result<Option<u64>, Answer> {
    match call.query.get("idProperty") {
        Some(property) if property != "hs_object_id" => {
            if !world.store.is_unique(property) {
                return Err(errors::not_a_unique_property(property, &world.settings));
            }
            Ok(world.store.holder(property, id))
        }
        _ => {
            let number: u64 = id.parse().map_err(|_| errors::id_is_not_numeric(id))?;
            Ok(Some(world.store.survivor(number).unwrap_or(number)))
        }
    }
}

fn refusal(world: &World, fault: RowFault) -> Answer {
    match &fault {
        RowFault::Conflict { existing, email } if world.settings.conflict_with_identity_profile => {
            let since = world.store.any(*existing).map(|c| c.created_at.timestamp_millis());
            errors::conflict_with_profile(*existing, email, since.unwrap_or_default())
        }
        _ => fault.whole(world),
    }
}
