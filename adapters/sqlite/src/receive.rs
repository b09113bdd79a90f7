//! Receiving: from the heads of the open groups, or again what the same attempt got before. A
//! message that was received too often moves to the dead letters on the way.
//!
//! In: a request. Out: deliveries whose receipts are in the file. Every function runs inside the
//! writer's transaction.
//!
//! **Invariant**: a group gives messages from its head, in order, and only while none of its
//! messages is in flight.

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::{OptionalExtension, Result, Row};
use shared::ports::{Delivery, Receipt, ReceiveRequest};

use crate::attempts::Given;
use crate::store::{Store, attributes, hidden_until, millis, time_of_day};
use crate::{Which, groups};

/// How often one receive looks again because messages moved to the dead letters.
const ROUNDS_MAX: usize = 100;

/// What a receive found.
pub(crate) struct Received {
    pub(crate) deliveries: Vec<Delivery>,
    /// When it found nothing: the time until the next group opens with time alone, if one does.
    pub(crate) opens_in: Option<Duration>,
}

/// The messages that a receive has taken so far: one entry in each list for each message.
#[derive(Default)]
struct Taken {
    deliveries: Vec<Delivery>,
    given: Vec<Given>,
}

impl Store {
    /// Takes from the heads of the open groups: all that one group has, then the next group.
    pub(crate) fn receive(&mut self, which: Which, request: &ReceiveRequest) -> Result<Received> {
        let now_ms = self.now_ms();
        let deliveries = self.repeat(which, request, now_ms)?;
        if !deliveries.is_empty() {
            return Ok(Received { deliveries, opens_in: None });
        }
        let mut taken = Taken::default();
        for _ in 0..ROUNDS_MAX {
            let moved = self.take_round(which, request, now_ms, &mut taken)?;
            // Without visibility the next round would give the same messages again.
            let gives_twice = request.visibility.is_zero() && !taken.given.is_empty();
            if moved == 0 || gives_twice {
                break;
            }
        }
        let Taken { deliveries, given } = taken;
        if deliveries.is_empty() {
            let opens_at_ms = groups::next_opening_ms(&self.connection, which)?;
            let wait = |at_ms: i64| Duration::from_millis((at_ms - now_ms).max(1).unsigned_abs());
            return Ok(Received { deliveries, opens_in: opens_at_ms.map(wait) });
        }
        self.attempts[which as usize].remember(now_ms, &request.attempt_id, given);
        self.count(which, 0, now_ms)?;
        Ok(Received { deliveries, opens_in: None })
    }

    /// The same messages again, if this attempt was made before and all its messages are still in
    /// flight; their visibility starts anew.
    fn repeat(
        &mut self,
        which: Which,
        request: &ReceiveRequest,
        now_ms: i64,
    ) -> Result<Vec<Delivery>> {
        let attempts = &mut self.attempts[which as usize];
        let Some(given) = attempts.recall(now_ms, &request.attempt_id) else {
            return Ok(Vec::new());
        };
        let mut again = Vec::new();
        let mut touched = BTreeSet::new();
        for Given { seq, receipt } in given {
            let mut select = self.connection.prepare_cached(
                "SELECT message_id, deduplication_id, sent_at_ms, receive_count, attributes, body,
                        name, group_id
                 FROM message JOIN message_group ON message_group.id = group_id
                 WHERE seq = ?1 AND receipt = ?2 AND hidden_until_ms > ?3",
            )?;
            let found = select
                .query_row((seq, receipt, now_ms), |row| {
                    let name: String = row.get(6)?;
                    Ok((delivery(row, seq, receipt, &name)?, row.get::<_, i64>(7)?))
                })
                .optional()?;
            let Some((delivery, group_id)) = found else {
                self.attempts[which as usize].forget(&request.attempt_id);
                return Ok(Vec::new());
            };
            again.push((seq, delivery));
            touched.insert(group_id);
        }
        for (seq, _) in &again {
            self.hide(*seq, hidden_until(now_ms, request.visibility))?;
        }
        for group_id in touched {
            groups::refresh(&self.connection, group_id)?;
        }
        Ok(again.into_iter().map(|(_, delivery)| delivery).collect())
    }

