//! The events backend's plan: each message → the occurrence that HubSpot is to hold. Pure.
//!
//! Nothing is read, joined or handed on here: an occurrence stands for itself, and its id makes
//! HubSpot count it once. Messages that are the same event of the same person become one.
//!
//! **Invariant**: an event has the same id however often and in whatever message it comes.

use std::collections::BTreeMap;

use hubspot::events::{EventOccurrence, Qualifier, Whom};
use shared::dead_letter::Reason;
use shared::envelope::{Content, Envelope, deduplication_id};
use shared::event_definitions::{CONTENT_TYPE, COURSE, MODULE, PATHWAY, SLUG, SOURCE, fits};
use shared::facts::Happening;
use shared::identity::Person;

use crate::held::Opened;
use crate::plan::dead;
use crate::settlement::{Settled, Settlement};

/// One event to be sent.
#[derive(Debug)]
pub struct Occurrence {
    /// What is sent.
    pub event: EventOccurrence,
    /// The names of properties that were left out because their values are too long.
    pub left_out: Vec<&'static str>,
    /// The messages that are this event.
    pub opened: Vec<Opened>,
}

/// Decides what is sent. An event of nobody that HubSpot could know is settled, and so is what is no
/// event: there is no state here that it could mend.
pub fn occurrences(opened: Vec<Opened>, qualifier: &Qualifier) -> (Vec<Occurrence>, Vec<Settled>) {
    let mut by_id: BTreeMap<_, Occurrence> = BTreeMap::new();
    let mut settled = Vec::new();
    for opened in opened {
        let Envelope { person, content, id, .. } = &opened.envelope;
        let Content::Event(happening) = content else {
            settled.push(Settled::of(opened, |_| Settlement::Applied));
            continue;
        };
        let Some(whom) = whom(person) else {
            settled.push(Settled::of(opened, |opened| {
                dead(
                    opened,
                    Reason::ContactNotFound,
                    "the id is no record id, and there is no e-mail",
                )
            }));
            continue;
        };
        let occurrence = by_id
            .entry((happening.name, deduplication_id(&person.group(), id)))
            .or_insert_with(|| {
                let (properties, left_out) = properties(happening);
                let event = EventOccurrence {
                    event: qualifier.qualified(happening.name),
                    uuid: uuid(&opened.envelope),
                    whom,
                    occurred_at: happening.at,
                    properties,
                };
                Occurrence { event, left_out, opened: Vec::new() }
            });
        occurrence.opened.push(opened);
    }
    (by_id.into_values().collect(), settled)
}

/// By e-mail where there is one, as the message group is; by record id else.
fn whom(person: &Person) -> Option<Whom> {
    match (person.email(), person.record_id()) {
        (Some(email), _) => Some(Whom::Email(email.to_owned())),
        (None, Some(id)) => Some(Whom::RecordId(id.to_owned())),
        (None, None) => None,
    }
}

