//! Lambda's SQS event → deliveries, and the failed ones → Lambda's answer.
//!
//! Bodies stay text here: a body that can't be decoded is that message's fate alone, and must not
//! fail the nine others.
//!
//! **Invariant**: a delivery has a message id and a receipt handle. An empty or unknown id in the
//! answer would fail the whole batch for ever, so a record without one fails it at once and loudly.

use std::collections::BTreeMap;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use chrono::{DateTime, Utc};
use shared::ports::{Delivery, Receipt};

/// A record that can't be made a delivery: the event is not what a FIFO event source sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {index} of the SQS event has no {field}; hint: {hint}")]
pub struct BadRecord {
    /// Its place in the event, from 0.
    pub index: usize,
    /// What is missing, as SQS calls it.
    pub field: &'static str,
    hint: &'static str,
}

/// Turns the event's records into deliveries, in order.
pub fn deliveries(event: SqsEvent) -> Result<Vec<Delivery>, BadRecord> {
    event.records.into_iter().enumerate().map(|(index, record)| delivery(index, record)).collect()
}

/// Tells Lambda which messages go back to the queue; it deletes the others. Only ids of the event
/// itself may be named.
pub fn batch_response(failed_message_ids: impl IntoIterator<Item = String>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    response.set_failures(failed_message_ids);
    response
}

fn delivery(index: usize, record: SqsMessage) -> Result<Delivery, BadRecord> {
    let missing = |field, hint| BadRecord { index, field, hint };
    let not_sqs = "the function takes only events of an SQS queue";
    let not_fifo = "the event source must be a FIFO queue: its groups are the lock on a contact";
    let given = |value: Option<String>| value.filter(|value| !value.is_empty());
    let mut attributes = record.attributes;
    let mut attribute = |name: &str| given(attributes.remove(name));
    Ok(Delivery {
        message_id: given(record.message_id).ok_or(missing("messageId", not_sqs))?,
        receipt: given(record.receipt_handle)
            .map(Receipt::new)
            .ok_or(missing("receiptHandle", not_sqs))?,
        body: record.body.unwrap_or_default(),
        group: attribute("MessageGroupId").ok_or(missing("MessageGroupId", not_fifo))?,
        deduplication_id: attribute("MessageDeduplicationId").unwrap_or_default(),
        receive_count: receive_count(attribute("ApproximateReceiveCount").as_deref()),
        sent_at: sent_at(attribute("SentTimestamp").as_deref()),
        attributes: string_attributes(
            record.message_attributes.into_iter().map(|(name, value)| (name, value.string_value)),
        ),
    })
}

/// `ApproximateReceiveCount`; whoever reads it holds the message, so it is 1 at least.
pub(crate) fn receive_count(text: Option<&str>) -> u32 {
    text.and_then(|text| text.parse().ok()).unwrap_or(1).max(1)
}

/// `SentTimestamp`, in milliseconds; 1970 if SQS did not say.
pub(crate) fn sent_at(text: Option<&str>) -> DateTime<Utc> {
    let at_ms = text.and_then(|text| text.parse().ok());
    at_ms.and_then(DateTime::from_timestamp_millis).unwrap_or(DateTime::UNIX_EPOCH)
}

/// The attributes that are strings; we send no others.
pub(crate) fn string_attributes(
    all: impl IntoIterator<Item = (String, Option<String>)>,
) -> BTreeMap<String, String> {
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"messageId":"m-1","receiptHandle":"r-1","body":"{}",
        "attributes":{"ApproximateReceiveCount":"3","SentTimestamp":"1790000000123",
            "MessageGroupId":"g-1","MessageDeduplicationId":"d-1","SenderId":"x"},
        "messageAttributes":{"reason":{"stringValue":"why","dataType":"String"}},
        "md5OfBody":"","eventSource":"aws:sqs","eventSourceARN":"arn","awsRegion":"eu-central-1"}"#;

    fn read(records: &[String]) -> Result<Vec<Delivery>, BadRecord> {
        let text = format!(r#"{{"Records":[{}]}}"#, records.join(","));
        deliveries(serde_json::from_str(&text).expect("an event"))
    }

    #[test]
    fn a_record_becomes_a_delivery() {
        let read = read(&[RECORD.to_owned()]).expect("a delivery");
        let expected = Delivery {
            message_id: "m-1".to_owned(),
            receipt: Receipt::new("r-1"),
            body: "{}".to_owned(),
            group: "g-1".to_owned(),
            deduplication_id: "d-1".to_owned(),
            receive_count: 3,
            sent_at: DateTime::from_timestamp_millis(1_790_000_000_123).expect("a time"),
            attributes: BTreeMap::from([("reason".to_owned(), "why".to_owned())]),
        };
        assert_eq!(read, [expected]);
    }

    #[test]
    fn a_record_without_what_settles_it_fails_the_batch() {
        let check = |from: &str, to: &str, field: &str| {
            let records = [RECORD.to_owned(), RECORD.replace(from, to)];
            let fault = read(&records).expect_err(field);
            assert_eq!((fault.index, fault.field), (1, field));
        };
        check(r#""messageId":"m-1","#, "", "messageId");
        check(r#""messageId":"m-1","#, r#""messageId":"","#, "messageId");
        check(r#""receiptHandle":"r-1","#, r#""receiptHandle":null,"#, "receiptHandle");
        check(r#""MessageGroupId":"g-1","#, "", "MessageGroupId");
    }

    #[test]
    fn the_answer_names_the_failed_messages() {
        let answer = batch_response(["m-1".to_owned(), "m-2".to_owned()]);
        let text = serde_json::to_string(&answer).expect("JSON");
        assert_eq!(
            text,
            r#"{"batchItemFailures":[{"itemIdentifier":"m-1"},{"itemIdentifier":"m-2"}]}"#
        );
    }
}
