//! What the queue's port does with receipts by itself.

use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use shared::ports::{Delivery, Depth, Outgoing, Queue, QueueFault, Receipt, ReceiveRequest};

/// A queue that notes whose visibility changes.
#[derive(Default)]
struct Noting(Mutex<Vec<(String, Duration)>>);

#[async_trait]
impl Queue for Noting {
    async fn send(&self, _: Vec<Outgoing>) -> Vec<Result<(), QueueFault>> {
        panic!("nothing is sent");
    }

    async fn receive(&self, _: ReceiveRequest) -> Result<Vec<Delivery>, QueueFault> {
        panic!("nothing is received");
    }

    async fn delete(&self, _: Vec<Receipt>) -> Vec<(Receipt, QueueFault)> {
        panic!("nothing is deleted");
    }

    async fn change_visibility(
        &self,
        receipts: Vec<(Receipt, Duration)>,
    ) -> Vec<(Receipt, QueueFault)> {
        let changes = receipts.iter().map(|(receipt, time)| (receipt.handle().to_owned(), *time));
        self.0.lock().unwrap().extend(changes);
        Vec::new()
    }

    async fn depth(&self) -> Result<Depth, QueueFault> {
        panic!("nobody asks for the depth");
    }
}

#[test]
fn holding_messages_for_longer_leaves_the_receipts_with_the_holder() {
    let queue = Noting::default();
    let receipts = [Receipt::new("a"), Receipt::new("b")];
    let held: Vec<&Receipt> = receipts.iter().collect();
    let minute = Duration::from_secs(60);
    let mut hold = pin!(queue.hold(&held, minute));
    let ended = hold.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(ended, Poll::Ready(()));
    let changes = queue.0.lock().unwrap().clone();
    assert_eq!(changes, [("a".to_owned(), minute), ("b".to_owned(), minute)]);
}

#[test]
fn a_delivery_is_settled_by_its_own_receipt() {
    let delivery = Delivery {
        message_id: "m".into(),
        receipt: Receipt::new("r"),
        body: String::new(),
        group: "g".into(),
        deduplication_id: "d".into(),
        receive_count: 1,
        sent_at: chrono::DateTime::UNIX_EPOCH,
        attributes: Default::default(),
    };
    assert_eq!(Receipt::from(delivery), Receipt::new("r"));
}
