//! A dead letter keeps its body and says why it is dead.

use std::collections::BTreeMap;

use chrono::DateTime;
use shared::dead_letter::{FailureReason, Reason, dead_letter};
use shared::ports::{Delivery, Outgoing, Receipt};

fn delivery() -> Delivery {
    Delivery {
        message_id: "m".into(),
        receipt: Receipt::new("r"),
        body: "body".into(),
        group: "g".into(),
        deduplication_id: "d".into(),
        receive_count: 3,
        sent_at: DateTime::UNIX_EPOCH,
        attributes: BTreeMap::from([("reason".into(), "of another time".into())]),
    }
}

fn of(detail: &str, correlation_id: &str) -> Outgoing {
    let failure = FailureReason {
        reason: Reason::Rejected,
        detail: detail.into(),
        correlation_id: correlation_id.into(),
    };
    dead_letter(&delivery(), &failure, DateTime::from_timestamp_millis(1_500).unwrap())
}

#[test]
fn a_dead_letter_keeps_what_it_was_and_says_why_it_is_dead() {
    let expected = Outgoing {
        body: "body".into(),
        group: "g".into(),
        deduplication_id: "d".into(),
        attributes: [
            ("reason", "REJECTED"),
            ("detail", "no"),
            ("failedAt", "1970-01-01T00:00:01.500Z"),
            ("attempts", "3"),
            ("correlationId", "c"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
    };
    assert_eq!(of("no", "c"), expected);
}

#[test]
fn an_attribute_without_a_value_is_left_out() {
    let names: Vec<String> = of("", "").attributes.into_keys().collect();
    assert_eq!(names, ["attempts", "failedAt", "reason"]);
}

#[test]
fn a_detail_is_one_line_of_at_most_500_characters() {
    assert_eq!(of("a\nb\u{7}c", "").attributes["detail"], "a b c");
    let detail = &of(&"ü".repeat(501), "").attributes["detail"];
    assert_eq!(*detail, "ü".repeat(500));
}

#[test]
fn every_reason_is_read_by_its_word_and_no_other_word_is() {
    let words = Reason::ALL.map(Reason::as_str);
    assert_eq!(
        words,
        [
            "INVALID_EVENT",
            "INVALID_EMAIL",
            "CONTACT_NOT_FOUND",
            "CORRUPT_STATE",
            "STATE_TOO_LARGE",
            "REJECTED",
            "UNREADABLE",
        ]
    );
    assert_eq!(words.map(Reason::from_wire), Reason::ALL.map(Some));
    assert_eq!(Reason::from_wire("rejected"), None);
}
