//! The schedule of an invocation: when to receive, and when to begin a pass.
//!
//! In: receives and passes under way. Out: what to begin next. While there is backlog, another pass
//! begins whenever HubSpot's pace has a permit that nobody waits for. So passes wait for HubSpot's
//! answers side by side, and the share of the limit is spent however long the answers take. The queue
//! gives each contact to one of the passes.
//!
//! **Invariant**: one receive and [`PASSES_MAX`] passes at most are under way, and the invocation ends
//! only when all of them have ended.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use shared::ports::{Clock, Receipt};

use crate::message::Received;

/// The most passes at once. Each may hold 8 MiB of messages, and what HubSpot holds of a hundred
/// contacts.
const PASSES_MAX: usize = 6;
/// How often to check for a free permit.
const CHECK_EVERY: Duration = Duration::from_millis(50);

/// What became of an invocation's own messages.
#[derive(Debug, Default)]
#[must_use]
pub struct Handled {
    /// Receipts of the messages that are done. The event source deletes them.
    pub done: Vec<Receipt>,
    /// Ids of the messages that must come again.
    pub failed: Vec<String>,
}

/// What was received for one pass.
pub(crate) struct Taken {
    /// The messages.
    pub(crate) received: Vec<Received>,
    /// Whether they fill a pass: then the queue may hold more.
    pub(crate) is_full: bool,
}

/// Whether another pass may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// No: there is no time left, or HubSpot must not be called.
    Closed,
    /// It may, but it would have to wait for a permit.
    NoPermit,
    /// It may, and there is a permit that nobody waits for.
    Open,
}

/// What to begin next.
pub(crate) enum Next {
    /// A receive.
    Receive,
    /// A pass over these messages.
    Pass(Vec<Received>),
    /// Nothing: the invocation is over.
    Nothing(Handled),
}

/// How far receiving is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Receiving {
    /// A receive is under way.
    UnderWay,
    /// The last receive filled a pass, so there is backlog.
    Backlog,
    /// The last receive left room in its pass, so nothing more is received.
    Drained,
}

/// What has ended.
enum Event {
    Taken(Taken),
    Passed(Handled),
    /// It is time to check for a permit again.
    Check,
}

/// The receives and passes of one invocation.
pub(crate) struct Schedule<'a> {
    running: FuturesUnordered<BoxFuture<'a, Event>>,
    receiving: Receiving,
    handled: Handled,
}

impl<'a> Schedule<'a> {
    /// An invocation begins with a receive, which tops up what the invocation brought.
    pub(crate) fn begin(receive: impl Future<Output = Taken> + Send + 'a) -> Self {
        let mut schedule = Self {
            running: FuturesUnordered::new(),
            receiving: Receiving::UnderWay,
            handled: Handled::default(),
        };
        schedule.receive(receive);
        schedule
    }

    /// Begins a receive.
    pub(crate) fn receive(&mut self, receive: impl Future<Output = Taken> + Send + 'a) {
        self.receiving = Receiving::UnderWay;
        self.running.push(receive.map(Event::Taken).boxed());
    }

    /// Begins a pass.
    pub(crate) fn pass(&mut self, pass: impl Future<Output = Handled> + Send + 'a) {
        self.running.push(pass.map(Event::Passed).boxed());
    }

    /// Waits until there is something to begin.
    pub(crate) async fn next(&mut self, clock: &dyn Clock, outlook: impl Fn() -> Outlook) -> Next {
        loop {
            let has_room = self.receiving == Receiving::Backlog && self.passes() < PASSES_MAX;
            let outlook = if has_room { outlook() } else { Outlook::Closed };
            if outlook == Outlook::Open || (outlook == Outlook::NoPermit && self.passes() == 0) {
                return Next::Receive;
            }
            let event = tokio::select! {
                biased;
                event = self.running.next() => event,
                () = clock.sleep(CHECK_EVERY), if outlook == Outlook::NoPermit => {
                    Some(Event::Check)
                }
            };
            match event {
                None => return Next::Nothing(std::mem::take(&mut self.handled)),
                Some(Event::Check) => {}
                Some(Event::Passed(Handled { done, failed })) => {
                    self.handled.done.extend(done);
                    self.handled.failed.extend(failed);
                }
                Some(Event::Taken(Taken { received, is_full })) => {
                    self.receiving = if is_full { Receiving::Backlog } else { Receiving::Drained };
                    if !received.is_empty() {
                        return Next::Pass(received);
                    }
                }
            }
        }
    }

    /// How many passes are under way.
    fn passes(&self) -> usize {
        self.running.len() - usize::from(self.receiving == Receiving::UnderWay)
    }
}

#[cfg(test)]
mod tests;
