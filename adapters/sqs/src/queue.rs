//! [`SqsQueue`]: the port's five calls over SQS.
//!
//! In: any number of messages or receipts. Out: a result for each. Sends go one call after the
//! other, so that a group's messages keep their order; deletes and visibility changes have none to
//! keep and go side by side.
//!
//! **Invariant**: no receive without an attempt id, so that a lost answer hides nothing.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{BuildError, SdkError};
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchError;
use aws_sdk_sqs::types::{
    Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use shared::ports::{Delivery, Depth, Outgoing, Queue, QueueFault, Receipt, ReceiveRequest};

use crate::batch::{self, Answer};
use crate::client::{ClientSettings, Timeouts, client};
use crate::event;
use crate::fault::{self, Carries};
use crate::settle;

/// A FIFO queue of SQS.
pub struct SqsQueue {
    client: Client,
    url: String,
    timeouts: Timeouts,
}

impl SqsQueue {
    /// The queue of this URL, with a client of its own.
    pub fn new(settings: &ClientSettings, url: &str) -> SqsQueue {
        SqsQueue::with_client(client(settings), settings.timeouts, url)
    }

    /// The queue of this URL over a client that others use as well.
    pub fn with_client(client: Client, timeouts: Timeouts, url: &str) -> SqsQueue {
        SqsQueue { client, url: url.to_owned(), timeouts }
    }

    /// Sends what fits into one call. If SQS refuses the whole call because of one entry, each
    /// goes alone, so that the good ones arrive.
    async fn send_call(&self, messages: &[Outgoing]) -> Vec<Result<(), QueueFault>> {
        match self.send_batch(messages).await {
            Ok(answer) => answer.into_results(messages.len()),
            Err(error) if messages.len() > 1 && fault::may_be_of_an_entry(&error) => {
                let mut results = Vec::with_capacity(messages.len());
                for message in messages {
                    let alone = std::slice::from_ref(message);
                    match self.send_batch(alone).await {
                        Ok(answer) => results.extend(answer.into_results(1)),
                        Err(error) => results.push(Err(fault::of_call(&error))),
                    }
                }
                results
            }
            Err(error) => vec![Err(fault::of_call(&error)); messages.len()],
        }
    }

    async fn send_batch(
        &self,
        messages: &[Outgoing],
    ) -> Result<Answer, SdkError<SendMessageBatchError, HttpResponse>> {
        let entries: Result<Vec<_>, BuildError> = messages
            .iter()
            .enumerate()
            .map(|(place, message)| send_entry(place, message))
            .collect();
        let entries = entries.map_err(SdkError::construction_failure)?;
        let call = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let output = call.send().await?;
        let mut answer = Answer::default();
        for entry in output.successful() {
            answer.successful(entry.id());
        }
        for entry in output.failed() {
            answer.failed(entry.id(), fault::of_entry(entry, Carries::Messages));
        }
        Ok(answer)
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), QueueFault>> {
        let mut results = Vec::with_capacity(messages.len());
        for call in batch::cut(messages.iter().map(batch::size)) {
            results.extend(self.send_call(&messages[call]).await);
        }
        results
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>, QueueFault> {
        use MessageSystemAttributeName::{
            ApproximateReceiveCount, MessageDeduplicationId, MessageGroupId, SentTimestamp,
        };
        let timeouts = self.timeouts.with_wait(request.wait);
        let output = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(request.messages_max).unwrap_or(i32::MAX))
            .visibility_timeout(seconds(request.visibility))
            .wait_time_seconds(seconds(request.wait))
            .receive_request_attempt_id(&request.attempt_id)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageGroupId)
            .message_system_attribute_names(MessageDeduplicationId)
            .message_system_attribute_names(ApproximateReceiveCount)
            .message_system_attribute_names(SentTimestamp)
            .customize()
            .config_override(aws_sdk_sqs::Config::builder().timeout_config(timeouts))
            .send()
            .await
            .map_err(|error| fault::of_call(&error))?;
        // What can't be settled is not taken: it comes again when its time is up.
        Ok(output.messages.unwrap_or_default().into_iter().filter_map(delivery).collect())
    }

    async fn delete(&self, receipts: Vec<Receipt>) -> Vec<(Receipt, QueueFault)> {
        let handles = receipts.iter().map(|receipt| receipt.handle().to_owned()).collect();
        let call = |handles| settle::delete(self.client.clone(), self.url.clone(), handles);
        let results = settle::side_by_side(handles, call).await;
        settle::not_settled(receipts, results)
    }

    async fn change_visibility(
        &self,
        receipts: Vec<(Receipt, Duration)>,
    ) -> Vec<(Receipt, QueueFault)> {
        let change =
            |(receipt, wait): &(Receipt, Duration)| (receipt.handle().to_owned(), seconds(*wait));
        let changes = receipts.iter().map(change).collect();
        let call = |changes| settle::hide(self.client.clone(), self.url.clone(), changes);
        let results = settle::side_by_side(changes, call).await;
        settle::not_settled(receipts.into_iter().map(|(receipt, _)| receipt), results)
    }

    async fn depth(&self) -> Result<Depth, QueueFault> {
        use QueueAttributeName::{
            ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed,
            ApproximateNumberOfMessagesNotVisible,
        };
        let output = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(ApproximateNumberOfMessages)
            .attribute_names(ApproximateNumberOfMessagesNotVisible)
            .attribute_names(ApproximateNumberOfMessagesDelayed)
            .send()
            .await
            .map_err(|error| fault::of_call(&error))?;
        let read = |name: QueueAttributeName| {
            let text = output.attributes().and_then(|all| all.get(&name));
            let missing = || QueueFault::Unavailable("the answer lacks a count".to_owned());
            text.and_then(|text| text.parse().ok()).ok_or_else(missing)
        };
        Ok(Depth {
            visible: read(ApproximateNumberOfMessages)?,
            in_flight: read(ApproximateNumberOfMessagesNotVisible)?,
            delayed: read(ApproximateNumberOfMessagesDelayed)?,
        })
    }
}

