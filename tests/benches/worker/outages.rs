//! HubSpot away for hours: the calls meanwhile, and how soon all is applied afterwards.

use std::time::Duration;

use shared::ports::Clock as _;
use simulation::late_writes;
use simulation::world::World;
use simulator::LOCAL_TOKEN;
use simulator::faults::{FaultKind, FaultRule};

use crate::people::{DAYS, HOUR, Site, address, fill, world};
use crate::table::Table;

/// Seeded histories of writes that land late.
const HISTORIES: u64 = 10_000;

/// Prints the section.
pub(crate) fn outages(table: &mut Table) {
    type Break = fn(&World);
    type Mend = fn(&World);
    let kinds: [(&str, Duration, Break, Mend); 4] = [
        (
            "three hours of outage",
            HOUR * 3,
            |world| {
                world.portal.set_fault(FaultRule::every(FaultKind::Away));
            },
            |world| world.portal.clear_faults(),
        ),
        (
            "a revoked token for three hours",
            HOUR * 3,
            |world| world.portal.revoke(LOCAL_TOKEN),
            |world| world.portal.grant(LOCAL_TOKEN, &[]),
        ),
        (
            "a deleted property for three hours",
            HOUR * 3,
            |world| {
                world.portal.archive_property(world.clock.now(), "hhl_total_progress");
            },
            |world| world.portal.define_milepost_properties(),
        ),
        (
            "a spent day",
            HOUR,
            |world| {
                world.portal.set(|settings| settings.daily_max = 10_000);
                world.portal.spend_today(world.clock.now(), 10_000);
            },
            |_| {},
        ),
    ];
    for (what, time, break_it, mend) in kinds {
        let world = world(&Site::default());
        break_it(&world);
        let calls_in_it = std::cell::Cell::new(0);
        let took = world.run(
            async {
                fill(&world, 200, 5).await;
                world.clock.sleep(time).await;
                calls_in_it.set(world.portal.stats().calls);
                mend(&world);
            },
            DAYS,
        );
        let dead = world.dead_letters.messages().len();
        table.row(&format!("{what}: calls meanwhile"), calls_in_it.get(), "");
        table.row("… dead letters", dead, "0");
        table.row("… contacts with all five modules", complete(&world), "200");
        table.row(
            "… seconds until all is applied",
            (took - time).as_secs(),
            "≤ 90, the day excepted",
        );
    }
}

fn complete(world: &World) -> usize {
    (0..200)
        .filter_map(|n| world.held(&address(n)))
        .filter(|held| held.get("hhl_total_progress").is_some_and(|total| total == "5"))
        .count()
}

/// Prints the section.
pub(crate) fn late_writes(table: &mut Table) {
    let lost =
        (1..=HISTORIES).filter(|seed| late_writes::run(*seed, late_writes::QUARANTINE).is_err());
    let lost = lost.count() as f64;
    table.at_most(&format!("{HISTORIES} seeded histories: not the join in the end"), lost, 0.0);
    let without = (1..=500).filter(|seed| late_writes::run(*seed, Duration::ZERO).is_err());
    table.row("… of 500 by a worker without quarantine, to compare", without.count(), "");
}
