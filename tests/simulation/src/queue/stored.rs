//! A message as the simulated queue stores it, and the receipt that names one receive of it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use shared::ports::{Delivery, Outgoing, Receipt};

pub(super) struct Stored {
    pub(super) message: Outgoing,
    pub(super) sent_at: DateTime<Utc>,
    pub(super) receive_count: u32,
    pub(super) receipt: Option<u64>,
    pub(super) hidden_until: Duration,
    /// Received, and not put off since.
    pub(super) is_in_hand: bool,
}

impl Stored {
    pub(super) fn is_hidden(&self, now: Duration) -> bool {
        self.hidden_until > now
    }

    pub(super) fn is_in_flight(&self, now: Duration) -> bool {
        self.receive_count > 0 && self.is_hidden(now)
    }
}

/// The delivery of one receive.
pub(super) fn delivery(number: u64, receipt: u64, stored: &Stored) -> Delivery {
    Delivery {
        message_id: number.to_string(),
        receipt: Receipt::new(format!("{number} {receipt} {}", stored.message.group)),
        body: stored.message.body.clone(),
        group: stored.message.group.clone(),
        deduplication_id: stored.message.deduplication_id.clone(),
        receive_count: stored.receive_count,
        sent_at: stored.sent_at,
        attributes: stored.message.attributes.clone(),
    }
}

/// A message's number, the number of its receive, and its group.
pub(super) fn read(receipt: &Receipt) -> Option<(u64, u64, &str)> {
    let (number, rest) = receipt.handle().split_once(' ')?;
    let (receipt, group) = rest.split_once(' ')?;
    Some((number.parse().ok()?, receipt.parse().ok()?, group))
}
