//! The plan, from values to values: what is to happen with each person's events.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hubspot::contact::{Contact, Properties};
use hubspot::fault::Refusal;
use shared::catalog::Catalog;
use shared::dead_letter::{FailureReason, Reason};
use shared::envelope::{Content, Envelope, deduplication_id};
use shared::event::{Event, EventName, Fields};
use shared::facts::Happening;
use shared::identity::Person;
use shared::ports::{Delivery, Outgoing, Receipt};

use super::{Plan, Target, Unchanged, plan};
use crate::batch::coalesce;
use crate::failure::classify;
use crate::lookup::Lookup;
use crate::message::{Message, Origin, Received};
use crate::settlement::{Cause, Settlement};

fn at() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

fn person(email: Option<&str>, contact_id: Option<&str>) -> Person {
    Person::new(email, contact_id).unwrap()
}

fn ada() -> Person {
    person(Some("ada@example.org"), None)
}

/// An enrolment in a pathway, in its person's group.
fn enrolled(person: &Person, pathway: &str) -> Envelope {
    event(person, EventName::PathwayEnrolled, pathway)
}

/// A claim that a pathway is complete.
fn claimed(person: &Person, pathway: &str) -> Envelope {
    event(person, EventName::PathwayCompleted, pathway)
}

fn event(person: &Person, name: EventName, pathway: &str) -> Envelope {
    Envelope {
        id: format!("e-{pathway}"),
        correlation_id: format!("r-{pathway}"),
        accepted_at: at(),
        person: person.clone(),
        content: Content::Event(Happening {
            at: at(),
            event: Event::build(
                name,
                Fields { pathway: pathway.parse().ok(), ..Fields::default() },
            )
            .unwrap(),
        }),
        hopped: false,
    }
}

fn message(envelope: Envelope) -> Message {
    let delivery = Delivery {
        message_id: format!("m-{}", envelope.id),
        receipt: Receipt::new("r"),
        body: envelope.body(),
        group: envelope.person.group(),
        deduplication_id: "d".into(),
        receive_count: 1,
        sent_at: at(),
        attributes: BTreeMap::new(),
    };
    Message { received: Received { delivery, origin: Origin::Invocation }, envelope }
}

fn contact(id: &str, email: Option<&str>, properties: &[(&str, &str)]) -> Lookup {
    Lookup::Found(Box::new(Contact {
        id: id.into(),
        email: email.map(str::to_owned),
        additional_emails: Vec::new(),
        properties: texts(properties),
    }))
}

