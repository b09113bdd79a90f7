//! The file: its tables, its format number, and how it is opened.
//!
//! In: a path. Out: a connection whose file has the tables of this format.
//!
//! Times are milliseconds of the queue's own clock (see `store`), except `sent_at_ms`, which is the
//! time of day. A `hidden_until_ms` of 0 means visible, whatever the clock says.
//!
//! **Invariant**: with WAL and `synchronous=FULL` a commit is on disk when it returns, and a process
//! that is killed at any moment leaves a file that SQLite repairs at the next open.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::OpenError;

/// The format that this program writes, in SQLite's `user_version`.
const FORMAT: i64 = 1;

/// How long to wait for another process that is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A commit that finds this many pages of 4 KiB in the log copies them into the file, and the next
/// commit begins the log anew. The figure is SQLite's own.
const LOG_PAGES: i64 = 1_000;

/// How long the log's file may stay after one transaction that was larger than that.
const LOG_BYTES_MAX: i64 = 16 * 1024 * 1024;

/// How much of the tables SQLite keeps in memory. Deduplication ids are spread over all of theirs.
const CACHE_KB: i64 = 16 * 1024;

/// Body and attributes come last in a row, so that reading the rest does not read them.
///
/// `message_group` has a row for each group with a message. Its `blocked_until_ms` is 0 when the
/// group may be open now. From the index `group_order` come the open groups with the oldest heads,
/// and the closed group that opens next, without reading a message.
const TABLES: &str = "
    CREATE TABLE queue (
        id INTEGER PRIMARY KEY,
        messages INTEGER NOT NULL,
        clock_ms INTEGER NOT NULL
    ) STRICT;
    INSERT INTO queue VALUES (0, 0, 0), (1, 0, 0);

    CREATE TABLE message_group (
        id INTEGER PRIMARY KEY,
        queue INTEGER NOT NULL,
        name TEXT NOT NULL,
        blocked_until_ms INTEGER NOT NULL,
        head_seq INTEGER NOT NULL,
        UNIQUE (queue, name)
    ) STRICT;
    CREATE INDEX group_order ON message_group (queue, blocked_until_ms, head_seq);

    CREATE TABLE message (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        queue INTEGER NOT NULL,
        group_id INTEGER NOT NULL,
        hidden_until_ms INTEGER NOT NULL,
        receive_count INTEGER NOT NULL,
        receipt INTEGER NOT NULL,
        sent_at_ms INTEGER NOT NULL,
        kept_until_ms INTEGER NOT NULL,
        message_id TEXT NOT NULL,
        deduplication_id TEXT NOT NULL,
        attributes TEXT NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX message_order ON message (group_id, seq);
    CREATE INDEX message_in_flight ON message (queue, hidden_until_ms)
        WHERE receive_count > 0 AND hidden_until_ms > 0;
    CREATE INDEX message_delayed ON message (queue, hidden_until_ms)
        WHERE receive_count = 0 AND hidden_until_ms > 0;
    CREATE INDEX message_dead ON message (seq) WHERE queue = 1;

    CREATE TABLE sent_id (
        queue INTEGER NOT NULL,
        group_name TEXT NOT NULL,
        deduplication_id TEXT NOT NULL,
        known_until_ms INTEGER NOT NULL,
        PRIMARY KEY (queue, group_name, deduplication_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sent_id_age ON sent_id (known_until_ms);

    PRAGMA user_version = 1;
";

/// Opens the file or makes it. `:memory:` is a database of its own.
///
/// # Errors
/// [`OpenError::File`] and [`OpenError::Newer`].
pub(crate) fn open(path: &Path) -> Result<Connection, OpenError> {
    let at = |source| OpenError::File { path: path.to_owned(), source };
    let connection = Connection::open(path).map_err(at)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(at)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(at)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(at)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES).map_err(at)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX).map_err(at)?;
    connection.pragma_update(None, "cache_size", -CACHE_KB).map_err(at)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Without it SQLite compiles a statement that compares with a parameter anew for each value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(at)?;

    // Two processes may open a new file at once: the second waits here and finds the tables.
    connection.execute_batch("BEGIN IMMEDIATE").map_err(at)?;
    let found = connection
        .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
        .map_err(at)?;
    if found > FORMAT {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: FORMAT });
    }
    if found == 0 {
        connection.execute_batch(TABLES).map_err(at)?;
    }
    connection.execute_batch("COMMIT").map_err(at)?;
    Ok(connection)
}
