//! What SQS would refuse: checked before a message is written, so that an event that works on one
//! machine works in the cloud too.
//!
//! In: a message or a request. Out: nothing, or `Refused` with the limit that it breaks.
//!
//! **Invariant**: no text quotes the message.

use std::time::Duration;

use shared::ports::{Outgoing, QueueFault, ReceiveRequest};

/// SQS: 1 MiB for body and attributes together.
const MESSAGE_BYTES_MAX: usize = 1_048_576;
/// SQS: ids of groups, deduplication and receive attempts.
const ID_CHARS_MAX: usize = 128;
/// SQS: message attributes.
const ATTRIBUTES_MAX: usize = 10;
/// SQS: attribute names.
const ATTRIBUTE_NAME_CHARS_MAX: usize = 256;
/// SQS: how many messages one receive may take.
const MESSAGES_MAX: u32 = 10;
/// SQS: how long one receive may wait.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// SQS: how long a message may be hidden.
const VISIBILITY_MAX: Duration = Duration::from_secs(12 * 60 * 60);

/// Whether a FIFO queue takes the message.
pub(crate) fn check_message(message: &Outgoing) -> Result<(), QueueFault> {
    check_id(&message.group, "the message group id")?;
    check_id(&message.deduplication_id, "the deduplication id")?;
    if message.body.is_empty() {
        return refuse("the body is empty");
    }
    if !message.body.chars().all(is_allowed) {
        return refuse("the body holds a character that XML 1.0 does not allow");
    }
    if message.attributes.len() > ATTRIBUTES_MAX {
        return refuse("there are more than 10 message attributes");
    }
    let mut bytes = message.body.len();
    for (name, value) in &message.attributes {
        let named = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if name.is_empty() || name.len() > ATTRIBUTE_NAME_CHARS_MAX || !name.chars().all(named) {
            return refuse("the name of a message attribute is empty, too long or not plain");
        }
        if value.is_empty() || !value.chars().all(is_allowed) {
            return refuse("a message attribute is empty or holds a forbidden character");
        }
        bytes += name.len() + "String".len() + value.len();
    }
    if bytes > MESSAGE_BYTES_MAX {
        return refuse("the message is longer than 1 MiB");
    }
    Ok(())
}

/// Whether the request keeps SQS's bounds.
pub(crate) fn check_receive(request: &ReceiveRequest) -> Result<(), QueueFault> {
    check_id(&request.attempt_id, "the receive attempt id")?;
    if !(1..=MESSAGES_MAX).contains(&request.messages_max) {
        return refuse("a receive takes 1 to 10 messages");
    }
    if request.wait > WAIT_MAX {
        return refuse("a receive waits at most 20 s");
    }
    check_visibility(request.visibility)
}

/// Whether a message may be hidden for this long.
pub(crate) fn check_visibility(visibility: Duration) -> Result<(), QueueFault> {
    if visibility > VISIBILITY_MAX {
        return refuse("the visibility time-out is longer than 12 hours");
    }
    Ok(())
}

fn check_id(id: &str, name: &str) -> Result<(), QueueFault> {
    if id.is_empty() || id.len() > ID_CHARS_MAX || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return refuse(&format!("{name} is not 1 to 128 visible ASCII characters"));
    }
    Ok(())
}

/// Whether XML 1.0 has the character: SQS takes no others.
fn is_allowed(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => true,
        '\u{FFFE}' | '\u{FFFF}' => false,
        _ => c >= ' ',
    }
}

fn refuse<T>(why: &str) -> Result<T, QueueFault> {
    Err(QueueFault::Refused(why.to_owned()))
}
