//! Batch calls that use receipt handles: delete, and change of visibility.
//!
//! In: any number of orders, each with its receipt handle. Out: a result for each, in order. The
//! calls of ten run side by side, since what they do has no order.
//!
//! **Invariant**: an order without a result is of unknown outcome, never done.

use std::collections::BTreeMap;
use std::future::Future;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{BuildError, SdkError};
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
};
use shared::ports::{QueueFault, Receipt};
use tokio::task::JoinSet;

use crate::batch::{Answer, ENTRIES_MAX};
use crate::fault::{self, Carries};

/// How many calls run side by side.
const CALLS_MAX: usize = 10;

/// A result for each entry of a call.
pub(crate) type Results = Vec<Result<(), QueueFault>>;

/// Cuts the orders into calls of ten and makes them, ten calls at a time.
pub(crate) async fn side_by_side<T, F>(orders: Vec<T>, call: impl Fn(Vec<T>) -> F) -> Results
where
    T: Clone,
    F: Future<Output = Results> + Send + 'static,
{
    let mut results = BTreeMap::new();
    let calls: Vec<(usize, &[T])> = orders.chunks(ENTRIES_MAX).enumerate().collect();
    for some in calls.chunks(CALLS_MAX) {
        let mut running = JoinSet::new();
        for (number, orders) in some {
            let (number, answer) = (*number, call(orders.to_vec()));
            running.spawn(async move { (number, answer.await) });
        }
        while let Some(finished) = running.join_next().await {
            // A call that panicked has no result, and its orders are unknown.
            let Ok((number, answer)) = finished else { continue };
            let first = number * ENTRIES_MAX;
            results.extend(answer.into_iter().enumerate().map(|(at, one)| (first + at, one)));
        }
    }
    let unknown = || Err(QueueFault::Unavailable("the call ended without a result".to_owned()));
    (0..orders.len()).map(|place| results.remove(&place).unwrap_or_else(unknown)).collect()
}

/// The receipts whose result is a fault, each with its fault.
pub(crate) fn not_settled(
    receipts: impl IntoIterator<Item = Receipt>,
    results: Results,
) -> Vec<(Receipt, QueueFault)> {
    let paired = receipts.into_iter().zip(results);
    paired.filter_map(|(receipt, result)| Some((receipt, result.err()?))).collect()
}

/// `DeleteMessageBatch` for at most ten receipt handles.
pub(crate) async fn delete(client: Client, url: String, handles: Vec<String>) -> Results {
    let entry = |(place, handle): (usize, &String)| {
        DeleteMessageBatchRequestEntry::builder()
            .id(place.to_string())
            .receipt_handle(handle)
            .build()
    };
    let entries: Result<Vec<_>, BuildError> = handles.iter().enumerate().map(entry).collect();
    let answer = match entries {
        Ok(entries) => {
            client.delete_message_batch().queue_url(url).set_entries(Some(entries)).send().await
        }
        Err(error) => Err(SdkError::construction_failure(error)),
    };
    match answer {
        Ok(output) => {
            read(output.successful().iter().map(|entry| entry.id()), output.failed(), handles.len())
        }
        Err(error) => vec![Err(fault::of_call(&error)); handles.len()],
    }
}

/// `ChangeMessageVisibilityBatch` for at most ten receipt handles with their seconds.
pub(crate) async fn hide(client: Client, url: String, changes: Vec<(String, i32)>) -> Results {
    let entry = |(place, (handle, seconds)): (usize, &(String, i32))| {
        ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(place.to_string())
            .receipt_handle(handle)
            .visibility_timeout(*seconds)
            .build()
    };
    let entries: Result<Vec<_>, BuildError> = changes.iter().enumerate().map(entry).collect();
    let answer = match entries {
        Ok(entries) => {
            let call = client.change_message_visibility_batch().queue_url(url);
            call.set_entries(Some(entries)).send().await
        }
        Err(error) => Err(SdkError::construction_failure(error)),
    };
    match answer {
        Ok(output) => {
            read(output.successful().iter().map(|entry| entry.id()), output.failed(), changes.len())
        }
        Err(error) => vec![Err(fault::of_call(&error)); changes.len()],
    }
}

fn read<'a>(
    successful: impl Iterator<Item = &'a str>,
    failed: &[BatchResultErrorEntry],
    count: usize,
) -> Results {
    let mut answer = Answer::default();
    successful.for_each(|entry_id| answer.successful(entry_id));
    for entry in failed {
        answer.failed(entry.id(), fault::of_entry(entry, Carries::ReceiptHandles));
    }
    answer.into_results(count)
}
