//! HubSpot calls per 100 contacts and per 1,000 events.

use shared::journal::Figure;

use crate::people::{Site, add_people, drain, world};
use crate::table::Table;

/// SQS gives out ten messages of one contact at a time, and keeps the rest back until those are
/// done. So a contact with fifty events that wait at once is written five times.
const EVENTS_A_WRITE: usize = 10;
/// Chance serves some contacts later than others, and the last ones come alone: with few contacts
/// that end is most of it.
const MANY: usize = 5_000;

/// Prints the section.
pub(crate) fn calls(table: &mut Table) {
    for (kind, known, bound) in [("known", true, 2.1), ("new", false, 3.1)] {
        for (each, people) in [(1, 1_000), (10, 1_000), (50, MANY)] {
            if table.is_short && people == MANY {
                continue;
            }
            let world = world(&Site { burst_limit: 190, ..Site::default() });
            if known {
                add_people(&world, 0..people);
            }
            let (calls, _) = drain(&world, people, each);
            let written = world.journal.sum(Figure::ContactsWritten);
            let what =
                format!("{people} {kind} contacts, {each} event(s) each: calls per 100 writes");
            table.at_most(&what, calls as f64 / written * 100.0, bound);
            let per_contact = calls as f64 / people as f64 * 100.0;
            let least = 2 * each.div_ceil(EVENTS_A_WRITE);
            table.row(
                "… per 100 contacts",
                format!("{per_contact:.2}"),
                &format!("least: {least}"),
            );
            let per_event = calls as f64 / (people * each) as f64 * 1_000.0;
            table.row("… per 1,000 events", format!("{per_event:.2}"), "");
        }
    }
    let one = |known: usize| {
        let world = world(&Site { workers: 1, ..Site::default() });
        add_people(&world, 0..known);
        world
    };
    let known = one(100);
    table.at_most("1,000 events of 100 known contacts, one worker", calls_of(&known), 2.0);
    let written = known.journal.sum(Figure::ContactsWritten);
    table.at_most("the same again under new ids", calls_of(&known), 1.0);
    let again = known.journal.sum(Figure::ContactsWritten) - written;
    table.at_most("… contacts written by it", again, 0.0);
    table.at_most("1,000 events of 50 known and 50 new contacts", calls_of(&one(50)), 3.0);
}

fn calls_of(world: &simulation::world::World) -> f64 {
    drain(world, 100, 10).0 as f64
}