fn send_entry(
    place: usize,
    message: &Outgoing,
) -> Result<SendMessageBatchRequestEntry, BuildError> {
    let mut entry = SendMessageBatchRequestEntry::builder()
        .id(place.to_string())
        .message_body(&message.body)
        .message_group_id(&message.group)
        .message_deduplication_id(&message.deduplication_id);
    for (name, value) in &message.attributes {
        let value = MessageAttributeValue::builder().data_type("String").string_value(value);
        entry = entry.message_attributes(name, value.build()?);
    }
    entry.build()
}

fn delivery(message: Message) -> Option<Delivery> {
    let given = |value: Option<String>| value.filter(|value| !value.is_empty());
    let mut system = message.attributes.unwrap_or_default();
    let mut attribute = |name| system.remove(&name);
    let attributes = message.message_attributes.unwrap_or_default();
    Some(Delivery {
        message_id: given(message.message_id)?,
        receipt: Receipt::new(given(message.receipt_handle)?),
        body: message.body.unwrap_or_default(),
        group: given(attribute(MessageSystemAttributeName::MessageGroupId))?,
        deduplication_id: attribute(MessageSystemAttributeName::MessageDeduplicationId)
            .unwrap_or_default(),
        receive_count: event::receive_count(
            attribute(MessageSystemAttributeName::ApproximateReceiveCount).as_deref(),
        ),
        sent_at: event::sent_at(attribute(MessageSystemAttributeName::SentTimestamp).as_deref()),
        attributes: event::string_attributes(
            attributes.into_iter().map(|(name, value)| (name, value.string_value)),
        ),
    })
}

/// SQS counts in whole seconds; a part of one is rounded up, so that no lock ends early.
fn seconds(duration: Duration) -> i32 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(whole).unwrap_or(i32::MAX)
}
