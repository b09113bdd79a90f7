//! The wire between the workers and HubSpot, watched: whose write is under way to which contact.
//!
//! **Judges**: how many calls any closed window of ten seconds saw; and that no contact is written while another hand may
//! still write it: not while another request for it is in flight, and not within 25 s of one whose
//! outcome nobody knows, for so late it may still land.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hubspot::transport::{Answer, NoAnswer, Request};
use serde_json::Value;
use shared::ports::Clock as _;
use simulator::Portal;

use crate::clock::VirtualClock;
use crate::fired::Fired;
use crate::trace::Trace;

/// The latest that a request may still be applied after it arrived.
const LANDS_WITHIN: Duration = Duration::from_secs(25);

/// What is counted when a process calls while another call of its own is under way.
pub const SIDE_BY_SIDE: &str = "calls side by side";

/// HubSpot's window.
const WINDOW: Duration = Duration::from_secs(10);

/// The watched wire of a world.
pub struct Wire {
    clock: VirtualClock,
    portal: Arc<Portal>,
    trace: Arc<Trace>,
    fired: Arc<Fired>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When each request left.
    left_at: Vec<Duration>,
    /// By process: how many requests are under way.
    under_way: BTreeMap<String, u32>,
    /// By contact: the writes that may still be applied.
    held: BTreeMap<String, Vec<Held>>,
    violations: Vec<String>,
}

struct Held {
    flight: usize,
    /// In flight without an end that is known.
    until: Option<Duration>,
}

/// A request under way. Dropped without an answer, it was its process that was killed: what was sent
/// may still be applied.
pub struct Flight {
    wire: Arc<Wire>,
    process: String,
    number: usize,
    begun_at: Duration,
    targets: Vec<String>,
}

impl Wire {
    /// A wire to this portal.
    pub fn new(
        clock: VirtualClock,
        portal: Arc<Portal>,
        trace: Arc<Trace>,
        fired: Arc<Fired>,
    ) -> Self {
        Self { clock, portal, trace, fired, state: Mutex::default() }
    }

    /// What was seen that must not be.
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// The most calls that any ten seconds saw, both ends included.
    pub fn peak_in_ten_seconds(&self) -> usize {
        let left_at = &self.state().left_at;
        let within =
            |first: usize| left_at[first..].partition_point(|at| *at <= left_at[first] + WINDOW);
        (0..left_at.len()).map(within).max().unwrap_or_default()
    }

    /// Whether a write to this contact may still be applied.
    pub fn is_held(&self, target: &str) -> bool {
        let now = self.clock.uptime();
        let state = self.state();
        let held = state.held.get(target).into_iter().flatten();
        held.into_iter().any(|held| held.until.is_none_or(|until| until > now))
    }

    /// A request leaves for HubSpot.
    pub fn leaves(self: &Arc<Self>, process: &str, request: &Request) -> Flight {
        let now = self.clock.uptime();
        let targets = self.targets(request);
        let path = request.path.split('?').next().unwrap_or_default();
        self.trace.note(now, format_args!("{process} calls {path} {targets:?}"));
        let mut state = self.state();
        state.left_at.push(now);
        let number = state.left_at.len();
        let under_way = state.under_way.entry(process.into()).or_default();
        if *under_way > 0 {
            self.fired.strike(SIDE_BY_SIDE);
        }
        *under_way += 1;
        let flight =
            Flight { wire: self.clone(), process: process.into(), number, begun_at: now, targets };
        for target in &flight.targets {
            let held = state.held.entry(target.clone()).or_default();
            held.retain(|held| held.until.is_none_or(|until| until > now));
            let is_free = held.is_empty();
            held.push(Held { flight: flight.number, until: None });
            if !is_free {
                let what = format!("two hands: {process} writes {target} at {now:?}");
                state.violations.push(what);
            }
        }
        flight
    }

    /// The contacts that a request writes.
    fn targets(&self, request: &Request) -> Vec<String> {
        let is_update = request.path.ends_with("/batch/update");
        if !is_update && !request.path.ends_with("/batch/create") {
            return Vec::new();
        }
        let body: Value =
            serde_json::from_slice(request.body.as_deref().unwrap_or_default()).unwrap_or_default();
        let inputs = body["inputs"].as_array().into_iter().flatten();
        let name = |input: &Value| {
            if is_update {
                // A record that was merged away is written no more.
                let id: u64 = input["id"].as_str()?.parse().ok()?;
                self.portal.contact(id).filter(|record| record.id == id).map(|_| id.to_string())
            } else {
                Some(input["properties"]["email"].as_str()?.to_owned())
            }
        };
        inputs.filter_map(name).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// Its answer came, or that there will be none.
    pub fn answered(mut self, answer: &Result<Answer, NoAnswer>) {
        let outcome = match answer {
            Ok(answer) => answer.status.to_string(),
            Err(NoAnswer::NotSent(_)) => "not sent".into(),
            Err(NoAnswer::Unknown(_)) => "no answer".into(),
        };
        self.wire.trace.note(self.wire.clock.uptime(), format_args!("  {outcome}"));
        if !matches!(answer, Err(NoAnswer::Unknown(_))) {
            let mut state = self.wire.state();
            for target in self.targets.drain(..) {
                let held = state.held.entry(target).or_default();
                held.retain(|held| held.flight != self.number);
            }
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut state = self.wire.state();
        if let Some(under_way) = state.under_way.get_mut(&self.process) {
            *under_way -= 1;
        }
        for target in &self.targets {
            let held = state.held.get_mut(target).into_iter().flatten();
            let mine = held.filter(|held| held.flight == self.number);
            mine.for_each(|held| held.until = Some(self.begun_at + LANDS_WITHIN));
        }
    }
}
