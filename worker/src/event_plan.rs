//! The plan of the events backend: each message → the occurrence that HubSpot is to hold. Pure.
//!
//! Nothing is read, joined or handed on: an occurrence needs no other, and its id makes HubSpot count
//! it once. Messages that are the same event of the same person become one occurrence.
//!
//! **Invariant**: an event has the same id however often and in whatever message it comes.

use std::collections::BTreeMap;

use hubspot::events::{EventOccurrence, Qualifier, Whom};
use shared::dead_letter::Reason;
use shared::envelope::{Content, Envelope, deduplication_id};
use shared::event::{Fields, Page};
use shared::event_definitions::{CONTENT_TYPE, COURSE, MODULE, PATHWAY, SLUG, SOURCE, fits};
use shared::facts::Happening;
use shared::identity::Person;

use crate::failure::dead;
use crate::message::Message;
use crate::plan::{Forget, Target};
use crate::settlement::{Settled, Settlement};

/// One event to be sent.
#[derive(Debug)]
pub(crate) struct Occurrence {
    /// What is sent.
    pub(crate) event: EventOccurrence,
    /// The names of properties that were left out because their values are too long.
    pub(crate) left_out: Vec<&'static str>,
    /// The messages that are this event.
    pub(crate) messages: Vec<Message>,
}

/// Takes the people who are to be forgotten, with all messages of their groups, out of what is sent:
/// this backend looks nobody up.
pub(crate) fn set_apart(messages: Vec<Message>) -> (Vec<Message>, Vec<Forget>) {
    let mut by_group: BTreeMap<String, Forget> = BTreeMap::new();
    for message in &messages {
        let person = &message.envelope.person;
        let target = match (person.email(), person.record_id()) {
            (Some(email), _) => Target::New(email.to_owned()),
            (None, Some(id)) => Target::Existing(id.to_string()),
            (None, None) => continue,
        };
        if message.envelope.content == Content::Forget {
            by_group.insert(message.group().to_owned(), Forget { target, messages: Vec::new() });
        }
    }
    let mut rest = Vec::new();
    for message in messages {
        match by_group.get_mut(message.group()) {
            Some(forget) => forget.messages.push(message),
            None => rest.push(message),
        }
    }
    (rest, by_group.into_values().collect())
}

/// Decides what is sent. An event whose person HubSpot can't know is settled. So is a repair, since
/// this backend keeps no state to repair.
pub(crate) fn event_plan(
    messages: Vec<Message>,
    qualifier: &Qualifier,
) -> (Vec<Occurrence>, Vec<Settled>) {
    let mut by_id: BTreeMap<_, Occurrence> = BTreeMap::new();
    let mut settled = Vec::new();
    for message in messages {
        let Envelope { person, content, .. } = &message.envelope;
        let Content::Event(happening) = content else {
            settled.push(Settled::of(message, |_| Settlement::Applied));
            continue;
        };
        let Some(whom) = addressee(person) else {
            let detail = "the id is no record id, and there is no e-mail";
            let nobody = |message: &Message| dead(message, Reason::ContactNotFound, detail);
            settled.push(Settled::of(message, nobody));
            continue;
        };
        let occurrence = by_id
            .entry((
                happening.event.name(),
                deduplication_id(&person.group(), &message.envelope.unique_id()),
            ))
            .or_insert_with(|| {
                let (properties, left_out) = properties(happening);
                let event = EventOccurrence {
                    event: qualifier.qualified(happening.event.name()),
                    uuid: uuid(&message.envelope),
                    whom,
                    occurred_at: happening.at,
                    properties,
                };
                Occurrence { event, left_out, messages: Vec::new() }
            });
        occurrence.messages.push(message);
    }
    (by_id.into_values().collect(), settled)
}

/// By e-mail if there is one, as the message group is; otherwise by record id.
fn addressee(person: &Person) -> Option<Whom> {
    match (person.email(), person.record_id()) {
        (Some(email), _) => Some(Whom::Email(email.to_owned())),
        (None, Some(id)) => Some(Whom::RecordId(id.to_string())),
        (None, None) => None,
    }
}

