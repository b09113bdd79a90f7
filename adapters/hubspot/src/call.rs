//! One call, whole: token, permit, request, answer, and the few retries that are certainly safe.
//!
//! A read that failed is made again, within a budget and a bound of time, after full jitter. A write
//! is made again only if it certainly was not applied (it never left, or the token was refused and
//! a newer one is there), and only once; whatever else becomes of it is the caller's to know.
//!
//! **Invariant**: a call ends within [`READ_WORST_CASE`] or [`WRITE_WORST_CASE`], and no request
//! leaves so late that it could not.

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use crate::classify;
use crate::client::Client;
use crate::fault::{CallFault, Effect, PortalFault};
use crate::pace::{PERMIT_WAIT_MAX, Pause};
use crate::transport::{Answer, NoAnswer, Request};

/// How long a read is waited for. A batch read takes well under a second; more helps nobody.
pub const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a write is waited for: longer, since an outcome that is known late is better than one
/// that is unknown, and shorter than the 100 s after which HubSpot's edge gives up.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest that a read takes, permits, jitter and retries included.
pub const READ_WORST_CASE: Duration = Duration::from_secs(30);
/// The longest that a write takes: a permit, an attempt that could not be sent, and one more.
pub const WRITE_WORST_CASE: Duration = Duration::from_secs(36);
/// The longest wait that an answer can ask for and still be waited out in here.
const ASKED_WAIT_MAX: Duration = Duration::from_secs(3);

/// What is to be called.
pub(crate) struct Call {
    method: Method,
    path: String,
    body: Option<Bytes>,
    effect: Effect,
    /// Statuses beside 2xx that are answers and not faults.
    expected: &'static [u16],
}

impl Call {
    /// A read, by whatever method.
    pub(crate) fn read(method: Method, path: String) -> Self {
        Self { method, path, body: None, effect: Effect::Read, expected: &[] }
    }

    /// A write.
    pub(crate) fn write(method: Method, path: String) -> Self {
        Self { method, path, body: None, effect: Effect::Write, expected: &[] }
    }

    pub(crate) fn with_body(self, body: Bytes) -> Self {
        Self { body: Some(body), ..self }
    }

    /// Takes these statuses as answers.
    pub(crate) fn expecting(self, expected: &'static [u16]) -> Self {
        Self { expected, ..self }
    }

    fn timeout(&self) -> Duration {
        match self.effect {
            Effect::Read => READ_TIMEOUT,
            Effect::Write => WRITE_TIMEOUT,
        }
    }

    fn worst_case(&self) -> Duration {
        match self.effect {
            Effect::Read => READ_WORST_CASE,
            Effect::Write => WRITE_WORST_CASE,
        }
    }

    fn retries_max(&self) -> u32 {
        match self.effect {
            Effect::Read => 2,
            Effect::Write => 1,
        }
    }
}

/// How an attempt failed, in more detail than callers need: a retry depends on it.
enum Missed {
    /// It never left.
    NotSent(CallFault),
    /// 401, and by now there is another token.
    NewToken,
    /// All else.
    Fault(CallFault),
}

impl Client {
    /// Makes the call.
    pub(crate) async fn call(&self, call: Call) -> Result<Answer, CallFault> {
        let deadline = self.clock.uptime() + call.worst_case();
        let mut retry = 0;
        loop {
            let missed = match self.attempt(&call, deadline).await {
                Ok(answer) => {
                    self.pace.succeeded();
                    return Ok(answer);
                }
                Err(missed) => missed,
            };
            match self.retry_wait(&call, &missed, retry, deadline) {
                Some(wait) => self.clock.sleep(wait).await,
                None => return Err(missed.into()),
            }
            retry += 1;
        }
    }

    async fn attempt(&self, call: &Call, deadline: Duration) -> Result<Answer, Missed> {
        let portal = |fault| Missed::Fault(CallFault::Portal(fault));
        let token = self.token.current().await.map_err(portal)?;
        let left = deadline.saturating_sub(self.clock.uptime() + call.timeout());
        self.pace.permit(left.min(PERMIT_WAIT_MAX)).await.map_err(|pause| {
            let Pause { policy, wait, .. } = pause;
            Missed::Fault(CallFault::Throttled { policy, wait })
        })?;
        // A process that stood still while it waited (a suspended machine, a frozen environment) may
        // hold its messages no more: what it would write could be older than what is there.
        if self.clock.uptime() + call.timeout() > deadline {
            let detail = "not sent: the process stood still for longer than it may hold a contact";
            return Err(Missed::Fault(CallFault::Transient {
                detail: detail.to_owned(),
                wait: Duration::ZERO,
            }));
        }
        let request = Request {
            method: call.method.clone(),
            path: call.path.clone(),
            token: token.clone(),
            body: call.body.clone(),
            timeout: call.timeout(),
        };
        let answer = match self.transport.call(request).await {
            Ok(answer) => answer,
            Err(no_answer) => {
                let never_left = matches!(no_answer, NoAnswer::NotSent(_));
                let fault = classify::of_no_answer(no_answer, call.effect);
                return Err(if never_left { Missed::NotSent(fault) } else { Missed::Fault(fault) });
            }
        };
        self.pace.observe(&answer.headers);
        if (200..300).contains(&answer.status) || call.expected.contains(&answer.status) {
            return Ok(answer);
        }
        Err(match classify::of_answer(&answer, call.effect, &call.path) {
            CallFault::Throttled { policy, wait } => {
                let wait = self.pace.throttled(policy, wait);
                Missed::Fault(CallFault::Throttled { policy, wait })
            }
            CallFault::Portal(PortalFault::Unauthorized) => {
                match self.token.after_refusal(&token).await {
                    Some(_) => Missed::NewToken,
                    None => portal(PortalFault::Unauthorized),
                }
            }
            fault => Missed::Fault(fault),
        })
    }

    /// How long to wait before the next attempt, if there is to be one.
    fn retry_wait(
        &self,
        call: &Call,
        missed: &Missed,
        retry: u32,
        deadline: Duration,
    ) -> Option<Duration> {
        if retry >= call.retries_max() {
            return None;
        }
        let wait = match (missed, call.effect) {
            (Missed::NewToken, _) => Duration::ZERO,
            (Missed::NotSent(_), _) => self.pace.jitter(retry),
            (Missed::Fault(CallFault::Transient { wait, .. }), Effect::Read)
                if *wait <= ASKED_WAIT_MAX =>
            {
                *wait + self.pace.jitter(retry)
            }
            _ => return None,
        };
        let ends = self.clock.uptime() + wait + call.timeout();
        // A new token is no sign of an outage, so it costs the budget nothing.
        let paid = || matches!(missed, Missed::NewToken) || self.pace.take_retry();
        (ends <= deadline && paid()).then_some(wait)
    }
}

impl From<Missed> for CallFault {
    fn from(missed: Missed) -> Self {
        match missed {
            Missed::NotSent(fault) | Missed::Fault(fault) => fault,
            Missed::NewToken => Self::Portal(PortalFault::Unauthorized),
        }
    }
}
