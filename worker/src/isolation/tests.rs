//! The loop over a made-up kind of call, whose items are numbers.

use std::collections::BTreeSet;
use std::time::Duration;

use hubspot::fault::{CallFault, PortalFault, Refusal};
use shared::dead_letter::{FailureReason, Reason};

use super::{Answer, Answers, Judged, Step, WriteResult, isolate};

/// Refuses a batch that holds one of `bad`, and fails a batch that holds `fault`'s item.
#[derive(Default)]
struct Numbers {
    bad: BTreeSet<u32>,
    /// Whether a refusal names the first bad item.
    names: bool,
    /// The item that meets a fault, and the fault.
    fault: Option<(u32, CallFault)>,
    calls_max: Option<usize>,
    calls: Vec<Vec<u32>>,
}

impl Step for Numbers {
    type Item = u32;
    type Done = ();

    fn has_time(&self) -> bool {
        self.calls_max.is_none_or(|most| self.calls.len() < most)
    }

    async fn call(&mut self, batch: &mut [u32]) -> Result<Answers<()>, CallFault> {
        self.calls.push(batch.to_vec());
        match &self.fault {
            Some((item, fault)) if batch.contains(item) => return Err(fault.clone()),
            _ => {}
        }
        if let Some(bad) = batch.iter().find(|item| self.bad.contains(item)) {
            let ids = self.names.then(|| bad.to_string()).into_iter().collect();
            return Err(CallFault::Request(Box::new(Refusal { ids, ..Refusal::default() })));
        }
        Ok(Answers { each: batch.iter().map(|_| Answer::Done(())).collect(), stop: None })
    }

    fn is_named(&self, item: &u32, refusal: &Refusal) -> bool {
        refusal.ids.contains(&item.to_string())
    }

    fn judge(&self, item: u32, _: &Refusal) -> Judged<u32, ()> {
        Judged::Final(item, WriteResult::Refused(failure()))
    }
}

fn failure() -> FailureReason {
    let (detail, correlation_id) = (String::new(), String::new());
    FailureReason { reason: Reason::Rejected, detail, correlation_id }
}

/// The results by item, after checking that each item has one.
async fn results(step: &mut Numbers, batches: Vec<Vec<u32>>) -> Vec<WriteResult> {
    let items: usize = batches.iter().map(Vec::len).sum();
    let mut results = isolate(step, batches).await;
    results.sort_by_key(|(item, _)| *item);
    let order: Vec<u32> = results.iter().map(|(item, _)| *item).collect();
    assert!(order.into_iter().eq(0..items as u32), "each item has one result");
    results.into_iter().map(|(_, result)| result).collect()
}

#[tokio::test]
async fn culprits_are_isolated_whether_or_not_hubspot_names_them() {
    for (names, calls_max) in [(true, 3), (false, 2 * 100)] {
        let mut step = Numbers { bad: [3, 77].into(), names, ..Numbers::default() };
        let found = results(&mut step, vec![(0..100).collect()]).await;
        for (item, result) in found.iter().enumerate() {
            match step.bad.contains(&(item as u32)) {
                true => assert_eq!(*result, WriteResult::Refused(failure()), "{item}"),
                false => assert_eq!(*result, WriteResult::Confirmed(()), "{item}"),
            }
        }
        assert!(step.calls.len() <= calls_max, "{} calls", step.calls.len());
    }
}

#[tokio::test]
async fn a_fault_that_all_would_meet_stops_the_rest() {
    let fault = CallFault::Portal(PortalFault::Unauthorized);
    let mut step = Numbers { fault: Some((2, fault.clone())), ..Numbers::default() };
    let found = results(&mut step, vec![vec![0], vec![1], vec![2], vec![3]]).await;
    let failed = || WriteResult::Failed(fault.clone());
    assert_eq!(found, [failed(), failed(), failed(), WriteResult::Confirmed(())]);
    assert_eq!(step.calls, [[3], [2]]);
}

#[tokio::test]
async fn an_unknown_outcome_concerns_its_own_batch_only() {
    let fault = CallFault::Unknown("cut".into());
    let mut step = Numbers { fault: Some((1, fault.clone())), ..Numbers::default() };
    let found = results(&mut step, vec![vec![0], vec![1]]).await;
    assert_eq!(found, [WriteResult::Confirmed(()), WriteResult::Failed(fault)]);
}

#[tokio::test]
async fn without_time_for_a_call_the_rest_come_again_at_once() {
    let mut step = Numbers { calls_max: Some(1), ..Numbers::default() };
    let found = results(&mut step, vec![vec![0], vec![1]]).await;
    assert_eq!(found, [WriteResult::Again(Duration::ZERO), WriteResult::Confirmed(())]);
}
