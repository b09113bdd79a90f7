//! The event source's part: receives up to ten messages from the embedded queue, hands them to the
//! worker, and deletes those that are done. Lambda does the same for the deployed worker.
//!
//! **Invariant**: only receipts that the worker gave back are deleted. A message whose pass panics or
//! is cut short keeps its receipt to itself, and comes again.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use shared::ports::{Clock, Delivery, Entropy, ReceiveRequest};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use worker::{Handled, PASS_WORST_CASE, Worker};

/// What Lambda's event source hands over at most from a FIFO queue.
const BATCH_MAX: u32 = 10;
/// How long an invocation may take. With the time of one pass alone the worker would never top up, for
/// some of it is gone when it looks. With much more, a stop would have to wait for the backlog.
const INVOCATION_MAX: Duration = PASS_WORST_CASE.saturating_add(Duration::from_secs(1));
/// SQS's longest wait for a first message.
const POLL_WAIT: Duration = Duration::from_secs(20);
/// How long the pump rests when the queue did not answer.
const FAULT_WAIT: Duration = Duration::from_secs(1);

/// A running pump.
#[derive(Debug)]
pub struct Pump {
    task: JoinHandle<()>,
}

impl Pump {
    /// Starts pumping until `stop` says so.
    pub fn start(worker: Arc<Worker>, stop: watch::Receiver<bool>) -> Self {
        Self { task: tokio::spawn(run(worker, stop)) }
    }

    /// Waits until the batch in hand is done, at most `wait_max`. What is not done by then is left
    /// to the queue, which gives it out again.
    pub async fn stopped(mut self, clock: &dyn Clock, wait_max: Duration) {
        tokio::select! {
            _ended = &mut self.task => {}
            () = clock.sleep(wait_max) => self.task.abort(),
        }
    }
}

async fn run(worker: Arc<Worker>, mut stop: watch::Receiver<bool>) {
    // The worker may hold the messages so long, and for a quarantine, before it tells the queue.
    let visibility = INVOCATION_MAX + worker.parts.settings.quarantine;
    while !*stop.borrow() {
        let request = ReceiveRequest {
            messages_max: BATCH_MAX,
            visibility,
            wait: POLL_WAIT,
            attempt_id: attempt_id(&*worker.parts.entropy),
        };
        let received = tokio::select! {
            biased;
            _changed = stop.changed() => break,
            received = worker.parts.events.receive(request) => received,
        };
        match received {
            Ok(batch) if batch.is_empty() => {}
            // As Lambda does: a panic costs its batch, which comes again, and not the ones after it.
            Ok(batch) => {
                let _panicked = AssertUnwindSafe(invoke(&worker, batch)).catch_unwind().await;
            }
            Err(_) => worker.parts.clock.sleep(FAULT_WAIT).await,
        }
    }
}

/// One invocation. The worker gives back the receipts of the messages that are done.
async fn invoke(worker: &Worker, batch: Vec<Delivery>) {
    let Handled { done, .. } = worker.handle(batch, INVOCATION_MAX).await;
    if !done.is_empty() {
        // A message that could not be deleted comes again and changes nothing.
        let _undeleted = worker.parts.events.delete(done).await;
    }
}

fn attempt_id(entropy: &dyn Entropy) -> String {
    format!("{:016x}", entropy.next_u64())
}
