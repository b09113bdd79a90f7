//! Forgetting: a person is deleted from HubSpot for good, in the hands that hold the person's group.
//!
//! In: whom, with all messages in hand about them. Out: a fate for each message. The person's events
//! beside it are dropped and counted, those after it in the batch too. Nothing here remembers whom
//! it forgot: an event that comes in a later batch is like any other, and what becomes of it is
//! HubSpot's to say, which may refuse to create the person again.
//!
//! **Invariant**: an event is dropped only after HubSpot has deleted the person, or knows nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use hubspot::client::{ContactKey, WRITE_WORST_CASE};
use hubspot::fault::CallFault;
use shared::envelope::Content;

use crate::held::Opened;
use crate::plan::{Target, refused};
use crate::report::Report;
use crate::settlement::{Cause, Settled, Settlement};
use crate::{BACKOFF_MAX, Worker, put_off};

/// Somebody who is to be forgotten.
#[derive(Debug)]
pub struct Forget {
    /// The record; or the e-mail of somebody who has none, which HubSpot then blocks.
    pub target: Target,
    /// The messages about this person.
    pub opened: Vec<Opened>,
}

impl Worker {
    /// Deletes people one by one: HubSpot has no batch for it. A call is begun only while
    /// `time_left` allows one.
    pub(crate) async fn forget(
        &self,
        forgets: Vec<Forget>,
        time_left: impl Fn() -> Duration,
        report: &mut Report,
    ) -> Vec<Settled> {
        let mut settled = Vec::new();
        // A fault that is not about one person stops the rest: they would meet it too.
        let mut stopped: Option<CallFault> = None;
        for Forget { target, opened } in forgets {
            if let Some(fault) = &stopped {
                settled.extend(put_off(opened, |receives| self.wait_for(fault, receives)));
                continue;
            }
            if time_left() < WRITE_WORST_CASE {
                settled.extend(put_off(opened, |_| (Duration::ZERO, Cause::Moment)));
                continue;
            }
            let (key, is_record) = match &target {
                Target::Existing(id) => (ContactKey::Id(id.clone()), true),
                Target::New(email) => (ContactKey::Email(email.clone()), false),
            };
            let fate = match self.client.delete_for_good(&key).await {
                // It was there when it was looked up: gone since, or merged. Another look will tell.
                Ok(false) if is_record => {
                    settled.extend(put_off(opened, |_| (BACKOFF_MAX, Cause::Moment)));
                    continue;
                }
                Ok(_) => Settlement::Applied,
                Err(CallFault::Request(refusal)) => Settlement::DeadLettered(refused(&refusal)),
                Err(fault) => {
                    self.note(&fault, report);
                    settled.extend(put_off(opened, |receives| self.wait_for(&fault, receives)));
                    if !matches!(fault, CallFault::Unknown(_)) {
                        stopped = Some(fault);
                    }
                    continue;
                }
            };
            self.circuit.answered();
            settled.extend(settle(opened, &fate, report));
        }
        settled
    }
}

/// Takes those who are to be forgotten, with all messages of their groups, out of what is sent as
/// events: there nobody is looked up.
pub(crate) fn set_apart(opened: Vec<Opened>) -> (Vec<Opened>, Vec<Forget>) {
    let mut by_group: BTreeMap<String, Forget> = BTreeMap::new();
    for opened in &opened {
        let person = &opened.envelope.person;
        let target = match (person.email(), person.record_id()) {
            (Some(email), _) => Target::New(email.to_owned()),
            (None, Some(id)) => Target::Existing(id.to_owned()),
            (None, None) => continue,
        };
        if opened.envelope.content == Content::Forget {
            let group = opened.held.delivery.group.clone();
            by_group.insert(group, Forget { target, opened: Vec::new() });
        }
    }
    let mut rest = Vec::new();
    for opened in opened {
        match by_group.get_mut(&opened.held.delivery.group) {
            Some(forget) => forget.opened.push(opened),
            None => rest.push(opened),
        }
    }
    (rest, by_group.into_values().collect())
}

/// The fates of one person's messages; `fate` is that of the wish to be forgotten.
fn settle(opened: Vec<Opened>, fate: &Settlement, report: &mut Report) -> Vec<Settled> {
    if *fate == Settlement::Applied {
        let group = opened.first().map(|first| first.held.delivery.group.clone());
        let events = opened.iter().filter(|one| one.envelope.happening().is_some()).count();
        report.forgotten(group, events);
    }
    let each = |one: &Opened| match one.envelope.content {
        Content::Forget => fate.clone(),
        // HubSpot keeps the person, so what is about that person comes again without the wish.
        _ if *fate != Settlement::Applied => Settlement::Retry(BACKOFF_MAX, Cause::Moment),
        Content::Event(_) => Settlement::Forgotten,
        Content::Recompute => Settlement::Applied,
    };
    opened.into_iter().map(|one| Settled::of(one, each)).collect()
}
