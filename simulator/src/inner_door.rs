//! The in-process door: the `Transport` port, straight to the engine.
//!
//! It waits on the clock it is given, so on virtual time a slow portal costs nothing.
//!
//! **Invariant**: only a refused connection is *not sent*; whatever else brings no answer is
//! *unknown*, as it is over a wire.

use std::sync::Arc;

use async_trait::async_trait;
use hubspot::transport::{Answer, NoAnswer, Request, Transport};
use shared::ports::Clock;

use crate::Portal;
use crate::exchange::{Ending, PortalRequest};

/// A portal as a transport.
pub struct InnerDoor {
    portal: Arc<Portal>,
    clock: Arc<dyn Clock>,
}

impl InnerDoor {
    /// A door to this portal, on this clock.
    pub fn new(portal: Arc<Portal>, clock: Arc<dyn Clock>) -> Self {
        Self { portal, clock }
    }
}

#[async_trait]
impl Transport for InnerDoor {
    async fn call(&self, request: Request) -> Result<Answer, NoAnswer> {
        let incoming = PortalRequest {
            method: request.method,
            path: request.path,
            token: Some(request.token),
            body: request.body.unwrap_or_default(),
        };
        let reply = self.portal.handle(self.clock.now(), &incoming);
        if reply.delivery.wait > request.timeout {
            self.clock.sleep(request.timeout).await;
            return Err(NoAnswer::Unknown("no answer in time".into()));
        }
        if !reply.delivery.wait.is_zero() {
            self.clock.sleep(reply.delivery.wait).await;
        }
        match reply.delivery.ending {
            Ending::Answer => {
                Ok(Answer { status: reply.status, headers: reply.headers, body: reply.body })
            }
            Ending::Refused => Err(NoAnswer::NotSent("connection refused".into())),
            Ending::Cut => Err(NoAnswer::Unknown("connection closed before an answer".into())),
        }
    }
}
