//! When a receiver that waits at the embedded queue gets what was sent meanwhile: as soon as it is
//! visible, whether the sender wakes it or it looks again by itself.

use std::sync::Arc;
use std::time::Duration;

use shared::ports::{Clock, Outgoing, ReceiveRequest};
use simulation::clock::VirtualClock;
use simulation::entropy::SeededEntropy;
use sqlite::{QueueSettings, SqliteQueues};

const MINUTE: Duration = Duration::from_secs(60);
/// Between two of the receiver's own looks, which are a second apart.
const SENT_AT: Duration = Duration::from_millis(700);

#[tokio::test]
async fn a_waiting_receiver_gets_a_message_when_its_delay_is_over() {
    for delay_ms in [0, 1, 100, 299, 300, 999, 1_000, 1_001, 1_300, 5_000, 19_000] {
        let delay = Duration::from_millis(delay_ms);
        assert_eq!(received_after(delay).await, delay);
    }
}

/// How long after it was sent a message of this delay is received.
async fn received_after(delay: Duration) -> Duration {
    let clock = VirtualClock::default();
    let settings = QueueSettings { delay, ..QueueSettings::default() };
    let entropy = Arc::new(SeededEntropy::new(7));
    let queues =
        SqliteQueues::in_memory(Arc::new(clock.clone()), entropy, settings).expect("a queue");
    let events = queues.events();
    let request = ReceiveRequest {
        messages_max: 1,
        visibility: MINUTE,
        wait: Duration::from_secs(20),
        attempt_id: "first".into(),
    };
    let waiting = tokio::spawn(async move { events.receive(request).await.expect("an answer") });
    while clock.next_wake().is_none() {
        tokio::task::yield_now().await;
    }
    clock.advance(SENT_AT);
    let message = Outgoing {
        body: "{}".into(),
        group: "a".into(),
        deduplication_id: "1".into(),
        attributes: Default::default(),
    };
    assert_eq!(queues.events().send(vec![message]).await, [Ok(())]);
    loop {
        // Whoever was woken asks; what is asked after that is answered after that.
        tokio::task::yield_now().await;
        queues.events().depth().await.expect("a depth");
        tokio::task::yield_now().await;
        if waiting.is_finished() {
            break;
        }
        clock.advance(clock.next_wake().expect("the receiver waits"));
    }
    assert_eq!(waiting.await.expect("no panic").len(), 1);
    clock.uptime() - SENT_AT
}
