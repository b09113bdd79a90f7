//! Which message groups are open, and from when.
//!
//! A group is closed while one of its messages is in flight, or while its oldest message is
//! hidden. One number holds both, `blocked_until_ms`; [`refresh`] computes it anew whenever a
//! message of the group came, went or changed.
//!
//! **Invariant**: messages in flight are among the first ten of their group, because a receive
//! takes only from the head of an open group. So a refresh reads at most ten rows.

use rusqlite::{Connection, OptionalExtension, Result};

use crate::Which;

/// A group that may give messages now.
pub(crate) struct Open {
    pub(crate) id: i64,
    pub(crate) name: String,
}

/// SQS: what one receive may take, and thus how many messages of a group can be in flight.
pub(crate) const IN_FLIGHT_MAX: i64 = 10;

/// How many groups whose time has come one receive opens; the next receive opens the rest.
const OPENED_MAX: i64 = 1_000;

/// Opens the groups whose time has come, and returns the open groups with the oldest heads.
pub(crate) fn open(
    connection: &Connection,
    which: Which,
    now_ms: i64,
    groups_max: u32,
) -> Result<Vec<Open>> {
    let mut opening = connection.prepare_cached(
        "UPDATE message_group SET blocked_until_ms = 0 WHERE id IN (
            SELECT id FROM message_group
            WHERE queue = ?1 AND blocked_until_ms > 0 AND blocked_until_ms <= ?2
            ORDER BY blocked_until_ms LIMIT ?3)",
    )?;
    opening.execute((which.column(), now_ms, OPENED_MAX))?;
    let mut select = connection.prepare_cached(
        "SELECT id, name FROM message_group
         WHERE queue = ?1 AND blocked_until_ms = 0 ORDER BY head_seq LIMIT ?2",
    )?;
    let rows = select.query_map((which.column(), groups_max), |row| {
        Ok(Open { id: row.get(0)?, name: row.get(1)? })
    })?;
    rows.collect()
}

/// When the next closed group opens with time alone, if one does.
pub(crate) fn next_opening_ms(connection: &Connection, which: Which) -> Result<Option<i64>> {
    let mut select = connection.prepare_cached(
        "SELECT blocked_until_ms FROM message_group
         WHERE queue = ?1 AND blocked_until_ms > 0 ORDER BY blocked_until_ms LIMIT 1",
    )?;
    select.query_row([which.column()], |row| row.get(0)).optional()
}

/// The id of the group, and whether this call made it because it held no message: then [`refresh`]
/// must set its state.
pub(crate) fn enter(connection: &Connection, which: Which, name: &str) -> Result<(i64, bool)> {
    let mut select =
        connection.prepare_cached("SELECT id FROM message_group WHERE queue = ?1 AND name = ?2")?;
    if let Some(id) = select.query_row((which.column(), name), |row| row.get(0)).optional()? {
        return Ok((id, false));
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO message_group (queue, name, blocked_until_ms, head_seq) VALUES (?1, ?2, 0, 0)",
    )?;
    Ok((insert.insert((which.column(), name))?, true))
}

/// Computes the group's state from its messages, and removes an empty group.
pub(crate) fn refresh(connection: &Connection, group_id: i64) -> Result<()> {
    let mut select = connection.prepare_cached(
        "SELECT seq, hidden_until_ms, receive_count FROM message
         WHERE group_id = ?1 ORDER BY seq LIMIT ?2",
    )?;
    let mut rows = select.query((group_id, IN_FLIGHT_MAX))?;
    let mut head_seq = None;
    let mut blocked_until_ms = 0;
    while let Some(row) = rows.next()? {
        let (seq, hidden_until_ms, receive_count) =
            (row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?);
        if head_seq.is_none() || receive_count > 0 {
            blocked_until_ms = blocked_until_ms.max(hidden_until_ms);
        }
        head_seq.get_or_insert(seq);
    }
    match head_seq {
        Some(head_seq) => connection
            .prepare_cached(
                "UPDATE message_group SET blocked_until_ms = ?2, head_seq = ?3 WHERE id = ?1",
            )?
            .execute((group_id, blocked_until_ms, head_seq))?,
        None => connection
            .prepare_cached("DELETE FROM message_group WHERE id = ?1")?
            .execute([group_id])?,
    };
    Ok(())
}
