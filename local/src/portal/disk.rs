//! The portal's file: one SQLite table of rows, each a JSON text under a kind and a key.
//!
//! Only rows that changed are written, in one transaction per call; everything is read once, at
//! the start. Faults, tokens and the call log are not kept.
//!
//! **Invariant**: `save` returns `Ok` only when the rows are on disk (`synchronous=FULL`); what
//! failed stays marked and is written by the next save.

use std::path::Path;

use rusqlite::{Connection, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::definitions::{Group, Property};
use super::engine::Engine;
use super::events::EventDefinition;
use super::store::Contact;
use super::world::Row;

/// Why a portal on disk can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PortalFault {
    /// The folder can't be made.
    #[error("the portal's folder can't be made: {0}")]
    Folder(#[from] std::io::Error),
    /// SQLite can't open, read or write the file.
    #[error("the portal's file can't be used: {0}; hint: is another process using it?")]
    File(#[from] rusqlite::Error),
    /// A row is not what this version writes.
    #[error("a row of the portal's file can't be read: {0}; hint: start with another folder")]
    Row(#[from] serde_json::Error),
}

#[derive(Debug)]
pub(super) struct Disk {
    connection: Connection,
}

const FILE: &str = "portal.sqlite3";

impl Disk {
    /// Opens the file, and fills the engine with what it holds.
    pub(super) fn open(folder: &Path, engine: &mut Engine) -> Result<Self, PortalFault> {
        std::fs::create_dir_all(folder)?;
        let connection = Connection::open(folder.join(FILE))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             CREATE TABLE IF NOT EXISTS row (
                 kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL,
                 PRIMARY KEY (kind, key)
             ) WITHOUT ROWID;",
        )?;
        let disk = Self { connection };
        disk.load(engine)?;
        Ok(disk)
    }

    /// Writes what changed since the last save.
    pub(super) fn save(&mut self, engine: &mut Engine) -> Result<(), PortalFault> {
        let contacts = &engine.world.store.touched;
        // A call that only counted is not worth a disk's turn: the count goes with the next write.
        let only_counted = engine.world.touched.iter().all(|row| *row == Row::Counters);
        if contacts.is_empty() && only_counted {
            return Ok(());
        }
        let transaction = self.connection.transaction()?;
        {
            let mut put = transaction.prepare_cached(
                "INSERT INTO row (kind, key, body) VALUES (?1, ?2, ?3)
                 ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
            )?;
            let mut remove =
                transaction.prepare_cached("DELETE FROM row WHERE kind = ?1 AND key = ?2")?;
            let mut write = |kind: &str, key: &str, body: Option<String>| match body {
                Some(body) => put.execute(params![kind, key, body]),
                None => remove.execute(params![kind, key]),
            };
            for id in contacts {
                let body = engine.world.store.any(*id).map(json).transpose()?;
                write("contact", &id.to_string(), body)?;
            }
            if !contacts.is_empty() {
                let next_id = engine.world.store.next_id.to_string();
                write("next_id", "", Some(next_id))?;
            }
            for row in &engine.world.touched {
                let (kind, key, body) = row_on_disk(engine, row)?;
                write(kind, &key, body)?;
            }
        }
        transaction.commit()?;
        engine.world.store.touched.clear();
        engine.world.touched.clear();
        Ok(())
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) -> Result<(), PortalFault> {
        self.connection.execute("DELETE FROM row", [])?;
        Ok(())
    }

    fn load(&self, engine: &mut Engine) -> Result<(), PortalFault> {
        // Definitions come before contacts: they say which values are unique.
        let mut statement = self.connection.prepare(
            "SELECT kind, key, body FROM row ORDER BY kind = 'contact', kind = 'next_id'",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (kind, key, body): (String, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            restore(engine, &kind, key, &body)?;
        }
        Ok(())
    }
}

fn restore(engine: &mut Engine, kind: &str, key: String, body: &str) -> Result<(), PortalFault> {
    let world = &mut engine.world;
    match kind {
        "contact" => world.store.restore(read::<Contact>(body)?),
        "next_id" => world.store.next_id = read(body)?,
        "alias" => {
            world.store.merged_into.insert(read(&key)?, read(body)?);
        }
        "forgotten" => {
            world.store.forgotten.insert(key);
        }
        "property" => {
            let property: Property = read(body)?;
            if property.unique && property.archived_at.is_none() {
                world.store.unique.insert(property.name.clone());
            }
            world.definitions.put(property);
        }
        "group" => {
            world.definitions.groups.insert(key, read::<Group>(body)?);
        }
        "event_definition" => {
            world.events.definitions.insert(key, read::<EventDefinition>(body)?);
        }
        "event_id" => {
            world.events.seen.insert(key);
        }
        "settings" => world.settings = read(body)?,
        "counters" => engine.limits.restore(read(body)?),
        // A newer version's row: it stays in the file.
        _ => {}
    }
    Ok(())
}

/// A row's kind, key and body; no body deletes it.
fn row_on_disk(
    engine: &Engine,
    row: &Row,
) -> Result<(&'static str, String, Option<String>), PortalFault> {
    let world = &engine.world;
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
            ("counters", String::new(), engine.limits.day_count().as_ref().map(json).transpose()?)
        }
    })
}

fn json(body: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string(body)
}

fn read<T: DeserializeOwned>(body: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(body)
}
