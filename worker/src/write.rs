//! Writing a plan: batches of up to 100, culprits isolated, and nothing believed that did not
//! come back.
//!
//! Each input carries a trace id of its own, so that HubSpot can refuse one and write the rest.
//! Where it refuses a whole batch all the same, the batch is cut: at what it names, else in halves.
//!
//! **Invariant**: every write gets exactly one result, and `Confirmed` only if its record came
//! back.

use std::collections::BTreeMap;
use std::time::Duration;

use hubspot::Client;
use hubspot::client::WRITE_WORST_CASE;
use hubspot::contact::{ContactUpdate, NewContact, Wrote};
use hubspot::fault::{CallFault, PortalFault, Refusal};
use shared::dead_letter::Verdict;
use shared::ports::Entropy;
use shared::properties::{LAST_VIEWED_AT, LAST_VIEWED_SLUG, LAST_VIEWED_TYPE};

use crate::plan::{Target, Write, refused};

/// HubSpot's limit for every batch.
const INPUTS_MAX: usize = 100;
/// What one request carries at most, in bytes of values. HubSpot documents no limit; 100 contacts
/// with full states of 64 KiB would make 6.5 MB.
const BATCH_BYTES_MAX: usize = 2 * 1024 * 1024;
/// After a conflict, or a record that vanished meanwhile, the person is looked up again this soon.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What became of one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteResult {
    /// The record came back: HubSpot holds it.
    Confirmed {
        /// The record's id.
        id: String,
    },
    /// HubSpot will not take it.
    Refused(Verdict),
    /// It was not written, and another look will tell what to do.
    Again(Duration),
    /// The call failed, and with it every input of it.
    Failed(CallFault),
}

/// Writes all, and says of each what became of it. A call is begun only while `time_left` allows
/// one: a process that is ended in the middle of a write leaves its outcome unknown, and one that
/// stood still since it read (a suspended machine) holds the contacts no more.
pub async fn write(
    client: &Client,
    entropy: &dyn Entropy,
    writes: Vec<Write>,
    time_left: impl Fn() -> Duration,
) -> Vec<(Write, WriteResult)> {
    let mut results = Vec::with_capacity(writes.len());
    let (new, existing) =
        writes.into_iter().partition(|write| matches!(write.target, Target::New(_)));
    let mut chunks: Vec<Vec<Write>> = chunks(existing).into_iter().chain(chunks(new)).collect();
    // A fault that is not about one request stops the rest: they would meet it too.
    let mut stopped: Option<CallFault> = None;
    // A chunk is written, or cut into smaller ones: at most 2 × writes rounds.
    while let Some(chunk) = chunks.pop() {
        if let Some(fault) = &stopped {
            results.extend(chunk.into_iter().map(|w| (w, WriteResult::Failed(fault.clone()))));
            continue;
        }
        if time_left() < WRITE_WORST_CASE {
            results.extend(chunk.into_iter().map(|w| (w, WriteResult::Again(Duration::ZERO))));
            continue;
        }
        let traced: BTreeMap<String, Write> = chunk
            .into_iter()
            .map(|write| (format!("{:016x}", entropy.next_u64()), write))
            .collect();
        match call(client, &traced).await {
            Ok(wrote) => match portal_fault(&wrote) {
                Some(fault) => {
                    let fault = CallFault::Portal(fault);
                    results.extend(compared(traced, wrote, &mut chunks, Some(&fault)));
                    stopped = Some(fault);
                }
                None => results.extend(compared(traced, wrote, &mut chunks, None)),
            },
            Err(CallFault::Request(refusal)) => {
                results.extend(isolated(traced, &refusal, &mut chunks));
            }
            Err(fault) => {
                if !matches!(fault, CallFault::Unknown(_)) {
                    stopped = Some(fault.clone());
                }
                let failed = traced.into_values();
                results.extend(failed.map(|w| (w, WriteResult::Failed(fault.clone()))));
            }
        }
    }
    results
}

fn chunks(writes: Vec<Write>) -> Vec<Vec<Write>> {
    let mut chunks: Vec<Vec<Write>> = Vec::new();
    let mut bytes = 0;
    for write in writes {
        let more: usize =
            write.properties.iter().map(|(name, value)| name.len() + value.len()).sum();
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < INPUTS_MAX && bytes + more <= BATCH_BYTES_MAX => {
                bytes += more;
                chunk.push(write);
            }
            _ => {
                bytes = more;
                chunks.push(vec![write]);
            }
        }
    }
    chunks
}

