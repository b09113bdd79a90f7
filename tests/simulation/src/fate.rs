//! What can befall a process at any await: it is killed, or it stands still for a while.
//!
//! Every port that a process holds passes [`Fate::point`] before and after it does anything, and a
//! process awaits nothing but its ports; so the points are all its awaits.
//!
//! **Invariant**: a process that was killed takes no further step, and one that stands still takes
//! none before its time is over, whatever it waited for came meanwhile; but those that passes side by
//! side take in the same instant.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use shared::ports::{Clock as _, Entropy as _};

use crate::clock::VirtualClock;
use crate::entropy::SeededEntropy;
use crate::fired::Fired;

/// How often processes are struck, of all points that they pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct Strikes {
    /// Killed.
    pub kill: f64,
    /// Stopped in its tracks, as a machine that sleeps.
    pub freeze: f64,
    /// … for up to this long.
    pub freeze_max: Duration,
}

impl Strikes {
    /// Whether there are any.
    pub fn is_any(&self) -> bool {
        self.kill + self.freeze > 0.0
    }
}

/// The fates of all processes of a world.
pub struct Fates {
    clock: VirtualClock,
    chance: SeededEntropy,
    fired: Arc<Fired>,
    strikes: Mutex<Strikes>,
    points: AtomicU64,
    kill_at: Option<u64>,
}

impl Fates {
    /// Fates in which nothing happens, but a kill at this point, counted over all processes.
    pub fn new(clock: VirtualClock, seed: u64, fired: Arc<Fired>, kill_at: Option<u64>) -> Self {
        let chance = SeededEntropy::new(seed ^ 0xFA7E);
        let (strikes, points) = Default::default();
        Self { clock, chance, fired, strikes, points, kill_at }
    }

    /// Sets how often processes are struck from now on.
    pub fn set(&self, strikes: Strikes) {
        *self.strikes() = strikes;
    }

    /// How many points were passed.
    pub fn points(&self) -> u64 {
        self.points.load(Ordering::Relaxed)
    }

    fn next(&self, may_freeze: bool) -> State {
        let number = self.points.fetch_add(1, Ordering::Relaxed) + 1;
        let strikes = *self.strikes();
        if self.kill_at == Some(number) || self.happens(strikes.kill) {
            self.fired.strike("process killed");
            return State::Killed;
        }
        if may_freeze && self.happens(strikes.freeze) {
            self.fired.strike("process frozen");
            let most = strikes.freeze_max.as_millis() as u64;
            let time = Duration::from_millis(self.chance.next_u64() % most.max(1));
            return State::Frozen(self.clock.uptime() + time);
        }
        State::Alive
    }

    fn happens(&self, probability: f64) -> bool {
        probability > 0.0 && self.chance.happens(probability)
    }

    fn strikes(&self) -> MutexGuard<'_, Strikes> {
        self.strikes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Alive,
    Frozen(Duration),
    Killed,
}

/// The fate of one process.
pub struct Fate {
    fates: Arc<Fates>,
    state: Mutex<State>,
}

impl Fate {
    /// A process is born.
    pub fn new(fates: Arc<Fates>) -> Self {
        Self { fates, state: Mutex::new(State::Alive) }
    }

    /// A moment at which anything can happen.
    pub async fn point(&self) {
        self.pass(true).await;
    }

    /// The moment between the last look at the clock and the request that leaves. A process can be
    /// killed in it. Standing still in it for minutes is left out: no client can exclude it, for
    /// HubSpot takes no condition with a write.
    pub async fn brink(&self) {
        self.pass(false).await;
    }

    async fn pass(&self, may_freeze: bool) {
        let state = self.fates.next(may_freeze);
        if state != State::Alive {
            self.strike(state);
            // `live` looks at the state when this poll is over, and does not poll again too soon.
            yield_once().await;
        }
    }

    /// Lives through the work; `None` if the process is killed at it.
    pub async fn live<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            let step = std::future::poll_fn(|context| match work.as_mut().poll(context) {
                Poll::Ready(done) => Poll::Ready(Ok(done)),
                Poll::Pending => match *self.state() {
                    State::Alive => Poll::Pending,
                    struck => Poll::Ready(Err(struck)),
                },
            });
            match step.await {
                Ok(done) => return Some(done),
                Err(State::Frozen(until)) => {
                    let clock = &self.fates.clock;
                    clock.sleep(until.saturating_sub(clock.uptime())).await;
                    *self.state() = State::Alive;
                }
                Err(_) => return None,
            }
        }
    }

    /// A pass beside the one that was struck may be struck in the same instant.
    fn strike(&self, struck: State) {
        let mut state = self.state();
        if *state != State::Killed {
            *state = struck;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn yield_once() {
    let mut is_first = true;
    std::future::poll_fn(|context| {
        if std::mem::take(&mut is_first) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}
