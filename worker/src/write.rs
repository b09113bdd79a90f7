//! Writing contacts: batches of up to 100, and nothing believed that did not come back.
//!
//! Each input carries a trace id of its own, so that HubSpot can refuse one and write the rest.
//!
//! **Invariant**: every write gets exactly one result, and is confirmed only if its record came back.

use std::time::Duration;

use hubspot::client::{BATCH_MAX, WRITE_WORST_CASE};
use hubspot::contact::{ContactUpdate, NewContact, Wrote};
use hubspot::fault::{CallFault, PortalFault, Refusal};
use shared::properties::{LAST_VIEWED_AT, LAST_VIEWED_SLUG, LAST_VIEWED_TYPE};

use crate::calls::Calls;
use crate::failure::{OBJECT_NOT_FOUND, classify};
use crate::isolation::{Answer, Answers, Judged, Step, WriteResult, isolate};
use crate::plan::{Target, Write};

/// The most bytes of values in one request. HubSpot documents no limit; 100 contacts with full states
/// of 64 KiB would make 6.5 MB.
const BATCH_BYTES_MAX: usize = 2 * 1024 * 1024;
/// After a conflict, or when a record has vanished since the read, the person is looked up again this
/// soon.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Writes every contact and says what became of each.
pub(crate) async fn write(
    calls: &Calls<'_>,
    writes: Vec<Write>,
) -> Vec<(Write, WriteResult<String>)> {
    let inputs = writes.into_iter().map(|write| Input { trace_id: String::new(), write });
    let (new, existing) = inputs.partition(|input| matches!(input.write.target, Target::New(_)));
    let batches = batches(existing).into_iter().chain(batches(new)).collect();
    let results = isolate(&mut WriteContacts(calls), batches).await;
    results.into_iter().map(|(input, result)| (input.write, result)).collect()
}

/// A contact in a batch call.
struct Input {
    /// HubSpot's `objectWriteTraceId`: new with each call, 16 hexadecimal digits.
    trace_id: String,
    write: Write,
}

fn batches(inputs: Vec<Input>) -> Vec<Vec<Input>> {
    let mut batches: Vec<Vec<Input>> = Vec::new();
    let mut bytes = 0;
    for input in inputs {
        let more: usize =
            input.write.properties.iter().map(|(name, value)| name.len() + value.len()).sum();
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH_MAX && bytes + more <= BATCH_BYTES_MAX => {
                bytes += more;
                batch.push(input);
            }
            _ => {
                bytes = more;
                batches.push(vec![input]);
            }
        }
    }
    batches
}

/// One call for a batch. Either all of its inputs create, or all update.
struct WriteContacts<'a>(&'a Calls<'a>);

impl Step for WriteContacts<'_> {
    type Item = Input;
    type Done = String;

    fn has_time(&self) -> bool {
        self.0.time_left() >= WRITE_WORST_CASE
    }

    async fn call(&mut self, batch: &mut [Input]) -> Result<Answers<String>, CallFault> {
        let mut creates = Vec::new();
        let mut updates = Vec::new();
        for Input { trace_id, write } in &mut *batch {
            *trace_id = format!("{:016x}", self.0.entropy.next_u64());
            let (trace_id, properties) = (trace_id.clone(), write.properties.clone());
            match &write.target {
                Target::New(_) => creates.push(NewContact { trace_id, properties }),
                Target::Existing(id) => {
                    updates.push(ContactUpdate { trace_id, id: id.clone(), properties });
                }
            }
        }
        let wrote = match creates.is_empty() {
            true => self.0.client.update(&updates).await?,
            false => self.0.client.create(&creates).await?,
        };
        Ok(Answers {
            each: batch.iter().map(|input| compared(input, &wrote)).collect(),
            stop: portal_fault(&wrote).map(CallFault::Portal),
        })
    }

    fn is_named(&self, input: &Input, refusal: &Refusal) -> bool {
        is_named(input, refusal)
    }

    /// A refusal of the last view's type means that this portal does not know it: the contact is
    /// written once more without the last view.
    fn judge(&self, mut input: Input, refusal: &Refusal) -> Judged<Input, String> {
        let write = &mut input.write;
        let refuses_view = refusal
            .properties
            .iter()
            .any(|(property, code)| property == LAST_VIEWED_TYPE && code == "INVALID_OPTION");
        if refuses_view && write.properties.remove(LAST_VIEWED_TYPE).is_some() {
            write.properties.remove(LAST_VIEWED_SLUG);
            write.properties.remove(LAST_VIEWED_AT);
            write.view_left_out = true;
            if !write.properties.is_empty() {
                return Judged::OnceMore(input);
            }
            // Nothing else changes: the read has confirmed what the contact holds.
            let id = match &write.target {
                Target::Existing(id) => id.clone(),
                Target::New(_) => String::new(),
            };
            return Judged::Final(input, WriteResult::Confirmed(id));
        }
        let result = match refusal.category.as_str() {
            "CONFLICT" | "OBJECT_ALREADY_EXISTS" | OBJECT_NOT_FOUND => {
                WriteResult::Again(LOOK_AGAIN)
            }
            _ if refusal.status == 409 => WriteResult::Again(LOOK_AGAIN),
            _ => WriteResult::Refused(classify(refusal)),
        };
        Judged::Final(input, result)
    }
}

/// Compares what was sent with what came back.
fn compared(input: &Input, wrote: &Wrote) -> Answer<String> {
    let confirmed = wrote.written.iter().find(|record| match &input.write.target {
        Target::Existing(id) => record.id == *id,
        Target::New(email) => {
            record.trace_id.as_ref() == Some(&input.trace_id)
                || record.properties.get("email").is_some_and(|e| e.eq_ignore_ascii_case(email))
        }
    });
    let refusal = wrote.refused.iter().find(|refusal| is_named(input, refusal));
    match (confirmed, refusal) {
        (Some(record), _) => Answer::Done(record.id.clone()),
        (None, Some(refusal)) => Answer::Refused(refusal.clone()),
        // Neither written nor refused: merged away since the read, or a silent no-op.
        (None, None) => Answer::Again(LOOK_AGAIN),
    }
}

fn is_named(Input { trace_id, write }: &Input, refusal: &Refusal) -> bool {
    refusal.trace_ids.contains(trace_id)
        || matches!(&write.target, Target::Existing(id) if refusal.ids.contains(id))
}

/// A property of ours that this portal lacks is not the fault of one record.
fn portal_fault(wrote: &Wrote) -> Option<PortalFault> {
    let undefined = wrote.refused.iter().find_map(Refusal::undefined_property)?;
    Some(PortalFault::UnknownProperty(undefined.to_owned()))
}
