//! The switch of the planted bugs. No crate of the product names it: `simulate plant` makes a copy
//! of the sources in which the places of `bugs.toml` ask [`on`], and only that copy is built with it.
//!
//! **Invariant**: a bug is in force on the thread that planted it, and on no other.

use std::cell::Cell;

thread_local! {
    static IN_FORCE: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Whether this bug is in force on this thread.
pub fn on(bug: &str) -> bool {
    IN_FORCE.get() == Some(bug)
}

/// Puts one bug in force on this thread, or none.
pub fn put(bug: Option<&'static str>) {
    IN_FORCE.set(bug);
}

/// Does something as if no bug were in force: whoever judges must not be taken in by it.
pub fn without<T>(judge: impl FnOnce() -> T) -> T {
    let bug = IN_FORCE.take();
    let judged = judge();
    IN_FORCE.set(bug);
    judged
}
