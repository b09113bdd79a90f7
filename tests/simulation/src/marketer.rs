//! What people do in the portal meanwhile: they edit, rename, merge, archive, delete and break.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use shared::dead_letter::Reason;
use shared::envelope::Envelope;
use shared::ports::Clock as _;
use shared::properties::{COMPLETED_COURSES, PROGRESS_STATE};

use crate::people::{Inner, People, progress_of};
use crate::world::World;

/// One thing that somebody does to a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Writes a note into a property that is not ours.
    Note,
    /// Makes the contact, where there is none yet.
    Add,
    /// Gives the contact another address.
    Rename,
    /// Merges two contacts.
    Merge,
    /// Archives it.
    Archive,
    /// Deletes it for good.
    Forget,
    /// Empties one of the lists.
    EmptyList,
    /// Empties the state.
    EmptyState,
    /// Writes into the state what is none.
    BreakState,
}

impl Deed {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "marketer: note",
            Self::Add => "marketer: contact made",
            Self::Rename => "marketer: rename",
            Self::Merge => "marketer: merge",
            Self::Archive => "marketer: archive",
            Self::Forget => "marketer: delete for good",
            Self::EmptyList => "marketer: list emptied",
            Self::EmptyState => "marketer: state emptied",
            Self::BreakState => "marketer: state broken",
        }
    }
}

/// Does such things, one now and one then, until the time is over.
pub async fn meddle(world: &World, people: &People, deeds: &[Deed], until: Duration) {
    loop {
        world.clock.sleep(Duration::from_millis(500 + world.below(15_000))).await;
        if world.clock.uptime() >= until {
            return;
        }
        let Some(deed) = world.chance.pick(deeds) else { return };
        if apply(world, people, deed) {
            world.fired.strike(deed.name());
            world.trace.note(world.clock.uptime(), format_args!("{}", deed.name()));
        }
    }
}

/// Does it to somebody's first record, if there is one; says whether.
fn apply(world: &World, people: &People, deed: Deed) -> bool {
    let now = world.clock.now();
    let mut people = people.lock();
    let nth = world.below(people.persons.len() as u64) as usize;
    if people.persons[nth].doom.is_some() {
        return false;
    }
    let records = people.records(nth, &world.portal);
    if deed == Deed::Add {
        let Some(email) = people.persons[nth].addresses.first().cloned() else { return false };
        let properties = BTreeMap::from([("email".to_owned(), email)]);
        return world.portal.add_contact(now, &properties).is_ok();
    }
    let Some(record) = records.iter().find(|record| !record.archived) else { return false };
    let edit = |name: &str, value: &str| {
        let change = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        world.portal.edit_contact(now, record.id, &change).is_ok()
    };
    if deed == Deed::Note {
        let value = format!("note {}", world.below(1_000));
        let is_done = edit("firstname", &value);
        people.notes.insert((record.id, "firstname".to_owned()), value);
        return is_done;
    }
    let held = progress_of(record).unwrap_or_default();
    let other = world.below(people.persons.len() as u64) as usize;
    // Everybody who had a part in this record is concerned.
    let mut concerned = people.owners(record.id, &world.portal);
    let may_be_written =
        || is_in_hand(world, &people, &concerned) || world.wire.is_held(&record.id.to_string());
    if deed == Deed::Rename && may_be_written() {
        return false;
    }
    // To a new name, or back to an old one.
    let old = Vec::from_iter(&people.persons[nth].addresses);
    let renamed = match world.chance.pick(&old) {
        Some(old) if world.below(2) == 0 => old.clone(),
        _ => format!("canary-renamed-{}@example.org", world.below(100_000)),
    };
    let is_done = match deed {
        Deed::Note | Deed::Add => true,
        Deed::Rename => edit("email", &renamed),
        Deed::Archive => world.portal.archive_contact(now, record.id),
        Deed::Forget => world.portal.forget_contact(now, record.id),
        Deed::EmptyList => edit(COMPLETED_COURSES, ""),
        Deed::EmptyState => edit(PROGRESS_STATE, ""),
        Deed::BreakState => edit(PROGRESS_STATE, "{\"p\": {\"courses\": 0}}"),
        Deed::Merge => {
            let others = people.records(other, &world.portal);
            let Some(primary) = others.iter().find(|one| !one.archived && one.id != record.id)
            else {
                return false;
            };
            if people.persons[other].doom.is_some() {
                return false;
            }
            let of_primary = people.owners(primary.id, &world.portal);
            let Ok(survivor) = world.portal.merge_contacts(now, primary.id, record.id) else {
                return false;
            };
            concerned.extend(of_primary);
            for nth in &concerned {
                people.persons[*nth].records.insert(survivor);
            }
            true
        }
    };
    if is_done {
        // What was wrong with one record may be wrong with the one that takes it in.
        let allowed: BTreeSet<Reason> =
            concerned.iter().flat_map(|nth| people.persons[*nth].allowed.clone()).collect();
        let mut addresses: BTreeSet<String> =
            concerned.iter().flat_map(|nth| people.persons[*nth].addresses.clone()).collect();
        if deed == Deed::Rename {
            addresses.insert(renamed);
        }
        for nth in concerned {
            let person = &mut people.persons[nth];
            person.allowed.extend(&allowed);
            person.addresses.extend(addresses.iter().cloned());
            person.is_touched = true;
            if deed != Deed::Rename && deed != Deed::EmptyList {
                person.gone.join(&held);
            }
            person.allowed.extend(match deed {
                Deed::BreakState => vec![Reason::CorruptState],
                Deed::Forget => {
                    vec![Reason::Rejected, Reason::ContactNotFound, Reason::InvalidEmail]
                }
                Deed::Merge | Deed::Archive => vec![Reason::ContactNotFound],
                _ => Vec::new(),
            });
        }
    }
    is_done
}

/// Whether a worker has a message of one of these in hand. Renaming a contact between the read and
/// the write, or in the quarantine after it, while another worker has an event under the new name,
/// is left out: two groups are the contact's then, and HubSpot takes no condition with a write.
fn is_in_hand(world: &World, people: &Inner, persons: &[usize]) -> bool {
    let ids =
        world.events.in_hand().into_iter().filter_map(|m| Some(Envelope::open(&m.body).ok()?.id));
    ids.into_iter().filter_map(|id| people.by_event.get(&id)).any(|nth| persons.contains(nth))
}
