//! Sending custom events: batches of up to 500.
//!
//! HubSpot accepts or refuses a whole batch and names nobody. After a refusal the step first compares
//! the portal's event definitions with ours: if one does not fit, the refusal isn't an event's fault.
//! Otherwise the batch is halved until the culprit is alone.
//!
//! **Invariant**: an event counts as applied only when HubSpot accepted a batch that held it.

use std::sync::{Mutex, PoisonError};

use hubspot::Client;
use hubspot::client::{READ_WORST_CASE, WRITE_WORST_CASE};
use hubspot::events::{EventOccurrence, OCCURRENCES_MAX, Qualifier, Whom};
use hubspot::fault::{CallFault, PortalFault, Refusal};

use crate::calls::Calls;
use crate::event_plan::Occurrence;
use crate::failure::{OBJECT_NOT_FOUND, classify_event};
use crate::isolation::{Answer, Answers, Judged, Step, WriteResult, isolate};

/// What the portal calls our events, once it has said so.
#[derive(Debug, Default)]
pub(crate) struct EventNames(Mutex<Option<Qualifier>>);

impl EventNames {
    /// The names: those already known, or those that the portal gives now.
    ///
    /// # Errors
    /// The fault of the call, or that the portal's events don't fit.
    pub(crate) async fn known(&self, client: &Client) -> Result<Qualifier, CallFault> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(known) => Ok(known),
            None => self.ask(client).await,
        }
    }

    /// Asks the portal for the names. If its events don't fit, no names stay known.
    async fn ask(&self, client: &Client) -> Result<Qualifier, CallFault> {
        let told = match client.list_event_definitions().await {
            Ok(definitions) => Qualifier::learn(&definitions).map_err(CallFault::Portal),
            Err(fault) => Err(fault),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = told.clone().ok();
        told
    }
}

/// Sends every event and says what became of each. The first call needs no time left: the pass began
/// with enough.
pub(crate) async fn send_events(
    calls: &Calls<'_>,
    names: &EventNames,
    planned: Vec<Occurrence>,
) -> Vec<(Occurrence, WriteResult)> {
    let mut step = SendEvents { calls, names, has_called: false, definitions_fit: false };
    isolate(&mut step, batches(planned)).await
}

fn batches(planned: Vec<Occurrence>) -> Vec<Vec<Occurrence>> {
    let mut batches: Vec<Vec<Occurrence>> = Vec::new();
    for occurrence in planned {
        match batches.last_mut() {
            Some(batch) if batch.len() < OCCURRENCES_MAX => batch.push(occurrence),
            _ => batches.push(vec![occurrence]),
        }
    }
    batches
}

/// One call for a batch of events.
struct SendEvents<'a> {
    calls: &'a Calls<'a>,
    names: &'a EventNames,
    has_called: bool,
    /// Whether the portal's definitions were compared with ours, and fit.
    definitions_fit: bool,
}

impl Step for SendEvents<'_> {
    type Item = Occurrence;
    type Done = ();

    fn has_time(&self) -> bool {
        !self.has_called || self.calls.time_left() >= READ_WORST_CASE + WRITE_WORST_CASE
    }

    async fn call(&mut self, batch: &mut [Occurrence]) -> Result<Answers<()>, CallFault> {
        self.has_called = true;
        let events: Vec<EventOccurrence> =
            batch.iter().map(|occurrence| occurrence.event.clone()).collect();
        match self.calls.client.send_events(&events).await {
            Ok(()) => self.calls.circuit.answered(),
            Err(CallFault::Request(refusal)) => {
                if !self.definitions_fit {
                    self.names.ask(self.calls.client).await?;
                }
                known_events(batch, &refusal)?;
                self.calls.circuit.answered();
                self.definitions_fit = true;
                return Err(CallFault::Request(refusal));
            }
            Err(fault) => return Err(fault),
        }
        Ok(Answers { each: batch.iter().map(|_| Answer::Done(())).collect(), stop: None })
    }

    fn judge(&self, occurrence: Occurrence, refusal: &Refusal) -> Judged<Occurrence, ()> {
        Judged::Final(occurrence, WriteResult::Refused(classify_event(refusal)))
    }
}

/// When everybody in a batch has an e-mail, no record can be missing. Then HubSpot does not find the
/// event: it lists a new definition before it accepts events of it.
fn known_events(batch: &[Occurrence], refusal: &Refusal) -> Result<(), CallFault> {
    let by_email = |occurrence: &Occurrence| matches!(occurrence.event.whom, Whom::Email(_));
    if refusal.category != OBJECT_NOT_FOUND || !batch.iter().all(by_email) {
        return Ok(());
    }
    let detail = "HubSpot lists them all and does not take one yet; hint: wait some minutes";
    Err(CallFault::Portal(PortalFault::UnfitEvent(detail.to_owned())))
}
