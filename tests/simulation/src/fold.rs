//! The pure fold: request bodies → facts, without queue, worker or HubSpot. What the path is held
//! against.

use chrono::{DateTime, Utc};
use serde_json::Value;
use shared::facts::{Facts, Happening};
use shared::submission::{self, Submitted};

/// The facts of one event's body that was received then, if it is valid.
pub fn facts(body: &Value, received_at: DateTime<Utc>) -> Option<Facts> {
    planted::without(|| fold(body, received_at))
}

fn fold(body: &Value, received_at: DateTime<Utc>) -> Option<Facts> {
    let submission = submission::read(body.to_string().as_bytes()).ok()?;
    let Submitted::Single(event) = submission.events else { return None };
    let at = event.ts.when(received_at).at;
    Some(Facts::of(&Happening { at, event: event.event }))
}
