//! A process's ports: those of the world, with the process's fate before and after each step.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use hubspot::transport::{Answer, NoAnswer, Request, Transport};
use shared::ports::{Clock, Delivery, Depth, Outgoing, Queue, QueueFault, Receipt, ReceiveRequest};

use crate::clock::VirtualClock;
use crate::fate::Fate;
use crate::queue::SimQueue;
use crate::wire::Wire;

/// A queue in a process's hand.
pub(crate) struct HeldQueue {
    pub(crate) queue: SimQueue,
    pub(crate) fate: Arc<Fate>,
}

/// Time in a process's hand.
pub(crate) struct HeldClock {
    pub(crate) clock: VirtualClock,
    pub(crate) fate: Arc<Fate>,
}

/// The way to HubSpot in a process's hand.
pub(crate) struct HeldTransport {
    pub(crate) door: Arc<dyn Transport>,
    pub(crate) wire: Arc<Wire>,
    pub(crate) fate: Arc<Fate>,
    pub(crate) process: String,
}

#[async_trait]
impl Queue for HeldQueue {
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), QueueFault>> {
        self.fate.point().await;
        let sent = self.queue.send(messages).await;
        self.fate.point().await;
        sent
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>, QueueFault> {
        self.fate.point().await;
        let received = self.queue.receive(request).await;
        self.fate.point().await;
        received
    }

    async fn delete(&self, receipts: Vec<Receipt>) -> Vec<(Receipt, QueueFault)> {
        self.fate.point().await;
        let refused = self.queue.delete(receipts).await;
        self.fate.point().await;
        refused
    }

    async fn change_visibility(
        &self,
        receipts: Vec<(Receipt, Duration)>,
    ) -> Vec<(Receipt, QueueFault)> {
        self.fate.point().await;
        let refused = self.queue.change_visibility(receipts).await;
        self.fate.point().await;
        refused
    }

    async fn depth(&self) -> Result<Depth, QueueFault> {
        self.queue.depth().await
    }
}

#[async_trait]
impl Clock for HeldClock {
    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn uptime(&self) -> Duration {
        self.clock.uptime()
    }

    async fn sleep(&self, wait: Duration) {
        self.clock.sleep(wait).await;
        self.fate.point().await;
    }
}

#[async_trait]
impl Transport for HeldTransport {
    async fn call(&self, request: Request) -> Result<Answer, NoAnswer> {
        self.fate.brink().await;
        let flight = self.wire.leaves(&self.process, &request);
        let answer = self.door.call(request).await;
        flight.answered(&answer);
        self.fate.point().await;
        answer
    }
}
