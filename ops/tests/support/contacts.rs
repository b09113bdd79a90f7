//! What the contacts are, and what they should be: the simulator's answer, and the pure fold.

use std::collections::BTreeMap;

use shared::catalog::Catalog;
use shared::event::Ts;
use shared::facts::{Facts, Happening};
use shared::milestones::{Values, milestones};
use shared::submission::{self, Submitted};

use crate::process::get;

/// Milepost's properties of contacts, by e-mail. A value that is empty is absent.
pub(crate) type Contacts = BTreeMap<String, Values>;

/// How many contacts the simulator shows at once.
const PAGE: usize = 1_000;

/// The contacts in the simulator.
pub(crate) async fn in_simulator(client: &reqwest::Client, portal: &str) -> Contacts {
    let mut contacts = Contacts::new();
    for offset in (0..).step_by(PAGE) {
        let url = format!("{portal}/_portal/contacts?limit={PAGE}&offset={offset}");
        let page = get(client, &url).await;
        let page = page["contacts"].as_array().unwrap();
        for contact in page {
            let properties: Values =
                serde_json::from_value(contact["properties"].clone()).expect("values are texts");
            contacts.insert(contact["email"].as_str().unwrap().to_owned(), ours(properties));
        }
        if page.len() < PAGE {
            break;
        }
    }
    contacts
}

/// What these events, each valid and with a time of its own, make of contacts that did not exist.
pub(crate) fn folded<'a>(bodies: impl IntoIterator<Item = &'a str>, catalog: &Catalog) -> Contacts {
    let mut facts: BTreeMap<String, Facts> = BTreeMap::new();
    for body in bodies {
        let Submitted::Single(event) = submission::read(body.as_bytes()).unwrap().events else {
            panic!("not a single event");
        };
        let Ts::Read(at) = event.ts else { panic!("an event without a time of its own") };
        let email = event.contact.as_ref().and_then(|person| person.email()).unwrap().to_owned();
        let said = Facts::of(&Happening { at, event: event.event });
        let known = facts.remove(&email).unwrap_or_default();
        facts.insert(email, known.join(said));
    }
    let values = |facts: Facts| ours(milestones(None, &facts, catalog).unwrap().changed);
    facts.into_iter().map(|(email, facts)| (email, values(facts))).collect()
}

fn ours(values: Values) -> Values {
    values
        .into_iter()
        .filter(|(name, value)| name.starts_with("hhl_") && !value.is_empty())
        .collect()
}
