//! Puts envelopes on the queue, with a few short retries: somebody waits for the answer.
//!
//! A send whose outcome is unknown is made again: the deduplication id makes that harmless, and so
//! does the join after it. When the time is up, what is not known to be stored counts as not taken.
//!
//! **Invariant**: [`send`] ends within [`SEND_TIME_MAX`], whatever the queue does.

use std::time::Duration;

use shared::ports::{Clock, Entropy, Outgoing, Queue, QueueFault};

/// The longest that sending takes, retries included.
pub const SEND_TIME_MAX: Duration = Duration::from_secs(2);
/// The longest that one attempt of a client may take, so that there is time for another.
pub const SEND_ATTEMPT_TIMEOUT: Duration = Duration::from_millis(900);
/// The longest that a client may take to connect.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// How often a message is sent at most.
const ATTEMPTS_MAX: u32 = 4;
/// The longest pause before the second attempt; it doubles with each further one.
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// Sends the messages. The answer has one entry for each, in order.
pub async fn send(
    queue: &dyn Queue,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    messages: Vec<Outgoing>,
) -> Vec<Result<(), QueueFault>> {
    let deadline = clock.uptime() + SEND_TIME_MAX;
    let late = || QueueFault::Unavailable("no answer in time".to_owned());
    let mut results: Vec<Result<(), QueueFault>> = messages.iter().map(|_| Err(late())).collect();
    for attempt in 0..ATTEMPTS_MAX {
        let missing: Vec<usize> = (0..messages.len())
            .filter(|place| matches!(results[*place], Err(QueueFault::Unavailable(_))))
            .collect();
        if missing.is_empty() {
            break;
        }
        if attempt > 0 {
            let pause = full_jitter(PAUSE_MAX * (1 << (attempt - 1)), entropy);
            if clock.uptime() + pause >= deadline {
                break;
            }
            clock.sleep(pause).await;
        }
        let again = missing.iter().map(|place| messages[*place].clone()).collect();
        let left = deadline.saturating_sub(clock.uptime());
        let answer = tokio::select! {
            biased;
            answer = queue.send(again) => answer,
            () = clock.sleep(left) => break,
        };
        for (place, result) in missing.into_iter().zip(answer) {
            results[place] = result;
        }
    }
    results
}

/// A wait between nothing and `most`, any length as likely as any other.
fn full_jitter(most: Duration, entropy: &dyn Entropy) -> Duration {
    let most_us = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(entropy.next_u64() % most_us.max(1))
}
