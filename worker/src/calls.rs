//! HubSpot as one pass calls it: until when, and what a result means for the messages behind it.
//!
//! In: results of calls. Out: settled messages. On the way every fault goes into the report, and an
//! outage or a refusal of the app opens the circuit.
//!
//! **Invariant**: an unknown outcome puts its messages into quarantine, and never fails them.

use std::time::Duration;

use hubspot::Client;
use hubspot::fault::CallFault;
use shared::ports::{Clock, Entropy};

use crate::backoff::Backoff;
use crate::circuit::{Circuit, Trouble};
use crate::isolation::WriteResult;
use crate::message::Message;
use crate::report::Report;
use crate::settlement::{Cause, Settled, Settlement};

/// What the steps of a pass call HubSpot with.
pub(crate) struct Calls<'a> {
    /// HubSpot.
    pub(crate) client: &'a Client,
    /// Time.
    pub(crate) clock: &'a dyn Clock,
    /// Chance.
    pub(crate) entropy: &'a dyn Entropy,
    /// Whether HubSpot is away.
    pub(crate) circuit: &'a Circuit,
    /// How long a contact with an unknown write is left alone.
    pub(crate) quarantine: Duration,
    /// The uptime at which the last call must be over.
    pub(crate) until: Duration,
}

impl Calls<'_> {
    /// The time that is left for calls.
    pub(crate) fn time_left(&self) -> Duration {
        self.until.saturating_sub(self.clock.uptime())
    }

    /// Settles the messages behind one write by its result.
    pub(crate) fn settle<T>(
        &self,
        messages: Vec<Message>,
        result: WriteResult<T>,
        report: &mut Report,
    ) -> Vec<Settled> {
        let fate = match result {
            WriteResult::Confirmed(_) => Settlement::Applied,
            WriteResult::Refused(failure) => Settlement::DeadLettered(failure),
            WriteResult::Again(after) => Settlement::Retry(after, Cause::Transient),
            WriteResult::Failed(fault) => return self.failed(messages, &fault, report),
        };
        Settled::all(messages, |_| fate.clone())
    }

    /// Lets messages come again after the fault of a call.
    pub(crate) fn failed(
        &self,
        messages: Vec<Message>,
        fault: &CallFault,
        report: &mut Report,
    ) -> Vec<Settled> {
        let trouble = match fault {
            CallFault::Portal(_) => Some(Trouble::Refusal),
            CallFault::Transient { .. } => Some(Trouble::Outage),
            CallFault::Throttled { .. } | CallFault::Unknown(_) | CallFault::Request(_) => None,
        };
        // A call that failed for a hundred contacts failed once.
        if report.fault(fault)
            && let Some(trouble) = trouble
        {
            self.circuit.failed(self.clock.uptime(), trouble);
        }
        let backoff = Backoff { entropy: self.entropy, quarantine: self.quarantine };
        Settled::put_off(messages, |receives| backoff.wait(fault, receives))
    }
}
