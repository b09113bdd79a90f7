//! The loop that makes batch calls and isolates culprits: for contacts that are written, events that
//! are sent, and people who are deleted.
//!
//! In: batches, and a [`Step`] that makes one call. Out: a result for every item. When HubSpot refuses
//! a whole batch, the loop cuts out the items that the refusal names. When it names none, the loop
//! halves the batch until the culprit is alone. A fault that the rest would meet too stops the loop,
//! except an unknown outcome, which concerns its own batch only.
//!
//! **Invariant**: every item gets exactly one result, and is [`WriteResult::Confirmed`] only when its
//! step saw HubSpot take it. There are at most 2 × items calls, plus one for each item that a step
//! wants called once more.

use std::time::Duration;

use hubspot::fault::{CallFault, Refusal};
use shared::dead_letter::FailureReason;

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WriteResult<T = ()> {
    /// HubSpot holds it; `T` is what it says about the item.
    Confirmed(T),
    /// HubSpot will never take it.
    Refused(FailureReason),
    /// It was not written. Another look after this time will tell what to do.
    Again(Duration),
    /// Its call failed.
    Failed(CallFault),
}

/// What a call that HubSpot answered says about each of its items, in their order.
pub(crate) struct Answers<T> {
    /// One for each item of the batch.
    pub(crate) each: Vec<Answer<T>>,
    /// What the refused items meet that every other item would meet too.
    pub(crate) stop: Option<CallFault>,
}

/// What an answer says about one item.
pub(crate) enum Answer<T> {
    /// HubSpot took it.
    Done(T),
    /// HubSpot refuses this item.
    Refused(Refusal),
    /// The answer does not tell. The item is looked up again after this time.
    Again(Duration),
}

/// What to do with one refused item.
pub(crate) enum Judged<I, T> {
    /// This is its result.
    Final(I, WriteResult<T>),
    /// The step has changed the item: call it once more.
    OnceMore(I),
}

/// A kind of batch call.
pub(crate) trait Step: Send {
    /// What a batch consists of.
    type Item: Send;
    /// What HubSpot says about an item that it took.
    type Done: Send;

    /// Whether there is time for another call. A process that is stopped during a write leaves its
    /// outcome unknown, and one that stood still (a suspended machine) no longer holds its contacts.
    fn has_time(&self) -> bool;

    /// Makes one call for this batch.
    fn call(
        &mut self,
        batch: &mut [Self::Item],
    ) -> impl Future<Output = Result<Answers<Self::Done>, CallFault>> + Send;

    /// Whether a refusal of the whole batch names this item.
    fn is_named(&self, _item: &Self::Item, _refusal: &Refusal) -> bool {
        false
    }

    /// What the refusal of one item means.
    fn judge(&self, item: Self::Item, refusal: &Refusal) -> Judged<Self::Item, Self::Done>;
}

/// A call under way, with all that it decided so far.
struct Isolation<'a, S: Step> {
    step: &'a mut S,
    /// The last batch is called next.
    batches: Vec<Vec<S::Item>>,
    results: Vec<(S::Item, WriteResult<S::Done>)>,
}

/// Makes the calls, the last batch first, and gives every item with its result.
pub(crate) async fn isolate<S: Step>(
    step: &mut S,
    batches: Vec<Vec<S::Item>>,
) -> Vec<(S::Item, WriteResult<S::Done>)> {
    let mut isolation = Isolation { step, batches, results: Vec::new() };
    let mut stopped: Option<CallFault> = None;
    while let Some(mut batch) = isolation.batches.pop() {
        if let Some(fault) = &stopped {
            isolation.all(batch, || WriteResult::Failed(fault.clone()));
        } else if !isolation.step.has_time() {
            isolation.all(batch, || WriteResult::Again(Duration::ZERO));
        } else {
            match isolation.step.call(&mut batch).await {
                Ok(answers) => {
                    stopped.clone_from(&answers.stop);
                    isolation.answered(batch, answers);
                }
                Err(CallFault::Request(refusal)) => isolation.refused(batch, &refusal),
                Err(fault) => {
                    isolation.all(batch, || WriteResult::Failed(fault.clone()));
                    stopped = Some(fault).filter(|fault| !matches!(fault, CallFault::Unknown(_)));
                }
            }
        }
    }
    isolation.results
}

impl<S: Step> Isolation<'_, S> {
    fn all(&mut self, batch: Vec<S::Item>, result: impl Fn() -> WriteResult<S::Done>) {
        self.results.extend(batch.into_iter().map(|item| (item, result())));
    }

    /// HubSpot answered for each item.
    fn answered(&mut self, batch: Vec<S::Item>, answers: Answers<S::Done>) {
        let mut once_more = Vec::new();
        for (item, answer) in batch.into_iter().zip(answers.each) {
            match (answer, &answers.stop) {
                (Answer::Done(done), _) => self.results.push((item, WriteResult::Confirmed(done))),
                (Answer::Again(after), _) => self.results.push((item, WriteResult::Again(after))),
                (Answer::Refused(_), Some(fault)) => {
                    self.results.push((item, WriteResult::Failed(fault.clone())));
                }
                (Answer::Refused(refusal), None) => {
                    once_more.extend(self.judged(item, &refusal));
                }
            }
        }
        if !once_more.is_empty() {
            self.batches.push(once_more);
        }
    }

    /// HubSpot refused the whole batch: cut out the items that it names, else halve.
    fn refused(&mut self, batch: Vec<S::Item>, refusal: &Refusal) {
        let is_alone = batch.len() == 1;
        let (named, mut rest): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|item| is_alone || self.step.is_named(item, refusal));
        if named.is_empty() {
            let second = rest.split_off(rest.len() / 2);
            self.batches.extend([second, rest]);
            return;
        }
        if !rest.is_empty() {
            self.batches.push(rest);
        }
        for item in named {
            if let Some(item) = self.judged(item, refusal) {
                self.batches.push(vec![item]);
            }
        }
    }

    /// Takes the result of a refused item, or gives back the item that is to be called once more.
    fn judged(&mut self, item: S::Item, refusal: &Refusal) -> Option<S::Item> {
        match self.step.judge(item, refusal) {
            Judged::OnceMore(item) => Some(item),
            Judged::Final(item, result) => {
                self.results.push((item, result));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
