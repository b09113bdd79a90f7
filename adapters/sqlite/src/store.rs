//! The queues in SQL: sending, settling, counting; `receive` has receiving. Every function runs
//! inside the writer's transaction.
//!
//! The queue has its own time: the time of day when the file was opened plus the steady clock since
//! then, and never earlier than the latest time in the file. So setting the clock while the process
//! runs changes nothing, and setting it back before a start hides no message longer. Only `sent_at`
//! is the time of day.
//!
//! **Invariant**: a message leaves only by its receipt, by its age, or into the dead letters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension, Result, Row};
use shared::ids::uuid_v7;
use shared::ports::{Clock, Depth, Entropy, Outgoing, QueueFault};

use crate::attempts::Attempts;
use crate::{DeadLetter, LOOK_AGAIN, QueueSettings, Which, accept, groups};

/// SQS: how long a deduplication id is remembered.
const DEDUPLICATION_MS: i64 = 5 * 60 * 1000;
/// How many old deduplication ids a send removes, beyond two for each message.
const FORGOTTEN_IDS: usize = 16;
/// How often the store looks for messages past their retention.
const RETENTION_EVERY_MS: i64 = 60_000;
/// How many messages one such look removes.
const EXPIRED_MAX: i64 = 1_000;

/// The file, and what the process remembers beside it.
pub(crate) struct Store {
    pub(crate) connection: Connection,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) settings: QueueSettings,
    /// The queue's time when `uptime` was zero.
    epoch_ms: i64,
    pub(crate) attempts: [Attempts; 2],
    pub(crate) to_wake: [bool; 2],
    retention_due_ms: i64,
}

/// What happens to the message of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Delete,
    Hide(Duration),
}

impl Store {
    pub(crate) fn new(
        connection: Connection,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: QueueSettings,
    ) -> Result<Store> {
        let seen_ms: i64 =
            connection.query_row("SELECT max(clock_ms) FROM queue", [], |row| row.get(0))?;
        let epoch_ms = clock.now().timestamp_millis().max(seen_ms) - millis(clock.uptime());
        Ok(Store {
            connection,
            clock,
            entropy,
            settings,
            epoch_ms,
            attempts: Default::default(),
            to_wake: [false; 2],
            retention_due_ms: 0,
        })
    }

