//! The events backend's pass: occurrences go out in batches of up to 500, culprits are isolated, and
//! every message gets its fate.
//!
//! HubSpot says yes or no to a whole batch and names nobody. A refusal is first held against the
//! portal's definitions: if one of them does not serve, it is no event's fault. Else the batch is halved
//! until the culprit is alone.
//!
//! **Invariant**: an event counts as applied only when a batch that held it was accepted.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hubspot::Client;
use hubspot::client::{READ_WORST_CASE, WRITE_WORST_CASE};
use hubspot::events::{EventOccurrence, OCCURRENCES_MAX, Qualifier, Whom};
use hubspot::fault::{CallFault, PortalFault, Refusal};
use shared::dead_letter::{Reason, Verdict};

use crate::forget::set_apart;
use crate::held::Opened;
use crate::occurrences::{Occurrence, occurrences};
use crate::plan::refused;
use crate::report::Report;
use crate::settlement::{Cause, Settled, Settlement};
use crate::{Worker, put_off};

/// HubSpot's category for a refusal of what it does not have.
const OBJECT_NOT_FOUND: &str = "OBJECT_NOT_FOUND";

/// What the portal calls our events, once it has said so.
#[derive(Debug, Default)]
pub struct EventNames(Mutex<Option<Qualifier>>);

impl EventNames {
    /// The names as they are known, or as the portal tells them now.
    async fn known(&self, client: &Client) -> Result<Qualifier, CallFault> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(known) => Ok(known),
            None => self.ask(client).await,
        }
    }

    /// The names as the portal tells them now. Of a portal whose events don't serve, nothing
    /// stays known.
    async fn ask(&self, client: &Client) -> Result<Qualifier, CallFault> {
        let told = match client.list_event_definitions().await {
            Ok(definitions) => Qualifier::learn(&definitions).map_err(CallFault::Portal),
            Err(fault) => Err(fault),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = told.clone().ok();
        told
    }
}

impl Worker {
    /// Sends every event, and says of each message what became of it. Another call is begun only
    /// while `time_left` allows it.
    pub(crate) async fn send_events(
        &self,
        opened: Vec<Opened>,
        time_left: impl Fn() -> Duration,
        report: &mut Report,
    ) -> Vec<Settled> {
        let (opened, forgets) = set_apart(opened);
        let mut settled = self.forget(forgets, &time_left, report).await;
        if opened.is_empty() {
            return settled;
        }
        let qualifier = match self.event_names.known(&self.client).await {
            Ok(qualifier) => qualifier,
            Err(fault) => {
                self.note(&fault, report);
                settled.extend(put_off(opened, |receives| self.wait_for(&fault, receives)));
                return settled;
            }
        };
        let (planned, unsent) = occurrences(opened, &qualifier);
        settled.extend(unsent);
        let mut batches = batches(planned);
        // A fault that is not about one request stops the rest: they would meet it too.
        let mut stopped: Option<CallFault> = None;
        let mut definitions_serve = false;
        let mut is_first = true;
        // A batch is sent, or cut in two until it is one event: at most 2 × events rounds.
        while let Some(batch) = batches.pop() {
            if let Some(fault) = &stopped {
                settled.extend(put_off(messages(batch), |receives| self.wait_for(fault, receives)));
                continue;
            }
            if !is_first && time_left() < READ_WORST_CASE + WRITE_WORST_CASE {
                settled.extend(put_off(messages(batch), |_| (Duration::ZERO, Cause::Moment)));
                continue;
            }
            is_first = false;
            let events: Vec<EventOccurrence> =
                batch.iter().map(|occurrence| occurrence.event.clone()).collect();
            let fault = match self.client.send_events(&events).await {
                Ok(()) => {
                    self.circuit.answered();
                    settled.extend(accepted(batch, report));
                    continue;
                }
                Err(CallFault::Request(refusal)) => {
                    let checked = match definitions_serve {
                        true => Ok(()),
                        false => self.event_names.ask(&self.client).await.map(|_| ()),
                    };
                    match checked.and_then(|()| known_events(&batch, &refusal)) {
                        Ok(()) => {
                            self.circuit.answered();
                            definitions_serve = true;
                            settled.extend(isolated(batch, &refusal, &mut batches));
                            continue;
                        }
                        Err(fault) => fault,
                    }
                }
                Err(fault) => fault,
            };
            self.note(&fault, report);
            settled.extend(put_off(messages(batch), |receives| self.wait_for(&fault, receives)));
            if !matches!(fault, CallFault::Unknown(_)) {
                stopped = Some(fault);
            }
        }
        settled
    }
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

fn messages(batch: Vec<Occurrence>) -> Vec<Opened> {
    batch.into_iter().flat_map(|occurrence| occurrence.opened).collect()
}

fn accepted(batch: Vec<Occurrence>, report: &mut Report) -> Vec<Settled> {
    for occurrence in &batch {
        report.sent(occurrence);
    }
    messages(batch).into_iter().map(|opened| Settled::of(opened, |_| Settlement::Applied)).collect()
}

/// In events of people with an e-mail no record can be missing. What HubSpot does not find is the
/// event then: it lists a new definition before it takes events of it.
fn known_events(batch: &[Occurrence], refusal: &Refusal) -> Result<(), CallFault> {
    let by_email = |occurrence: &Occurrence| matches!(occurrence.event.whom, Whom::Email(_));
    if refusal.category != OBJECT_NOT_FOUND || !batch.iter().all(by_email) {
        return Ok(());
    }
    let detail = "HubSpot lists them all and does not take one yet; hint: wait some minutes";
    Err(CallFault::Portal(PortalFault::UnfitEvent(detail.to_owned())))
}

/// A whole batch was refused: whoever is alone in it is the culprit, else it is halved.
fn isolated(
    mut batch: Vec<Occurrence>,
    refusal: &Refusal,
    batches: &mut Vec<Vec<Occurrence>>,
) -> Vec<Settled> {
    if batch.len() > 1 {
        let second = batch.split_off(batch.len() / 2);
        batches.extend([second, batch]);
        return Vec::new();
    }
    let verdict = verdict(refusal);
    let dead = |opened| Settled::of(opened, |_| Settlement::DeadLettered(verdict.clone()));
    messages(batch).into_iter().map(dead).collect()
}

/// What HubSpot's refusal of one event means for its messages.
fn verdict(refusal: &Refusal) -> Verdict {
    let refused = refused(refusal);
    let reason = match refusal.category.as_str() {
        OBJECT_NOT_FOUND => Reason::ContactNotFound,
        _ => refused.reason,
    };
    Verdict { reason, detail: format!("HubSpot refuses the event: {refusal}"), ..refused }
}
