//! The HubSpot simulator: a portal with contacts, limits and faults, behind two doors.
//!
//! [`Engine`] is the portal as a function of time and request. [`inner_door`] leads to it from
//! within the process, `simulator_server` over HTTP with an admin API beside it; both do only what
//! the engine says, so what holds behind one holds behind the other. `docs/portal.md` lists what is
//! simulated and every switch.
//!
//! **Invariant**: if the portal is kept, what was answered is durable: `kill -9` loses no write
//! that a client saw answered.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;

mod account;
mod batch;
mod call;
pub mod calls;
mod definition_calls;
mod engine;
mod errors;
mod events;
pub mod exchange;
mod group_calls;
pub mod inner_door;
mod marketer;
mod record;
mod retire;
mod routes;
mod search;
mod single;
mod write;

pub use engine::{Engine, LOCAL_TOKEN};
pub use marketer::EditFault;
pub use simulator_portal::events::EventView;
pub use simulator_portal::rows::{KeepRows, KeptRow, PortalFault};
pub use simulator_portal::{faults, settings};

use calls::CallSeen;
use exchange::{PortalRequest, Reply};
use faults::{FaultRule, SetFault};
use settings::Settings;
use simulator_portal::rows;
use simulator_portal::store::Contact;

/// A portal that both doors, the tests and the status page share.
#[derive(Debug)]
pub struct Portal {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    engine: Engine,
    keeper: Option<Box<dyn KeepRows>>,
}

/// A contact as the status page and tests see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContactView {
    /// The record id.
    pub id: u64,
    /// The primary e-mail.
    pub email: Option<String>,
    /// The secondary e-mails.
    pub additional_emails: Vec<String>,
    /// What is set, by name.
    pub properties: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was written last.
    pub updated_at: DateTime<Utc>,
    /// Whether it is archived.
    pub archived: bool,
}

/// Counts since the portal was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Contacts, archived ones too.
    pub contacts: usize,
    /// Calls that arrived.
    pub calls: u64,
    /// Calls that were answered with 429.
    pub throttled: u64,
    /// Times that a fault was used.
    pub faults: u64,
    /// Calls of the day, others' included.
    pub used_today: u64,
    /// The most calls of one token in any ten seconds, searches not counted.
    pub peak_in_ten_seconds: usize,
    /// Behavioral events that were accepted.
    pub events: u64,
}

/// The seed of a kept portal: its randomness need not differ from another's.
const SEED_KEPT: u64 = 1;

impl Portal {
    /// A portal that lives as long as the process. All chance comes from the seed.
    pub fn in_memory(seed: u64) -> Self {
        Self { inner: Mutex::new(Inner { engine: Engine::new(seed), keeper: None }) }
    }

    /// A portal whose rows outlive the process.
    ///
    /// # Errors
    /// When its rows can't be read.
    pub fn kept_by(mut keeper: Box<dyn KeepRows>) -> Result<Self, PortalFault> {
        let mut engine = Engine::new(SEED_KEPT);
        rows::load(&mut *keeper, &mut engine.world)?;
        Ok(Self { inner: Mutex::new(Inner { engine, keeper: Some(keeper) }) })
    }

    /// Answers one request that arrives now. What it changed is on disk before this returns;
    /// if that fails, the answer is HubSpot's 500.
    pub fn handle(&self, now: DateTime<Utc>, request: &PortalRequest) -> Reply {
        let mut inner = self.lock();
        let mut reply = inner.engine.handle(now, request);
        if inner.save().is_err() {
            reply.status = 500;
            reply.body = br#"{"status":"error","message":"internal error"}"#.as_slice().into();
        }
        reply
    }

    /// Applies what was to land late and is due by now.
    pub fn settle(&self, now: DateTime<Utc>) {
        self.change(|engine| engine.settle(now));
    }

    /// Adds Milepost's groups and properties, where they are missing.
    pub fn define_milepost_properties(&self) {
        self.change(|engine| engine.world.define_milepost_properties());
    }

    /// Adds Milepost's custom events, where they are missing.
    pub fn define_milepost_events(&self) {
        self.change(|engine| engine.world.define_milepost_events());
    }

    /// The last custom events that were accepted since the portal was started, oldest first.
    pub fn accepted_events(&self) -> Vec<EventView> {
        self.lock().engine.world.events.kept().cloned().collect()
    }

    /// The contacts by ascending id, archived ones too.
    pub fn contacts(&self, limit: usize, offset: usize) -> Vec<ContactView> {
        self.lock().engine.world.store.all().skip(offset).take(limit).map(view).collect()
    }

