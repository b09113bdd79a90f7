//! How often each fault struck. A fault that is listed and never strikes proves nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts by the name of the fault.
#[derive(Debug, Default)]
pub struct Fired(Mutex<BTreeMap<&'static str, u64>>);

impl Fired {
    /// It struck once.
    pub fn strike(&self, name: &'static str) {
        self.add(name, 1);
    }

    /// It struck so many times.
    pub fn add(&self, name: &'static str, times: u64) {
        *self.counts_mut().entry(name).or_default() += times;
    }

    /// All counts.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.counts_mut().clone()
    }

    fn counts_mut(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