    /// Goes once over the open groups with the oldest heads. Returns how many messages moved to the
    /// dead letters: that many places may be left for groups further back.
    fn take_round(
        &mut self,
        which: Which,
        request: &ReceiveRequest,
        now_ms: i64,
        taken: &mut Taken,
    ) -> Result<usize> {
        let mut moved = 0;
        for group in groups::open(&self.connection, which, now_ms, request.messages_max)? {
            if taken.given.len() < request.messages_max as usize {
                moved += self.take(which, &group, request, now_ms, taken)?;
            }
        }
        Ok(moved)
    }

    /// Takes what is visible from one open group, in order. Returns how many messages moved to the
    /// dead letters because they were received too often.
    fn take(
        &mut self,
        which: Which,
        group: &groups::Open,
        request: &ReceiveRequest,
        now_ms: i64,
        taken: &mut Taken,
    ) -> Result<usize> {
        let mut moved = 0;
        let mut after = 0;
        while taken.given.len() < request.messages_max as usize {
            let Some((seq, receive_count)) = self.next_visible(group.id, after, now_ms)? else {
                break;
            };
            after = seq;
            if which == Which::Events && receive_count >= self.settings.max_receive_count {
                self.move_to_dead_letters(seq, &group.name, now_ms)?;
                moved += 1;
                continue;
            }
            let receipt = self.entropy.next_u64().cast_signed();
            let mut update = self.connection.prepare_cached(
                "UPDATE message
                 SET receive_count = receive_count + 1, receipt = ?2, hidden_until_ms = ?3
                 WHERE seq = ?1
                 RETURNING message_id, deduplication_id, sent_at_ms, receive_count, attributes,
                           body",
            )?;
            let until_ms = hidden_until(now_ms, request.visibility);
            taken.deliveries.push(update.query_row((seq, receipt, until_ms), |row| {
                delivery(row, seq, receipt, &group.name)
            })?);
            taken.given.push(Given { seq, receipt });
        }
        groups::refresh(&self.connection, group.id)?;
        Ok(moved)
    }

    /// The group's next message after this place, if it is visible: a hidden one hides those behind.
    fn next_visible(&self, group_id: i64, after: i64, now_ms: i64) -> Result<Option<(i64, u32)>> {
        let mut select = self.connection.prepare_cached(
            "SELECT seq, receive_count, hidden_until_ms FROM message
             WHERE group_id = ?1 AND seq > ?2 ORDER BY seq LIMIT 1",
        )?;
        let next = select
            .query_row((group_id, after), |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?))
            })
            .optional()?;
        Ok(next
            .filter(|(_, _, hidden_until_ms)| *hidden_until_ms <= now_ms)
            .map(|(seq, count, _)| (seq, count)))
    }

    /// As SQS's redrive does: body, attributes, group and receive count stay; place and sent time are
    /// new, and the message id becomes the deduplication id.
    fn move_to_dead_letters(&mut self, seq: i64, group: &str, now_ms: i64) -> Result<()> {
        let (group_id, is_new) = groups::enter(&self.connection, Which::DeadLetters, group)?;
        let mut copy = self.connection.prepare_cached(
            "INSERT INTO message (queue, group_id, hidden_until_ms, receive_count, receipt,
                sent_at_ms, kept_until_ms, message_id, deduplication_id, attributes, body)
             SELECT ?2, ?3, 0, receive_count, 0, ?4, ?5, message_id, message_id, attributes, body
             FROM message WHERE seq = ?1",
        )?;
        copy.execute((
            seq,
            Which::DeadLetters.column(),
            group_id,
            self.clock.now().timestamp_millis(),
            now_ms + millis(self.settings.retention),
        ))?;
        self.remove(seq)?;
        if is_new {
            groups::refresh(&self.connection, group_id)?;
        }
        self.to_wake[Which::DeadLetters as usize] = true;
        self.count(Which::Events, -1, now_ms)?;
        self.count(Which::DeadLetters, 1, now_ms)
    }
}

/// Reads a row that begins with message id, deduplication id, sent time, receive count,
/// attributes and body.
fn delivery(row: &Row<'_>, seq: i64, receipt: i64, group: &str) -> Result<Delivery> {
    Ok(Delivery {
        message_id: row.get(0)?,
        receipt: Receipt::new(format!("{seq}.{:016x}", receipt.cast_unsigned())),
        body: row.get(5)?,
        group: group.to_owned(),
        deduplication_id: row.get(1)?,
        receive_count: row.get(3)?,
        sent_at: time_of_day(row, 2)?,
        attributes: attributes(row, 4)?,
    })
}