    /// A contact by its own id, or by the id of one that was merged into it.
    pub fn contact(&self, id: u64) -> Option<ContactView> {
        let inner = self.lock();
        let store = &inner.engine.world.store;
        store.any(store.survivor(id).unwrap_or(id)).map(view)
    }

    /// The live contact that has this address, primary or secondary.
    pub fn contact_by_email(&self, email: &str) -> Option<ContactView> {
        let inner = self.lock();
        let store = &inner.engine.world.store;
        store.holder("email", email).and_then(|id| store.live(id)).map(view)
    }

    /// The calls with a number above this one, oldest first; the last [`calls::CALLS_KEPT`] are kept.
    pub fn calls_since(&self, number: u64) -> Vec<CallSeen> {
        self.lock().engine.calls.since(number)
    }

    /// Counts so far.
    pub fn stats(&self) -> Stats {
        let inner = self.lock();
        let engine = &inner.engine;
        Stats {
            contacts: engine.world.store.count(),
            calls: engine.calls.total(),
            throttled: engine.calls.throttled,
            faults: engine.faults.used(),
            used_today: engine.world.limits.used_today(),
            peak_in_ten_seconds: engine.world.limits.peak(),
            events: engine.world.events.counted(),
        }
    }

    /// The largest number of calls of one token in any ten seconds so far, refused ones included.
    pub fn peak_in_ten_seconds(&self) -> usize {
        self.lock().engine.world.limits.peak()
    }

    /// The switches as they stand.
    pub fn settings(&self) -> Settings {
        self.lock().engine.world.settings.clone()
    }

    /// Changes switches. Times are at most a day, and rates at most a million a second;
    /// [`Settings::patched`] holds them to it.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        self.change(|engine| engine.world.set(change));
    }

    /// Sets a fault; what clears it comes back.
    pub fn set_fault(&self, rule: FaultRule) -> u64 {
        self.lock().engine.faults.set(rule)
    }

    /// The faults in force.
    pub fn faults(&self) -> Vec<SetFault> {
        self.lock().engine.faults.list().to_vec()
    }

    /// Clears one fault; whether there was one.
    pub fn clear_fault(&self, id: u64) -> bool {
        self.lock().engine.faults.clear(id)
    }

    /// Clears all faults.
    pub fn clear_faults(&self) {
        self.lock().engine.faults.clear_all();
    }

    /// Accepts a token with these scopes, or with all when none is given.
    pub fn grant(&self, token: &str, scopes: &[&str]) {
        let scopes = if scopes.is_empty() { &routes::SCOPES[..] } else { scopes };
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.lock().engine.tokens.insert(token.to_owned(), scopes);
    }

    /// Accepts a token no more.
    pub fn revoke(&self, token: &str) {
        self.lock().engine.tokens.remove(token);
    }

    /// Sets how many calls the day has seen.
    pub fn spend_today(&self, now: DateTime<Utc>, used: u64) {
        self.change(|engine| engine.world.limits.spend(now, used, &engine.world.settings));
    }

    /// Empties the portal: contacts, definitions, counters, faults, tokens, switches and the log.
    ///
    /// # Errors
    /// When the file can't be emptied; then nothing is.
    pub fn reset(&self, seed: u64) -> Result<(), PortalFault> {
        let mut inner = self.lock();
        if let Some(keeper) = &mut inner.keeper {
            keeper.clear().map_err(PortalFault::Rows)?;
        }
        inner.engine = Engine::new(seed);
        Ok(())
    }

    fn change<T>(&self, change: impl FnOnce(&mut Engine) -> T) -> T {
        let mut inner = self.lock();
        let outcome = change(&mut inner.engine);
        // What could not be written stays marked, and goes with the next call, which reports it.
        let _tried_again_later = inner.save();
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in a test's thread leaves the portal readable.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn save(&mut self) -> Result<(), PortalFault> {
        match &mut self.keeper {
            Some(keeper) => rows::save(&mut **keeper, &mut self.engine.world),
            None => {
                self.engine.world.unmark();
                Ok(())
            }
        }
    }
}

fn view(contact: &Contact) -> ContactView {
    ContactView {
        id: contact.id,
        email: contact.email().map(str::to_owned),
        additional_emails: contact.additional_emails.clone(),
        properties: contact.properties.clone(),
        created_at: contact.created_at,
        updated_at: contact.updated_at,
        archived: contact.archived_at.is_some(),
    }
}