/// What makes HubSpot count the event once: its id, if nobody else can have it. An id that isn't a
/// UUID was made up by a page. Two people or two events may have the same one, and HubSpot would drop
/// the second; so it is combined with the person and with what the event says.
///
/// The message's own deduplication id does not serve: it changes when a message is sent anew.
fn uuid(envelope: &Envelope) -> String {
    let Envelope { id, person, .. } = envelope;
    let of_this_event = || deduplication_id(&person.group(), &envelope.unique_id());
    if is_uuid(id) { id.clone() } else { of_this_event() }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The event's properties, and the names of those whose values are too long. HubSpot would refuse such
/// a value, and the batch with it; cut short, a slug would name something else.
fn properties(happening: &Happening) -> (BTreeMap<&'static str, String>, Vec<&'static str>) {
    let Fields { pathway, course, module, source, page } = happening.event.fields();
    let (content_type, slug) = match page {
        Some(Page { content_type, slug }) => (Some(content_type), Some(slug)),
        None => (None, None),
    };
    let present = [
        (PATHWAY, pathway.map(String::from)),
        (COURSE, course.map(String::from)),
        (MODULE, module.map(String::from)),
        (SOURCE, source),
        (CONTENT_TYPE, content_type),
        (SLUG, slug.map(String::from)),
    ];
    let mut properties = BTreeMap::new();
    let mut left_out = Vec::new();
    for (name, value) in present {
        match value {
            Some(value) if fits(&value) => {
                properties.insert(name, value);
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
    use shared::event::{CoursePlace, Event, EventName};
    use shared::event_definitions::{EVENT_PROPERTIES, EventProperty, PROPERTY_KIND};
    use shared::ports::{Delivery, Receipt};

    use super::*;
    use crate::message::{Origin, Received};

    const UUID: &str = "019ab7c2-9a40-7fff-BFFF-0123456789ab";

    fn message(email: Option<&str>, contact_id: Option<&str>, id: &str) -> Message {
        let at = DateTime::from_timestamp_millis(1_795_550_400_000).unwrap();
        let envelope = Envelope {
            id: id.into(),
            correlation_id: "c-1".into(),
            accepted_at: at,
            person: Person::new(email, contact_id).unwrap(),
            content: Content::Event(Happening {
                at,
                event: Event::CourseEnrolled {
                    course: CoursePlace {
                        pathway: Some("p".parse().unwrap()),
                        course: "c".repeat(51).parse().unwrap(),
                    },
                    source: Some("s".repeat(50)),
                },
            }),
            hopped: false,
        };
        let delivery = Delivery {
            message_id: "m".into(),
            receipt: Receipt::new("r"),
            body: envelope.body(),
            group: envelope.person.group(),
            deduplication_id: "renewed".into(),
            receive_count: 1,
            sent_at: at,
            attributes: BTreeMap::new(),
        };
        Message { received: Received { delivery, origin: Origin::Invocation }, envelope }
    }

    fn planned(messages: Vec<Message>) -> (Vec<Occurrence>, Vec<Settled>) {
        let property = |ours: EventProperty| EventPropertyDefinition {
            name: ours.name.into(),
            kind: PROPERTY_KIND.into(),
        };
        let definition = |event: EventName| EventDefinition {
            fully_qualified_name: format!("pe7_{}", event.as_str()),
            archived: false,
            properties: EVENT_PROPERTIES.map(property).into(),
        };
        event_plan(messages, &Qualifier::learn(&EventName::ALL.map(definition)).unwrap())
    }

    #[test]
    fn an_occurrence_leaves_out_only_values_that_are_too_long() {
        let (planned, settled) = planned(vec![message(Some("a@b.co"), Some("51"), UUID)]);
        assert!(settled.is_empty());
        let Occurrence { event, left_out, .. } = &planned[0];
        assert_eq!(event.event, "pe7_learning_course_enrolled");
        assert_eq!(event.whom, Whom::Email("a@b.co".into()));
        assert_eq!(event.occurred_at.timestamp_millis(), 1_795_550_400_000);
        let properties = [("pathway", "p".to_owned()), ("source", "s".repeat(50))];
        assert_eq!(event.properties, properties.into());
        assert_eq!(*left_out, ["course"]);
    }

    #[test]
    fn an_id_that_is_not_a_uuid_is_combined_with_the_person() {
        let uuid =
            |email, id| planned(vec![message(Some(email), None, id)]).0[0].event.uuid.clone();
        assert_eq!(uuid("a@b.co", UUID), UUID);
        for id in
            ["e-1", "019ab7c2-9a40-7fff-bfff-0123456789ag", "019ab7c209a40-7fff-bfff-0123456789a"]
        {
            assert_ne!(uuid("a@b.co", id), uuid("b@b.co", id), "{id}");
            assert_eq!(uuid("a@b.co", id), uuid(" A@b.co", id), "{id}");
        }
    }

    #[test]
    fn one_event_in_two_messages_is_sent_once_for_both() {
        let twice = || message(Some("a@b.co"), None, "e-1");
        let (planned, _) = planned(vec![twice(), message(Some("b@b.co"), None, "e-1"), twice()]);
        let mut messages: Vec<usize> = planned.iter().map(|one| one.messages.len()).collect();
        messages.sort_unstable();
        assert_eq!(messages, [1, 2]);
    }

    #[test]
    fn a_person_without_email_and_record_id_is_not_found() {
        let (planned, settled) =
            planned(vec![message(None, Some("51"), UUID), message(None, Some("no-number"), UUID)]);
        assert_eq!(planned.len(), 1);
        assert_eq!(planned[0].event.whom, Whom::RecordId("51".into()));
        let Settlement::DeadLettered(failure) = &settled[0].settlement else { panic!() };
        assert_eq!(failure.reason, Reason::ContactNotFound);
    }
}