    pub(crate) fn begin(&mut self) -> Result<()> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let now_ms = self.now_ms();
        if now_ms >= self.retention_due_ms {
            self.retention_due_ms = now_ms + RETENTION_EVERY_MS;
            self.drop_expired(now_ms)?;
        }
        Ok(())
    }

    pub(crate) fn commit(&mut self) -> Result<()> {
        self.connection.execute_batch("COMMIT")
    }

    /// Undoes the transaction, if there is one. An attempt that it remembered does no harm: the
    /// file has no such receipts.
    pub(crate) fn roll_back(&mut self) {
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// Which queues may have something new to receive since the last call.
    pub(crate) fn take_to_wake(&mut self) -> [bool; 2] {
        std::mem::take(&mut self.to_wake)
    }

    /// Stores the messages. It accepts a message with a known id too, and does not store it again.
    pub(crate) fn send(
        &mut self,
        which: Which,
        messages: &[Outgoing],
    ) -> Result<Vec<Result<(), QueueFault>>> {
        let now_ms = self.now_ms();
        self.forget_ids(now_ms, 2 * messages.len() + FORGOTTEN_IDS)?;
        let mut answers = Vec::with_capacity(messages.len());
        for message in messages {
            let accepted = accept::check_message(message);
            if accepted.is_ok() && self.remember_id(which, message, now_ms)? {
                self.insert(which, message, now_ms)?;
            }
            answers.push(accepted);
        }
        Ok(answers)
    }

    /// Deletes the messages of these receipts, or sets how long they stay hidden.
    pub(crate) fn settle(
        &mut self,
        which: Which,
        orders: &[(String, Change)],
    ) -> Result<Vec<Result<(), QueueFault>>> {
        let now_ms = self.now_ms();
        let mut touched = BTreeSet::new();
        let mut answers = Vec::with_capacity(orders.len());
        let mut deleted = 0;
        for (handle, change) in orders {
            let Some((seq, group_id)) = self.in_hand(which, handle, now_ms)? else {
                answers.push(Err(QueueFault::Stale));
                continue;
            };
            match *change {
                Change::Delete => {
                    self.remove(seq)?;
                    deleted += 1;
                }
                Change::Hide(wait) => {
                    if let Err(refused) = accept::check_visibility(wait) {
                        answers.push(Err(refused));
                        continue;
                    }
                    self.hide(seq, hidden_until(now_ms, wait))?;
                }
            }
            self.attempts[which as usize].spend(seq);
            touched.insert(group_id);
            answers.push(Ok(()));
        }
        if !touched.is_empty() {
            self.to_wake[which as usize] = true;
            self.count(which, -deleted, now_ms)?;
        }
        for group_id in touched {
            groups::refresh(&self.connection, group_id)?;
        }
        Ok(answers)
    }

    /// Makes messages in flight visible after `wait` at the latest: the process that received them
    /// is dead.
    pub(crate) fn reclaim(&mut self, which: Which, wait: Duration) -> Result<()> {
        let until_ms = hidden_until(self.now_ms(), wait);
        let held = "queue = ?1 AND receive_count > 0 AND hidden_until_ms > ?2";
        let groups: Vec<i64> = self
            .connection
            .prepare(&format!("SELECT DISTINCT group_id FROM message WHERE {held}"))?
            .query_map((which.column(), until_ms), |row| row.get(0))?
            .collect::<Result<_>>()?;
        self.connection.execute(
            &format!("UPDATE message SET hidden_until_ms = ?2 WHERE {held}"),
            (which.column(), until_ms),
        )?;
        for group_id in groups {
            groups::refresh(&self.connection, group_id)?;
        }
        self.to_wake[which as usize] = true;
        Ok(())
    }

    /// How many messages the queue holds: the kept number, and a range of a small index for each
    /// part.
    pub(crate) fn depth(&mut self, which: Which) -> Result<Depth> {
        let mut select = self.connection.prepare_cached(
            "SELECT messages,
                (SELECT count(*) FROM message WHERE queue = ?1 AND hidden_until_ms > ?2
                    AND receive_count > 0 AND hidden_until_ms > 0),
                (SELECT count(*) FROM message WHERE queue = ?1 AND hidden_until_ms > ?2
                    AND receive_count = 0 AND hidden_until_ms > 0)
             FROM queue WHERE id = ?1",
        )?;
        select.query_row((which.column(), self.now_ms()), |row| {
            let count = |column| Ok::<_, Error>(row.get::<_, i64>(column)?.max(0).unsigned_abs());
            let (total, in_flight, delayed) = (count(0)?, count(1)?, count(2)?);
            Ok(Depth { visible: total.saturating_sub(in_flight + delayed), in_flight, delayed })
        })
    }

    /// When the oldest message was sent. It is the head of a group, so a small index finds it.
    pub(crate) fn oldest(&mut self, which: Which) -> Result<Option<DateTime<Utc>>> {
        let mut select = self.connection.prepare_cached(
            "SELECT sent_at_ms FROM message
             WHERE seq = (SELECT min(head_seq) FROM message_group WHERE queue = ?1)",
        )?;
        select.query_row([which.column()], |row| time_of_day(row, 0)).optional()
    }

    /// The oldest dead letters, in the order of their arrival.
    pub(crate) fn dead_letters(&mut self, letters_max: u32) -> Result<Vec<DeadLetter>> {
        let mut select = self.connection.prepare_cached(
            "SELECT message.message_id, message_group.name, body, attributes, sent_at_ms,
                    receive_count
             FROM message JOIN message_group ON message_group.id = message.group_id
             WHERE message.queue = 1 ORDER BY seq LIMIT ?1",
        )?;
        let rows = select.query_map([letters_max], |row| {
            Ok(DeadLetter {
                message_id: row.get(0)?,
                group: row.get(1)?,
                body: row.get(2)?,
                attributes: attributes(row, 3)?,
                sent_at: time_of_day(row, 4)?,
                receive_count: row.get(5)?,
            })
        })?;
        rows.collect()
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.epoch_ms + millis(self.clock.uptime())
    }

    /// Remembers the message's deduplication id. False if it was known.
    fn remember_id(&self, which: Which, message: &Outgoing, now_ms: i64) -> Result<bool> {
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO sent_id VALUES (?1, ?2, ?3, ?4 + ?5)
             ON CONFLICT DO UPDATE SET known_until_ms = excluded.known_until_ms
             WHERE known_until_ms <= ?4",
        )?;
        let id = (&message.group, &message.deduplication_id);
        Ok(insert.execute((which.column(), id.0, id.1, now_ms, DEDUPLICATION_MS))? > 0)
    }

    /// Removes the oldest ids past their time. One by one: the table has no row id, and for a `DELETE`
    /// by an inner `SELECT` SQLite would read all ids of the queue.
    fn forget_ids(&self, now_ms: i64, ids_max: usize) -> Result<()> {
        let mut select = self.connection.prepare_cached(
            "SELECT queue, group_name, deduplication_id FROM sent_id
             WHERE known_until_ms <= ?1 ORDER BY known_until_ms LIMIT ?2",
        )?;
        let limit = i64::try_from(ids_max).unwrap_or(i64::MAX);
        let ids = select.query_map((now_ms, limit), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })?;
        let ids: Vec<_> = ids.collect::<Result<_>>()?;
        let mut delete = self.connection.prepare_cached(
            "DELETE FROM sent_id WHERE queue = ?1 AND group_name = ?2 AND deduplication_id = ?3",
        )?;
        for id in ids {
            delete.execute(id)?;
        }
        Ok(())
    }

    fn insert(&mut self, which: Which, message: &Outgoing, now_ms: i64) -> Result<()> {
        let delay = match which {
            Which::Events => self.settings.delay,
            Which::DeadLetters => Duration::ZERO,
        };
        let written = serde_json::to_string(&message.attributes)
            .map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))?;
        let sent_at = self.clock.now();
        let (group_id, is_new) = groups::enter(&self.connection, which, &message.group)?;
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO message (queue, group_id, hidden_until_ms, receive_count, receipt,
                sent_at_ms, kept_until_ms, message_id, deduplication_id, attributes, body)
             VALUES (?1, ?2, ?3, 0, 0, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        insert.execute((
            which.column(),
            group_id,
            hidden_until(now_ms, delay),
            sent_at.timestamp_millis(),
            now_ms + millis(self.settings.retention),
            uuid_v7(sent_at, &*self.entropy),
            &message.deduplication_id,
            written,
            &message.body,
        ))?;
        // In other groups the head decides, and it stays the same.
        if is_new {
            groups::refresh(&self.connection, group_id)?;
        }
        // A message with a longer delay wakes nobody: a waiting receiver looks again before its end.
        self.to_wake[which as usize] |= delay < LOOK_AGAIN;
        self.count(which, 1, now_ms)
    }

    /// Place and group of the message, if the receipt is still valid.
    fn in_hand(&self, which: Which, handle: &str, now_ms: i64) -> Result<Option<(i64, i64)>> {
        let Some((seq, receipt)) = read_handle(handle) else { return Ok(None) };
        let mut select = self.connection.prepare_cached(
            "SELECT group_id FROM message
             WHERE seq = ?1 AND queue = ?2 AND receipt = ?3 AND hidden_until_ms > ?4",
        )?;
        let found = select
            .query_row((seq, which.column(), receipt, now_ms), |row| row.get(0))
            .optional()?;
        Ok(found.map(|group_id| (seq, group_id)))
    }

    pub(crate) fn hide(&self, seq: i64, until_ms: i64) -> Result<()> {
        let mut update = self
            .connection
            .prepare_cached("UPDATE message SET hidden_until_ms = ?2 WHERE seq = ?1")?;
        update.execute((seq, until_ms))?;
        Ok(())
    }

    pub(crate) fn remove(&self, seq: i64) -> Result<()> {
        self.connection.prepare_cached("DELETE FROM message WHERE seq = ?1")?.execute([seq])?;
        Ok(())
    }

    /// Adds to the kept number of messages, and stores the time, as every change must.
    pub(crate) fn count(&self, which: Which, added: i64, now_ms: i64) -> Result<()> {
        let mut update = self.connection.prepare_cached(
            "UPDATE queue SET messages = messages + ?2, clock_ms = max(clock_ms, ?3) WHERE id = ?1",
        )?;
        update.execute((which.column(), added, now_ms))?;
        Ok(())
    }

    /// Removes messages past their retention. It is the same for both queues, so the oldest rows are
    /// the first to go.
    fn drop_expired(&mut self, now_ms: i64) -> Result<()> {
        let expired: Vec<(i64, i64, i64)> = {
            let mut select = self.connection.prepare_cached(
                "SELECT seq, queue, group_id, kept_until_ms FROM message ORDER BY seq LIMIT ?1",
            )?;
            let mut rows = select.query([EXPIRED_MAX])?;
            let mut expired = Vec::new();
            while let Some(row) = rows.next()? {
                if row.get::<_, i64>(3)? > now_ms {
                    break;
                }
                expired.push((row.get(0)?, row.get(1)?, row.get(2)?));
            }
            expired
        };
        for (seq, queue, group_id) in expired {
            self.remove(seq)?;
            groups::refresh(&self.connection, group_id)?;
            let which = Which::ALL.into_iter().find(|which| which.column() == queue);
            self.count(which.unwrap_or(Which::Events), -1, now_ms)?;
        }
        Ok(())
    }
}

fn read_handle(handle: &str) -> Option<(i64, i64)> {
    let (seq, receipt) = handle.split_once('.')?;
    Some((seq.parse().ok()?, u64::from_str_radix(receipt, 16).ok()?.cast_signed()))
}

pub(crate) fn attributes(row: &Row<'_>, column: usize) -> Result<BTreeMap<String, String>> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text)
        .map_err(|error| Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

pub(crate) fn time_of_day(row: &Row<'_>, column: usize) -> Result<DateTime<Utc>> {
    let at_ms = row.get(column)?;
    DateTime::from_timestamp_millis(at_ms).ok_or(Error::IntegralValueOutOfRange(column, at_ms))
}

/// Zero means visible, so that without a wait every reader of the file sees the message, whatever
/// its clock.
pub(crate) fn hidden_until(now_ms: i64, wait: Duration) -> i64 {
    if wait.is_zero() { 0 } else { now_ms + millis(wait).max(1) }
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