/// What makes HubSpot count the event once: its id, if nobody else can have it. An id that is no
/// UUID is one that a page made up; two people may have the same, and HubSpot would drop the
/// second. It is taken together with the person then.
///
/// Not the message's own deduplication id: that changes when a message is sent anew.
fn uuid(envelope: &Envelope) -> String {
    let Envelope { id, person, .. } = envelope;
    if is_uuid(id) { id.clone() } else { deduplication_id(&person.group(), id) }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// What the event is about, and the names of what is too long to say. HubSpot would refuse it, and
/// the batch with it; cut short, a slug would name something else.
fn properties(happening: &Happening) -> (BTreeMap<&'static str, String>, Vec<&'static str>) {
    let viewed = happening.viewed.as_ref();
    let present = [
        (PATHWAY, happening.pathway.as_ref()),
        (COURSE, happening.course.as_ref()),
        (MODULE, happening.module.as_ref()),
        (SOURCE, happening.source.as_ref()),
        (CONTENT_TYPE, viewed.map(|page| &page.content_type)),
        (SLUG, viewed.map(|page| &page.slug)),
    ];
    let mut properties = BTreeMap::new();
    let mut left_out = Vec::new();
    for (name, value) in present {
        match value {
            Some(value) if fits(value) => {
                properties.insert(name, value.clone());
            }
            Some(_) => left_out.push(name),
            None => {}
        }
    }
    (properties, left_out)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use hubspot::events::{EventDefinition, EventPropertyDefinition};
    use shared::event::{EventName, Page};
    use shared::event_definitions::{EVENT_PROPERTIES, EventProperty, PROPERTY_KIND};
    use shared::ports::Delivery;

    use super::*;
    use crate::held::{Held, Origin};

    const UUID: &str = "019ab7c2-9a40-7fff-BFFF-0123456789ab";

    fn opened(email: Option<&str>, contact_id: Option<&str>, id: &str) -> Opened {
        let at = DateTime::from_timestamp_millis(1_795_550_400_000).unwrap();
        let envelope = Envelope {
            id: id.into(),
            correlation_id: "c-1".into(),
            accepted_at: at,
            person: Person::new(email, contact_id).unwrap(),
            content: Content::Event(Happening {
                name: EventName::PageViewed,
                at,
                pathway: None,
                course: Some("c".repeat(51)),
                module: None,
                source: Some("s".repeat(50)),
                viewed: Some(Page { content_type: "module".into(), slug: "first-vpc".into() }),
            }),
            hopped: false,
        };
        let delivery = Delivery {
            message_id: "m".into(),
            receipt_handle: "r".into(),
            body: envelope.body(),
            group: envelope.person.group(),
            deduplication_id: "renewed".into(),
            receive_count: 1,
            sent_at: at,
            attributes: BTreeMap::new(),
        };
        Opened { held: Held { delivery, origin: Origin::Invocation }, envelope }
    }

    fn planned(opened: Vec<Opened>) -> (Vec<Occurrence>, Vec<Settled>) {
        let property = |ours: EventProperty| EventPropertyDefinition {
            name: ours.name.into(),
            kind: PROPERTY_KIND.into(),
        };
        let definition = |event: EventName| EventDefinition {
            fully_qualified_name: format!("pe7_{}", event.as_str()),
            archived: false,
            properties: EVENT_PROPERTIES.map(property).into(),
        };
        occurrences(opened, &Qualifier::learn(&EventName::ALL.map(definition)).unwrap())
    }

    #[test]
    fn an_occurrence_says_what_the_event_says_and_leaves_out_what_is_too_long() {
        let (planned, settled) = planned(vec![opened(Some("a@b.co"), Some("51"), UUID)]);
        assert!(settled.is_empty());
        let Occurrence { event, left_out, .. } = &planned[0];
        assert_eq!(event.event, "pe7_learning_page_viewed");
        assert_eq!(event.whom, Whom::Email("a@b.co".into()));
        assert_eq!(event.occurred_at.timestamp_millis(), 1_795_550_400_000);
        let properties = [
            ("content_type", "module".to_owned()),
            ("slug", "first-vpc".to_owned()),
            ("source", "s".repeat(50)),
        ];
        assert_eq!(event.properties, properties.into());
        assert_eq!(*left_out, ["course"]);
    }

    #[test]
    fn an_id_that_is_a_uuid_is_sent_as_it_is_and_another_together_with_the_person() {
        let uuid = |email, id| planned(vec![opened(Some(email), None, id)]).0[0].event.uuid.clone();
        assert_eq!(uuid("a@b.co", UUID), UUID);
        for id in
            ["e-1", "019ab7c2-9a40-7fff-bfff-0123456789ag", "019ab7c209a40-7fff-bfff-0123456789a"]
        {
            assert_ne!(uuid("a@b.co", id), uuid("b@b.co", id), "{id}");
            assert_eq!(uuid("a@b.co", id), uuid(" A@b.co", id), "{id}");
        }
    }

    #[test]
    fn one_event_in_two_messages_is_sent_once_and_both_have_its_fate() {
        let twice = || opened(Some("a@b.co"), None, "e-1");
        let (planned, _) = planned(vec![twice(), opened(Some("b@b.co"), None, "e-1"), twice()]);
        let mut messages: Vec<usize> = planned.iter().map(|one| one.opened.len()).collect();
        messages.sort_unstable();
        assert_eq!(messages, [1, 2]);
    }

    #[test]
    fn who_has_neither_an_email_nor_a_record_id_is_not_found() {
        let (planned, settled) =
            planned(vec![opened(None, Some("51"), UUID), opened(None, Some("no-number"), UUID)]);
        assert_eq!(planned.len(), 1);
        assert_eq!(planned[0].event.whom, Whom::RecordId("51".into()));
        let Settlement::DeadLettered(verdict) = &settled[0].settlement else { panic!() };
        assert_eq!(verdict.reason, Reason::ContactNotFound);
    }
}
