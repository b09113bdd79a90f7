//! A queue's attributes, as SQS names and writes them: for whoever inspects a deployment.

use std::collections::BTreeMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use shared::ports::QueueFault;

use crate::fault;

/// All attributes of a queue, by AWS's names. One that was never set may be absent.
///
/// # Errors
/// [`QueueFault`].
pub async fn of(client: &Client, url: &str) -> Result<BTreeMap<String, String>, QueueFault> {
    let call =
        client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
    let output = call.send().await.map_err(|error| fault::of_call(&error))?;
    let attributes = output.attributes.unwrap_or_default();
    Ok(attributes.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect())
}
