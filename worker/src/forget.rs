//! Forgetting: a person is deleted from HubSpot permanently, while the worker holds the person's group.
//!
//! In: who, with all messages in hand about them. Out: a settlement for each message. The person's
//! events in this batch are dropped and counted, those after the wish too. Milepost keeps no list
//! of the forgotten: a later event is like any other, and HubSpot may refuse to create the person again.
//!
//! **Invariant**: an event is dropped only after HubSpot has deleted the person, or knows nobody.

use hubspot::client::{ContactKey, WRITE_WORST_CASE};
use hubspot::fault::{CallFault, Refusal};
use shared::envelope::Content;

use crate::backoff::BACKOFF_MAX;
use crate::calls::Calls;
use crate::failure::classify;
use crate::isolation::{Answer, Answers, Judged, Step, WriteResult, isolate};
use crate::message::Message;
use crate::plan::{Forget, Target};
use crate::report::Report;
use crate::settlement::{Cause, Settled, Settlement};

/// Deletes people one by one, since HubSpot has no batch for it, and settles their messages.
pub(crate) async fn forget(
    calls: &Calls<'_>,
    forgets: Vec<Forget>,
    report: &mut Report,
) -> Vec<Settled> {
    let one_by_one = forgets.into_iter().rev().map(|forget| vec![forget]).collect();
    let mut settled = Vec::new();
    for (Forget { messages, .. }, result) in isolate(&mut Delete(calls), one_by_one).await {
        settled.extend(match result {
            WriteResult::Confirmed(()) => forgotten(messages, report),
            WriteResult::Refused(failure) => kept(messages, &Settlement::DeadLettered(failure)),
            result => calls.settle(messages, result, report),
        });
    }
    settled
}

/// The deletion of one person.
struct Delete<'a>(&'a Calls<'a>);

impl Step for Delete<'_> {
    type Item = Forget;
    type Done = ();

    fn has_time(&self) -> bool {
        self.0.time_left() >= WRITE_WORST_CASE
    }

    async fn call(&mut self, batch: &mut [Forget]) -> Result<Answers<()>, CallFault> {
        let mut each = Vec::with_capacity(batch.len());
        for Forget { target, .. } in batch {
            let (key, is_record) = match target {
                Target::Existing(id) => (ContactKey::Id(id.clone()), true),
                Target::New(email) => (ContactKey::Email(email.clone()), false),
            };
            let deleted = self.0.client.delete_for_good(&key).await;
            // The read found the record, so it was deleted or merged since. Another look will tell.
            if is_record && matches!(deleted, Ok(false)) {
                each.push(Answer::Again(BACKOFF_MAX));
                continue;
            }
            if matches!(deleted, Ok(_) | Err(CallFault::Request(_))) {
                self.0.circuit.answered();
            }
            deleted?;
            each.push(Answer::Done(()));
        }
        Ok(Answers { each, stop: None })
    }

    fn judge(&self, forget: Forget, refusal: &Refusal) -> Judged<Forget, ()> {
        Judged::Final(forget, WriteResult::Refused(classify(refusal)))
    }
}

/// Settles the messages of a person after HubSpot has deleted the contact.
fn forgotten(messages: Vec<Message>, report: &mut Report) -> Vec<Settled> {
    let group = messages.first().map(|first| first.group().to_owned());
    let events = messages.iter().filter(|one| one.envelope.happening().is_some()).count();
    report.forgotten(group, events);
    Settled::all(messages, |message| match message.envelope.content {
        Content::Event(_) => Settlement::Forgotten,
        Content::Forget | Content::Recompute => Settlement::Applied,
    })
}

/// Settles the messages of a person whose contact HubSpot keeps: the request to forget is settled as
/// `wish`, and the other messages come again without it.
fn kept(messages: Vec<Message>, wish: &Settlement) -> Vec<Settled> {
    Settled::all(messages, |message| match message.envelope.content {
        Content::Forget => wish.clone(),
        Content::Event(_) | Content::Recompute => Settlement::Retry(BACKOFF_MAX, Cause::Transient),
    })
}
