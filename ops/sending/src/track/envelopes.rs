//! A line of `dlq export`, or a bare envelope → the message that puts it on the events queue.
//!
//! The group is made from whom the envelope names, so that an address may be corrected in the file.
//! The deduplication id is another one than ingest's: the event may have stood on the queue within
//! five minutes, and the queue would swallow it. For an exported letter it is the one that `dlq
//! replay` has.

use dead_letters::dead_letter::replay_id;
use serde_json::Value;
use shared::envelope::{Envelope, deduplication_id};
use shared::ports::Outgoing;

use crate::requeue::Found;

/// The envelope in a line; a blank one has none.
pub(super) fn in_line(line: &str) -> Found {
    if line.trim().is_empty() {
        return Found::default();
    }
    match message(line) {
        Ok(message) => Found { messages: vec![message], unreadable: Vec::new() },
        Err(why) => Found { messages: Vec::new(), unreadable: vec![why] },
    }
}

fn message(line: &str) -> Result<Outgoing, String> {
    let value: Value = serde_json::from_str(line).map_err(|_| "no JSON".to_owned())?;
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let body = match (value.get("envelope"), text("body")) {
        (Some(envelope), _) => envelope.to_string(),
        (None, Some(body)) => body.to_owned(),
        (None, None) => line.to_owned(),
    };
    let envelope = Envelope::open(&body).map_err(|fault| fault.to_string())?;
    let sealed = envelope.seal();
    let deduplication_id = match text("messageId") {
        Some(message_id) => replay_id(&sealed.group, message_id),
        None => deduplication_id(&sealed.group, &format!("envelope {}", sealed.body)),
    };
    Ok(Outgoing { deduplication_id, ..sealed })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BODY: &str = r#"{"v":1,"kind":"event","id":"e-1","correlationId":"c","acceptedAt":"2026-01-18T17:30:02.114Z","contact":{"email":"ada@example.org"},"event":{"name":"learning_pathway_enrolled","at":"2026-01-18T17:30:00.000Z","pathway":"p"}}"#;

    #[test]
    fn a_letter_and_a_bare_envelope_make_the_same_message_in_every_run_and_not_that_of_ingest() {
        let sealed = Envelope::open(BODY).unwrap().seal();
        let envelope: Value = serde_json::from_str(BODY).unwrap();
        let letter = json!({"id": "x", "messageId": "m-1", "envelope": envelope}).to_string();
        for line in [letter.as_str(), BODY] {
            let found = in_line(line);
            assert_eq!(found, in_line(line));
            let [message] = found.messages.as_slice() else { panic!("no message: {found:?}") };
            assert_eq!((&message.body, &message.group), (&sealed.body, &sealed.group));
            assert_ne!(message.deduplication_id, sealed.deduplication_id);
        }
        let replayed = &in_line(&letter).messages[0].deduplication_id;
        assert_eq!(*replayed, replay_id(&sealed.group, "m-1"));
    }

    #[test]
    fn what_is_no_envelope_is_named_without_saying_what_it_is() {
        let letter = json!({"messageId": "m-1", "body": "ada@example.org"}).to_string();
        for line in ["ada@example.org", "[1]", "{}", letter.as_str()] {
            let found = in_line(line);
            assert!(found.messages.is_empty() && found.unreadable.len() == 1, "{line}");
            assert!(!found.unreadable[0].contains("ada"), "{found:?}");
        }
        assert_eq!(in_line("  "), Found::default());
    }
}
