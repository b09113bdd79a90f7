//! Runs futures on one thread and virtual time: all that can go on goes on, in a fixed order, and
//! only when nothing can does the clock turn to the next moment at which something will.
//!
//! **Invariant**: the same futures, clock and seeds make the same run.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use shared::ports::Clock;

use crate::clock::VirtualClock;

/// A future that the drive owns.
pub type Task<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Why a run did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    /// Nothing goes on, and nothing will.
    #[error("{tasks} tasks wait for what never comes")]
    Idle {
        /// How many wait.
        tasks: usize,
    },
    /// It goes on for longer than it may.
    #[error("not done after {after:?} of virtual time")]
    Long {
        /// How long it went on.
        after: Duration,
    },
}

/// Drives all tasks until the last is done; says how much virtual time that took.
///
/// # Errors
/// [`Stuck`], when they wait for ever or take longer than `time_max`.
pub fn drive(
    clock: &VirtualClock,
    tasks: Vec<Task<'_>>,
    time_max: Duration,
) -> Result<Duration, Stuck> {
    let begun_at = clock.uptime();
    let mut running: Vec<(Task<'_>, Arc<Woken>)> =
        tasks.into_iter().map(|task| (task, Arc::new(Woken(AtomicBool::new(true))))).collect();
    while !running.is_empty() {
        let mut went_on = false;
        running.retain_mut(|(task, woken)| {
            if !woken.0.swap(false, Ordering::Relaxed) {
                return true;
            }
            went_on = true;
            let waker = Waker::from(woken.clone());
            task.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Pending
        });
        if went_on || running.is_empty() {
            continue;
        }
        let next = clock.next_wake().ok_or(Stuck::Idle { tasks: running.len() })?;
        clock.advance(next);
        let after = clock.uptime() - begun_at;
        if after > time_max {
            return Err(Stuck::Long { after });
        }
    }
    Ok(clock.uptime() - begun_at)
}
