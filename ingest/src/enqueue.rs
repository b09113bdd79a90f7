//! Puts envelopes on the queue, with a few short retries: somebody waits for the answer.
//!
//! A send whose outcome is unknown is made again. When the time is up, what isn't known to be stored
//! counts as not taken.
//!
//! **Invariant**: [`send`] ends within [`SEND_TIME_MAX`], whatever the queue does.

use std::time::Duration;

use shared::jitter::full_jitter;
use shared::ports::{Clock, Entropy, Outgoing, Queue, QueueFault};
use shared::resend::Resend;

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
    let mut resend = Resend::new(messages, ATTEMPTS_MAX);
    let mut attempt = 0;
    while let Some(batch) = resend.due() {
        if attempt > 0 {
            let pause = full_jitter(entropy.next_u64(), PAUSE_MAX * (1 << (attempt - 1)));
            if clock.uptime() + pause >= deadline {
                break;
            }
            clock.sleep(pause).await;
        }
        attempt += 1;
        let left = deadline.saturating_sub(clock.uptime());
        let answers = tokio::select! {
            biased;
            answers = queue.send(batch) => answers,
            () = clock.sleep(left) => break,
        };
        resend.answered(answers);
    }
    resend.into_results()
}
