//! The simulator's file: one SQLite table of rows.
//!
//! **Invariant**: `save` returns `Ok` only when the rows are on disk (`synchronous=FULL`).

use std::path::Path;

use rusqlite::{Connection, params};
use simulator::{KeepRows, KeptRow, Portal, PortalFault};

const FILE: &str = "portal.sqlite3";

/// Opens the portal that a folder keeps. The folder is made if it isn't there.
///
/// # Errors
/// When the folder or the file in it can't be written or read.
pub fn open(folder: &Path) -> Result<Portal, PortalFault> {
    std::fs::create_dir_all(folder).map_err(|error| PortalFault::Rows(error.to_string()))?;
    let file = File::open(folder).map_err(|error| PortalFault::Rows(error.to_string()))?;
    Portal::kept_by(Box::new(file))
}

#[derive(Debug)]
struct File {
    connection: Connection,
}

impl File {
    fn open(folder: &Path) -> Result<Self, rusqlite::Error> {
        let connection = Connection::open(folder.join(FILE))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             CREATE TABLE IF NOT EXISTS row (
                 kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL,
                 PRIMARY KEY (kind, key)
             ) WITHOUT ROWID;",
        )?;
        Ok(Self { connection })
    }

    fn read(&self) -> Result<Vec<KeptRow>, rusqlite::Error> {
        let mut statement = self.connection.prepare("SELECT kind, key, body FROM row")?;
        let rows = statement.query_map([], |row| {
            Ok(KeptRow { kind: row.get(0)?, key: row.get(1)?, body: row.get(2)? })
        })?;
        rows.collect()
    }

    fn write(&mut self, rows: &[KeptRow]) -> Result<(), rusqlite::Error> {
        let transaction = self.connection.transaction()?;
        {
            let mut put = transaction.prepare_cached(
                "INSERT INTO row (kind, key, body) VALUES (?1, ?2, ?3)
                 ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
            )?;
            let mut remove =
                transaction.prepare_cached("DELETE FROM row WHERE kind = ?1 AND key = ?2")?;
            for KeptRow { kind, key, body } in rows {
                match body {
                    Some(body) => put.execute(params![kind, key, body])?,
                    None => remove.execute(params![kind, key])?,
                };
            }
        }
        transaction.commit()
    }
}

impl KeepRows for File {
    fn load(&mut self) -> Result<Vec<KeptRow>, String> {
        self.read().map_err(|error| error.to_string())
    }

    fn save(&mut self, rows: &[KeptRow]) -> Result<(), String> {
        self.write(rows).map_err(|error| error.to_string())
    }

    fn clear(&mut self) -> Result<(), String> {
        self.connection
            .execute("DELETE FROM row", [])
            .map(|_deleted| ())
            .map_err(|error| error.to_string())
    }
}