/// One call for a chunk, all of whose writes create or all of which update.
async fn call(client: &Client, traced: &BTreeMap<String, Write>) -> Result<Wrote, CallFault> {
    let mut creates = Vec::new();
    let mut updates = Vec::new();
    for (trace_id, write) in traced {
        let (trace_id, properties) = (trace_id.clone(), write.properties.clone());
        match &write.target {
            Target::New(_) => creates.push(NewContact { trace_id, properties }),
            Target::Existing(id) => {
                updates.push(ContactUpdate { trace_id, id: id.clone(), properties });
            }
        }
    }
    if creates.is_empty() { client.update(&updates).await } else { client.create(&creates).await }
}

/// What was sent, held against what came back.
fn compared(
    traced: BTreeMap<String, Write>,
    wrote: Wrote,
    chunks: &mut Vec<Vec<Write>>,
    fault: Option<&CallFault>,
) -> Vec<(Write, WriteResult)> {
    let mut results = Vec::new();
    let mut without_view = Vec::new();
    for (trace_id, write) in traced {
        let confirmed = wrote.written.iter().find(|record| match &write.target {
            Target::Existing(id) => record.id == *id,
            Target::New(email) => {
                record.trace_id.as_ref() == Some(&trace_id)
                    || record.properties.get("email").is_some_and(|e| e.eq_ignore_ascii_case(email))
            }
        });
        let refusal = wrote.refused.iter().find(|refusal| {
            refusal.trace_ids.contains(&trace_id)
                || matches!(&write.target, Target::Existing(id) if refusal.ids.contains(id))
        });
        match (confirmed, refusal) {
            (Some(record), _) => {
                let id = record.id.clone();
                results.push((write, WriteResult::Confirmed { id }));
            }
            (None, Some(refusal)) => match fault {
                Some(fault) => results.push((write, WriteResult::Failed(fault.clone()))),
                None => match judged(write, refusal) {
                    Ok(result) => results.push(result),
                    Err(write) => without_view.push(write),
                },
            },
            // Neither written nor refused: merged away meanwhile, or a silent no-op.
            (None, None) => results.push((write, WriteResult::Again(LOOK_AGAIN))),
        }
    }
    if !without_view.is_empty() {
        chunks.push(without_view);
    }
    results
}

/// A whole batch was refused: cut out what HubSpot names, else halve.
fn isolated(
    traced: BTreeMap<String, Write>,
    refusal: &Refusal,
    chunks: &mut Vec<Vec<Write>>,
) -> Vec<(Write, WriteResult)> {
    let is_named = |trace_id: &String, write: &Write| {
        refusal.trace_ids.contains(trace_id)
            || matches!(&write.target, Target::Existing(id) if refusal.ids.contains(id))
    };
    let is_alone = traced.len() == 1;
    let (named, mut rest): (Vec<_>, Vec<_>) =
        traced.into_iter().partition(|(trace_id, write)| is_alone || is_named(trace_id, write));
    if named.is_empty() {
        let second = rest.split_off(rest.len() / 2);
        for half in [second, rest] {
            chunks.push(half.into_iter().map(|(_, write)| write).collect());
        }
        return Vec::new();
    }
    if !rest.is_empty() {
        chunks.push(rest.into_iter().map(|(_, write)| write).collect());
    }
    let mut results = Vec::new();
    for (_, write) in named {
        match judged(write, refusal) {
            Ok(result) => results.push(result),
            Err(write) => chunks.push(vec![write]),
        }
    }
    results
}

/// What a refusal of one write means; `Err` is the write to try once more, without the last view
/// whose type this portal does not know.
fn judged(mut write: Write, refusal: &Refusal) -> Result<(Write, WriteResult), Write> {
    let refuses_view = refusal
        .properties
        .iter()
        .any(|(property, code)| property == LAST_VIEWED_TYPE && code == "INVALID_OPTION");
    if refuses_view && write.properties.remove(LAST_VIEWED_TYPE).is_some() {
        write.properties.remove(LAST_VIEWED_SLUG);
        write.properties.remove(LAST_VIEWED_AT);
        write.view_left_out = true;
        if !write.properties.is_empty() {
            return Err(write);
        }
        // Nothing else changes: the read has confirmed what the contact holds.
        let id = match &write.target {
            Target::Existing(id) => id.clone(),
            Target::New(_) => String::new(),
        };
        return Ok((write, WriteResult::Confirmed { id }));
    }
    let result = match refusal.category.as_str() {
        "CONFLICT" | "OBJECT_ALREADY_EXISTS" | "OBJECT_NOT_FOUND" => WriteResult::Again(LOOK_AGAIN),
        _ if refusal.status == 409 => WriteResult::Again(LOOK_AGAIN),
        _ => WriteResult::Refused(refused(refusal)),
    };
    Ok((write, result))
}

/// A property of ours that this portal does not have is no record's fault.
fn portal_fault(wrote: &Wrote) -> Option<PortalFault> {
    let undefined = wrote.refused.iter().find_map(Refusal::undefined_property)?;
    Some(PortalFault::UnknownProperty(undefined.to_owned()))
}