fn texts(pairs: &[(&str, &str)]) -> Properties {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The plan for one person's event.
fn planned(envelope: &Envelope, lookup: Lookup) -> Plan {
    plan(coalesce(vec![message(envelope.clone())]), vec![lookup], &Catalog::default())
}

/// The fate of an event that nothing is written for.
#[track_caller]
fn fate(envelope: &Envelope, lookup: Lookup) -> Settlement {
    let plan = planned(envelope, lookup);
    assert!(plan.writes.is_empty());
    let [settled] = &plan.settled[..] else { panic!("{plan:?}") };
    assert_eq!(settled.received.delivery.message_id, format!("m-{}", envelope.id));
    assert_eq!(settled.envelope.as_ref(), Some(envelope));
    settled.settlement.clone()
}

const STATE: &str =
    r#"{"p":{"enrolled":true,"enrolled_at":"2026-03-02T12:00:00.000Z","modules":{}}}"#;

/// All that an enrolment in `p` makes of a contact that has nothing.
const OF_P: [(&str, &str); 5] = [
    ("hhl_last_activity", "2026-03-02"),
    ("hhl_progress_state", STATE),
    ("hhl_progress_summary", "In progress"),
    ("hhl_progress_updated_at", "2026-03-02"),
    ("hhl_total_progress", "0"),
];

#[test]
fn a_missing_person_is_created_as_a_lead_by_email() {
    let plan = planned(&enrolled(&ada(), "p"), Lookup::Missing);
    let [write] = &plan.writes[..] else { panic!("{plan:?}") };
    assert_eq!(write.target, Target::New("ada@example.org".into()));
    let who = [("email", "ada@example.org"), ("lifecyclestage", "lead")];
    assert_eq!(write.properties, texts(&[&OF_P[..], &who].concat()));
    assert_eq!((write.state_chars, write.view_left_out), (STATE.len(), false));
    assert_eq!(write.messages.len(), 1);
    assert!(plan.settled.is_empty() && plan.unchanged.is_empty());
}

#[test]
fn an_existing_contact_is_updated_with_what_changes() {
    let held = [&OF_P[1..], &[("hhl_last_activity", "2026-03-01")]].concat();
    let plan = planned(&enrolled(&ada(), "p"), contact("7", Some("ada@example.org"), &held));
    let [write] = &plan.writes[..] else { panic!("{plan:?}") };
    assert_eq!(write.target, Target::Existing("7".into()));
    assert_eq!(write.properties, texts(&[("hhl_last_activity", "2026-03-02")]));
    assert!(plan.settled.is_empty());
}

#[test]
fn events_that_change_nothing_are_applied_without_a_write() {
    let claims = ["p", "q"].map(|pathway| message(claimed(&ada(), pathway)));
    let work =
        [vec![message(enrolled(&ada(), "p"))], claims.into()].into_iter().flatten().collect();
    let held = contact("7", Some("ada@example.org"), &OF_P);
    let plan = plan(coalesce(work), vec![held], &Catalog::default());
    let group = Some(ada().group());
    assert_eq!(plan.unchanged, [Unchanged { group, events: 3, unsupported_claims: 2 }]);
    assert!(plan.writes.is_empty());
    let fates: Vec<_> = plan.settled.into_iter().map(|settled| settled.settlement).collect();
    assert_eq!(fates, [Settlement::Applied, Settlement::Applied, Settlement::Applied]);
}

#[test]
fn a_write_carries_its_unsupported_claims() {
    let plan = planned(&claimed(&ada(), "q"), Lookup::Missing);
    assert_eq!(plan.writes[0].unsupported_claims.len(), 1);
}

#[test]
fn an_unknown_id_alone_creates_nobody() {
    let event = enrolled(&person(None, Some("7")), "p");
    let failure = FailureReason {
        reason: Reason::ContactNotFound,
        detail: "there is no contact of this id".into(),
        correlation_id: "r-p".into(),
    };
    assert_eq!(fate(&event, Lookup::Missing), Settlement::DeadLettered(failure));
    let plan = planned(&enrolled(&person(Some("a@b.co"), Some("7")), "p"), Lookup::Missing);
    assert_eq!(plan.writes[0].target, Target::New("a@b.co".into()));
}

#[test]
fn a_person_without_an_answer_comes_again_soon() {
    let retry = Settlement::Retry(Duration::from_secs(5), Cause::Transient);
    assert_eq!(fate(&enrolled(&ada(), "p"), Lookup::Unanswered), retry);
}

#[test]
fn a_refused_lookup_is_dead_for_the_reason_that_hubspot_gives() {
    #[track_caller]
    fn check(properties: &[(&str, &str)], reason: Reason, detail: &str) {
        let owned = |(name, code): &(&str, &str)| ((*name).to_owned(), (*code).to_owned());
        let refusal = Refusal {
            status: 400,
            category: "VALIDATION_ERROR".into(),
            correlation_id: "h-1".into(),
            properties: properties.iter().map(owned).collect(),
            ..Refusal::default()
        };
        let detail = format!("HubSpot refuses the contact: 400 VALIDATION_ERROR{detail}");
        let failure = FailureReason { reason, detail, correlation_id: "h-1".into() };
        assert_eq!(classify(&refusal), failure);
        let event = enrolled(&ada(), "p");
        assert_eq!(fate(&event, Lookup::Refused(refusal)), Settlement::DeadLettered(failure));
    }
    check(&[], Reason::Rejected, "");
    check(&[("x", "TOO_LONG")], Reason::Rejected, ", x: TOO_LONG");
    check(&[("email", "TOO_LONG")], Reason::InvalidEmail, ", email: TOO_LONG");
    let among = [("x", "TOO_LONG"), ("y", "INVALID_EMAIL")];
    check(&among, Reason::InvalidEmail, ", x: TOO_LONG, y: INVALID_EMAIL");
}

#[test]
fn a_corrupt_or_full_state_is_not_written_over() {
    let dead = |state: &str| {
        let held = contact("7", Some("ada@example.org"), &[("hhl_progress_state", state)]);
        match fate(&enrolled(&ada(), "p"), held) {
            Settlement::DeadLettered(failure) => (failure.reason, failure.detail),
            other => panic!("{other:?}"),
        }
    };
    let (reason, detail) = dead("[]");
    assert_eq!(reason, Reason::CorruptState);
    assert_eq!(detail, "the stored state is not a JSON object");
    let (reason, detail) = dead(&format!(r#"{{"x":"{}"}}"#, "x".repeat(65_536)));
    assert_eq!(reason, Reason::StateTooLarge);
    assert!(detail.ends_with("characters, and 65536 fit"), "{detail}");
}

#[test]
fn an_event_is_handed_on_as_often_as_its_canonical_group_changes() {
    #[track_caller]
    fn check(named: &Person, id: &str, email: Option<&str>, canonical: Option<&Person>) {
        for hopped in [false, true] {
            let event = Envelope { hopped, ..enrolled(named, "p") };
            let Some(canonical) = canonical else {
                let plan = planned(&event, contact(id, email, &[]));
                assert_eq!(plan.writes[0].target, Target::Existing(id.into()));
                continue;
            };
            let handed_on = Envelope { person: canonical.clone(), hopped: true, ..event.clone() };
            let sealed = handed_on.seal();
            let deduplication_id = deduplication_id(&sealed.group, "m-e-p");
            let expected = Settlement::HandedOn(Outgoing { deduplication_id, ..sealed });
            assert_eq!(fate(&event, contact(id, email, &[])), expected);
        }
    }
    let by_id = person(None, Some("7"));
    let ada_7 = person(Some("ada@example.org"), Some("7"));
    let old = person(Some("old@example.org"), None);
    check(&ada(), "7", Some("ada@example.org"), None);
    check(&ada_7, "7", Some("ada@example.org"), None);
    check(&by_id, "7", None, None);
    check(&by_id, "7", Some("ada@example.org"), Some(&ada_7));
    check(&old, "7", Some("ada@example.org"), Some(&ada_7));
    check(&ada(), "7", None, Some(&by_id));
    // Merged into another record.
    check(&by_id, "8", None, Some(&person(None, Some("8"))));
}

fn repair(person: &Person, content: Content) -> Envelope {
    Envelope { id: "repair".into(), content, ..enrolled(person, "p") }
}

#[test]
fn a_person_to_be_forgotten_is_written_under_no_name() {
    let with_id = person(Some("ada@example.org"), Some("7"));
    let messages = [enrolled(&ada(), "p"), repair(&with_id, Content::Forget)];
    let work = coalesce(messages.map(message).into());
    let corrupt = || contact("7", Some("ada@example.org"), &[("hhl_progress_state", "[]")]);
    let plan = plan(work, vec![corrupt(), corrupt()], &Catalog::default());
    let [forget] = &plan.forgets[..] else { panic!("{plan:?}") };
    assert_eq!((&forget.target, forget.messages.len()), (&Target::Existing("7".into()), 2));
    assert!(plan.writes.is_empty() && plan.settled.is_empty());
}

#[test]
fn a_repair_creates_nobody() {
    let by_id = person(None, Some("7"));
    for whom in [&ada(), &by_id] {
        assert_eq!(fate(&repair(whom, Content::Recompute), Lookup::Missing), Settlement::Applied);
    }
    assert_eq!(fate(&repair(&by_id, Content::Forget), Lookup::Missing), Settlement::Applied);
    let plan = planned(&repair(&ada(), Content::Forget), Lookup::Missing);
    assert_eq!(plan.forgets[0].target, Target::New("ada@example.org".into()));
}

#[test]
fn events_of_an_unknown_id_are_dead_unless_it_is_to_be_forgotten() {
    let by_id = person(None, Some("7"));
    let fates = |wish: Content| -> Vec<bool> {
        let messages = [enrolled(&by_id, "p"), repair(&by_id, wish)].map(message);
        let plan = plan(coalesce(messages.into()), vec![Lookup::Missing], &Catalog::default());
        let is_dead = |fate: &Settlement| matches!(fate, Settlement::DeadLettered(_));
        plan.settled.iter().map(|settled| is_dead(&settled.settlement)).collect()
    };
    assert_eq!(fates(Content::Recompute), [true, false]);
    assert_eq!(fates(Content::Forget), [false, false]);
}

#[test]
fn two_names_of_one_contact_are_one_write() {
    let with_id = person(Some("ada@example.org"), Some("7"));
    let work = coalesce(vec![message(enrolled(&ada(), "p")), message(enrolled(&with_id, "q"))]);
    let found = || contact("7", Some("ada@example.org"), &[]);
    let plan = plan(work, vec![found(), found()], &Catalog::default());
    let [write] = &plan.writes[..] else { panic!("{plan:?}") };
    assert_eq!(write.messages.len(), 2);
    let state = &write.properties["hhl_progress_state"];
    assert!(state.contains(r#""p":"#) && state.contains(r#""q":"#), "{state}");
}
