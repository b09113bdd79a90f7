//! Why a message can never succeed: HubSpot's refusals and our own findings, as failure reasons.
//!
//! **Invariant**: only a permanent fault of one event or contact gets a reason. Whatever concerns the
//! portal or the moment has none.

use hubspot::fault::Refusal;
use shared::dead_letter::{FailureReason, Reason};
use shared::properties::EMAIL;

use crate::message::Message;
use crate::settlement::Settlement;

/// HubSpot's category for a refusal because an object does not exist.
pub(crate) const OBJECT_NOT_FOUND: &str = "OBJECT_NOT_FOUND";

/// Why HubSpot refuses a contact.
pub(crate) fn classify(refusal: &Refusal) -> FailureReason {
    let is_email =
        |(property, code): &(String, String)| property == EMAIL || code == "INVALID_EMAIL";
    let reason = match refusal.properties.iter().any(is_email) {
        true => Reason::InvalidEmail,
        false => Reason::Rejected,
    };
    let detail = format!("HubSpot refuses the contact: {refusal}");
    FailureReason { reason, detail, correlation_id: refusal.correlation_id.clone() }
}

/// Why HubSpot refuses a custom event.
pub(crate) fn classify_event(refusal: &Refusal) -> FailureReason {
    let contact = classify(refusal);
    let reason = match refusal.category.as_str() {
        OBJECT_NOT_FOUND => Reason::ContactNotFound,
        _ => contact.reason,
    };
    FailureReason { reason, detail: format!("HubSpot refuses the event: {refusal}"), ..contact }
}

/// A message that can never succeed, for this reason.
pub(crate) fn dead(message: &Message, reason: Reason, detail: &str) -> Settlement {
    Settlement::DeadLettered(FailureReason {
        reason,
        detail: detail.to_owned(),
        correlation_id: message.envelope.correlation_id.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_without_its_record_fails_as_contact_not_found() {
        #[track_caller]
        fn check(category: &str, property: &str, reason: Reason) {
            let refusal = Refusal {
                status: 400,
                category: category.into(),
                correlation_id: "h-1".into(),
                properties: vec![(property.into(), "TOO_LONG".into())],
                ..Refusal::default()
            };
            let failure = classify_event(&refusal);
            let detail = format!("HubSpot refuses the event: 400 {category}, {property}: TOO_LONG");
            let correlation_id = "h-1".to_owned();
            assert_eq!(failure, FailureReason { reason, detail, correlation_id });
        }
        check(OBJECT_NOT_FOUND, "x", Reason::ContactNotFound);
        check("VALIDATION_ERROR", "x", Reason::Rejected);
        check("VALIDATION_ERROR", "email", Reason::InvalidEmail);
    }
}
