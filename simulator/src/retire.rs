//! How contacts end: archived, merged into another, or deleted permanently.

use serde_json::Value;
use simulator_portal::world::World;

use crate::call::Call;
use crate::errors::{self, Answer};
use crate::record;

/// HubSpot's cap on what one record may take in.
const MERGES_MAX: usize = 250;

/// `DELETE /{id}`: 204, even for an unknown id.
pub(crate) fn archive(world: &mut World, call: &Call<'_>, id: &str) -> Result<Answer, Answer> {
    let found = match call.query.get("idProperty") {
        Some(property) => world.store.holder(property, id),
        None => id.parse().ok(),
    };
    if let Some(id) = found {
        world.store.archive(call.now, id);
    }
    Ok(Answer::empty(204))
}

/// `POST /merge`.
pub(crate) fn merge(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let body = call.object()?;
    let id = |name: &str| -> Option<u64> {
        let value = body.get(name)?;
        value.as_str().map_or_else(|| value.as_u64(), |text| text.parse().ok())
    };
    let (Some(primary), Some(loser)) = (id("primaryObjectId"), id("objectIdToMerge")) else {
        return Err(errors::refused("primaryObjectId and objectIdToMerge are required"));
    };
    let survivor = merge_contacts(world, call.now, primary, loser)?;
    let contact = world.store.any(survivor).ok_or_else(errors::resource_not_found)?;
    Ok(Answer::json(200, record::as_read(world, call, contact, &[], &[])))
}

/// Merges two contacts, as the call and as a marketer do; the survivor's id comes back.
pub(crate) fn merge_contacts(
    world: &mut World,
    now: chrono::DateTime<chrono::Utc>,
    primary: u64,
    loser: u64,
) -> Result<u64, Answer> {
    let primary = world.store.survivor(primary).unwrap_or(primary);
    let loser = world.store.survivor(loser).unwrap_or(loser);
    if primary == loser {
        return Err(errors::refused("A contact cannot be merged with itself"));
    }
    let taken_in = |id: u64| world.store.live(id).map(|contact| contact.merged.len());
    let (Some(first), Some(second)) = (taken_in(primary), taken_in(loser)) else {
        return Err(errors::resource_not_found());
    };
    if first + second + 1 > MERGES_MAX {
        let mut answer = errors::refused("The merge limit of this contact is reached");
        answer.status = 414;
        return Err(answer);
    }
    world.merge(now, primary, loser).ok_or_else(errors::resource_not_found)
}

/// `POST /gdpr-delete`: 204; an unknown address is put on the list of the forgotten.
pub(crate) fn gdpr_delete(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let body = call.object()?;
    let Some(id) = body.get("objectId").and_then(Value::as_str) else {
        return Err(errors::refused("objectId is required"));
    };
    let by_email = body.get("idProperty").and_then(Value::as_str) == Some("email");
    let found = if by_email {
        world.store.holder("email", id)
    } else {
        id.parse().ok().map(|id| world.store.survivor(id).unwrap_or(id))
    };
    match found {
        Some(id) => world.forget(call.now, id),
        None if by_email => world.forget_address(id),
        None => {}
    }
    Ok(Answer::empty(204))
}
