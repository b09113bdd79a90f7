//! A portal's contacts, definitions, events, settings and budgets as one value, and the changes
//! that leave a row to keep.
//!
//! The fields are there to read. What changes a row that must be kept is a method here or of
//! [`Store`], and marks the row.
//!
//! **Invariant**: what was changed stays marked until it has been taken to disk.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::chance::Chance;
use crate::definitions::{Definitions, Group, Property};
use crate::events::Events;
use crate::limits::{Limits, Policy};
use crate::settings::Settings;
use crate::store::Store;
use crate::values;

/// A portal's state.
#[derive(Debug)]
pub struct World {
    /// The contacts.
    pub store: Store,
    /// The properties and groups.
    pub definitions: Definitions,
    /// The custom events.
    pub events: Events,
    /// The switches; [`World::set`] changes them.
    pub settings: Settings,
    /// The budgets of calls; [`World::admit`] takes from them.
    pub limits: Limits,
    /// Where the seed decides.
    pub chance: Chance,
    /// Rows that changed and are not on disk yet, but for contacts, which the store marks.
    pub(crate) touched: BTreeSet<Row>,
}

/// A row on disk that isn't a contact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    Alias(u64),
    Forgotten(String),
    Property(String),
    Group(String),
    EventDefinition(String),
    EventId(String),
    Settings,
    Counters,
}

impl World {
    /// A fresh portal; all chance comes from the seed.
    pub fn new(seed: u64) -> Self {
        let settings = Settings::default();
        Self {
            store: Store::new(index_lag(&settings)),
            definitions: Definitions::of_a_fresh_portal(),
            events: Events::default(),
            settings,
            limits: Limits::default(),
            chance: Chance::new(seed),
            touched: BTreeSet::new(),
        }
    }

    /// Changes switches.
    pub fn set(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
        self.store.index_lag = index_lag(&self.settings);
        self.touched.insert(Row::Settings);
    }

    /// Takes one call from every budget that it counts against, or says which is spent.
    ///
    /// # Errors
    /// The spent budget; then nothing is taken.
    pub fn admit(
        &mut self,
        now: DateTime<Utc>,
        token: &str,
        is_search: bool,
    ) -> Result<(), Policy> {
        self.limits.admit(now, token, is_search, &self.settings)?;
        self.touched.insert(Row::Counters);
        Ok(())
    }

    /// Does something, and tells which contacts it wrote.
    pub fn noting_writes<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> (T, Vec<u64>) {
        // What an earlier call left for the disk isn't what this one writes.
        let before = std::mem::take(&mut self.store.touched);
        let outcome = act(self);
        let written = self.store.touched.iter().copied().collect();
        self.store.touched.extend(before);
        (outcome, written)
    }

    /// Unmarks everything: it has been kept, or nobody keeps it.
    pub fn unmark(&mut self) {
        self.store.touched.clear();
        self.touched.clear();
    }

    /// Puts a property in, in place of one of its name.
    pub fn keep_property(&mut self, property: Property) {
        self.touched.insert(Row::Property(property.name.clone()));
        self.restore_property(property);
    }

    /// Puts a property back as it was on disk.
    pub(crate) fn restore_property(&mut self, property: Property) {
        if property.unique && property.archived_at.is_none() {
            self.store.unique.insert(property.name.clone());
        } else {
            self.store.unique.remove(&property.name);
        }
        self.definitions.put(property);
    }

    /// Puts a group in, in place of one of its name.
    pub fn keep_group(&mut self, group: Group) {
        self.touched.insert(Row::Group(group.name.clone()));
        self.definitions.put_group(group);
    }

    /// When a definition that is made now can be seen.
    pub fn visible_at(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        let (low, high) = self.settings.definition_lag_ms;
        now + TimeDelta::milliseconds(self.chance.between(low, high) as i64)
    }

    /// Adds Milepost's groups and properties, where they are missing.
    pub fn define_milepost_properties(&mut self) {
        for name in self.definitions.define_milepost_properties() {
            self.touched.insert(Row::Property(name));
        }
        for group in shared::properties::GROUPS {
            self.touched.insert(Row::Group(group.name.to_owned()));
        }
    }

    /// Merges two live contacts; the survivor's id comes back, or `None` where either isn't live.
    pub fn merge(&mut self, now: DateTime<Utc>, primary: u64, loser: u64) -> Option<u64> {
        let keeps_id = self.settings.merge_keeps_primary_id;
        let survivor = self.store.merge(now, primary, loser, keeps_id)?;
        self.touched.extend([Row::Alias(primary), Row::Alias(loser)]);
        Some(survivor)
    }

    /// Removes a contact permanently and notes its addresses.
    pub fn forget(&mut self, now: DateTime<Utc>, id: u64) {
        let emails = self.store.forget(now, id);
        self.touched.extend(emails.into_iter().map(Row::Forgotten));
    }

    /// Notes an address that no contact has as permanently deleted.
    pub fn forget_address(&mut self, email: &str) {
        let email = values::folded(email);
        self.store.forgotten.insert(email.clone());
        self.touched.insert(Row::Forgotten(email));
    }
}

fn index_lag(settings: &Settings) -> TimeDelta {
    TimeDelta::milliseconds(settings.search_lag_ms as i64)
}
