//! The event source's part: takes up to ten messages from the embedded queue, hands them to the
//! worker, and deletes those that it does not name as failed. Lambda does the same for the
//! deployed worker.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use shared::ports::{Clock, Delivery, Entropy, ReceiveRequest};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use worker::{PASS_WORST_CASE, Worker};

/// What Lambda's event source hands over at most from a FIFO queue.
const BATCH_MAX: u32 = 10;
/// How long an invocation may take. With a pass and no more the worker would never top up, for a
/// moment of it is gone when it looks; with much more a stop would have to wait for the backlog.
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
    let visibility = INVOCATION_MAX + worker.settings.quarantine;
    while !*stop.borrow() {
        let request = ReceiveRequest {
            messages_max: BATCH_MAX,
            visibility,
            wait: POLL_WAIT,
            attempt_id: attempt_id(&*worker.entropy),
        };
        let received = tokio::select! {
            biased;
            _changed = stop.changed() => break,
            received = worker.events.receive(request) => received,
        };
        match received {
            Ok(batch) if batch.is_empty() => {}
            // As Lambda does: a panic costs its batch, which comes again, and not the ones after it.
            Ok(batch) => {
                let _panicked = AssertUnwindSafe(invoke(&worker, batch)).catch_unwind().await;
            }
            Err(_) => worker.clock.sleep(FAULT_WAIT).await,
        }
    }
}

/// One invocation: the worker keeps the originals' names only, so copies of what deletes them stay
/// here, as the event source keeps them.
async fn invoke(worker: &Worker, batch: Vec<Delivery>) {
    let kept: Vec<Delivery> = batch.iter().map(Delivery::receipt).collect();
    let failed = worker.handle(batch, INVOCATION_MAX).await;
    let done: Vec<Delivery> =
        kept.into_iter().filter(|kept| !failed.contains(&kept.message_id)).collect();
    if !done.is_empty() {
        // What could not be deleted comes again and changes nothing.
        let _undeleted = worker.events.delete(done).await;
    }
}

fn attempt_id(entropy: &dyn Entropy) -> String {
    format!("{:016x}", entropy.next_u64())
}
