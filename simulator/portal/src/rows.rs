//! The portal as rows, each a JSON text under a kind and a key, and the port that keeps them.
//!
//! Only rows that changed are written, all of one call together; everything is read once, at the
//! start. Faults, tokens and the call log are not kept.
//!
//! **Invariant**: what could not be written stays marked and goes with the next save.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::definitions::Group;
use crate::events::EventDefinition;
use crate::store::Contact;
use crate::world::{Row, World};

/// Why a portal that outlives its process can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PortalFault {
    /// The rows can't be read or written.
    #[error("the simulator's rows can't be kept: {0}; hint: is another process using the file?")]
    Rows(String),
    /// A row is not what this version writes.
    #[error("a row of the simulator can't be read: {0}; hint: start with another folder")]
    Row(#[from] serde_json::Error),
}

/// A row as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRow {
    /// What it holds: `contact`, `property` and so on.
    pub kind: String,
    /// Which one of its kind.
    pub key: String,
    /// JSON; `None` deletes the row.
    pub body: Option<String>,
}

/// Keeps a portal's rows across restarts. `simulator_server` has one over SQLite.
pub trait KeepRows: Debug + Send {
    /// All rows, in any order.
    ///
    /// # Errors
    /// What can't be read, in words.
    fn load(&mut self) -> Result<Vec<KeptRow>, String>;

    /// Writes or deletes these rows, all or none. `Ok` means that they are durable.
    ///
    /// # Errors
    /// What can't be written, in words.
    fn save(&mut self, rows: &[KeptRow]) -> Result<(), String>;

    /// Deletes all rows.
    ///
    /// # Errors
    /// What can't be written, in words.
    fn clear(&mut self) -> Result<(), String>;
}

/// Fills a fresh world with what is kept.
///
/// # Errors
/// When a row can't be read.
pub fn load(keeper: &mut dyn KeepRows, world: &mut World) -> Result<(), PortalFault> {
    let mut rows = keeper.load().map_err(PortalFault::Rows)?;
    // Definitions come before contacts: they say which values are unique.
    rows.sort_by_key(|row| (row.kind == "contact", row.kind == "next_id"));
    for KeptRow { kind, key, body } in rows {
        if let Some(body) = body {
            restore(world, &kind, key, &body)?;
        }
    }
    // It is all on disk.
    world.unmark();
    Ok(())
}

/// Writes what changed since the last save.
///
/// # Errors
/// When a row can't be written; then all stay marked.
pub fn save(keeper: &mut dyn KeepRows, world: &mut World) -> Result<(), PortalFault> {
    let contacts = &world.store.touched;
    // A call that only counted isn't worth a sync: the count goes with the next write.
    let only_counted = world.touched.iter().all(|row| *row == Row::Counters);
    if contacts.is_empty() && only_counted {
        return Ok(());
    }
    let mut rows = Vec::new();
    let mut put = |kind: &str, key: String, body: Option<String>| {
        rows.push(KeptRow { kind: kind.to_owned(), key, body });
    };
    for id in contacts {
        let body = world.store.any(*id).map(json).transpose()?;
        put("contact", id.to_string(), body);
    }
    if !contacts.is_empty() {
        put("next_id", String::new(), Some(world.store.next_id.to_string()));
    }
    for row in &world.touched {
        let (kind, key, body) = kept_row(world, row)?;
        put(kind, key, body);
    }
    keeper.save(&rows).map_err(PortalFault::Rows)?;
    world.unmark();
    Ok(())
}

fn restore(world: &mut World, kind: &str, key: String, body: &str) -> Result<(), PortalFault> {
    match kind {
        "contact" => world.store.restore(read::<Contact>(body)?),
        "next_id" => world.store.next_id = read(body)?,
        "alias" => {
            world.store.merged_into.insert(read(&key)?, read(body)?);
        }
        "forgotten" => {
            world.store.forgotten.insert(key);
        }
        "property" => world.restore_property(read(body)?),
        "group" => world.definitions.put_group(read::<Group>(body)?),
        "event_definition" => {
            world.events.definitions.insert(key, read::<EventDefinition>(body)?);
        }
        "event_id" => {
            world.events.seen.insert(key);
        }
        "settings" => {
            let kept = read(body)?;
            world.set(|settings| *settings = kept);
        }
        "counters" => world.limits.restore(read(body)?),
        // A newer version's row: it stays in the file.
        _ => {}
    }
    Ok(())
}

/// A row's kind, key and body; no body deletes it.
fn kept_row(
    world: &World,
    row: &Row,
) -> Result<(&'static str, String, Option<String>), PortalFault> {
    Ok(match row {
        Row::Alias(id) => {
            ("alias", id.to_string(), world.store.merged_into.get(id).map(json).transpose()?)
        }
        Row::Forgotten(email) => ("forgotten", email.clone(), Some("true".into())),
        Row::Property(name) => {
            let body = world.definitions.any(name).map(json).transpose()?;
            ("property", name.clone(), body)
        }
        Row::Group(name) => {
            ("group", name.clone(), world.definitions.groups.get(name).map(json).transpose()?)
        }
        Row::EventDefinition(name) => {
            let body = world.events.definitions.get(name).map(json).transpose()?;
            ("event_definition", name.clone(), body)
        }
        Row::EventId(id) => ("event_id", id.clone(), Some("true".into())),
        Row::Settings => ("settings", String::new(), Some(json(&world.settings)?)),
        Row::Counters => {
            ("counters", String::new(), world.limits.day_count().as_ref().map(json).transpose()?)
        }
    })
}

fn json(body: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string(body)
}

fn read<T: DeserializeOwned>(body: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(body)
}
