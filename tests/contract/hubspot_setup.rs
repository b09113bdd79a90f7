//! Setting a portal up and asking it about itself, through the client.

use hubspot::fault::{CallFault, LimitPolicy};
use hubspot::schema::{Difference, Made, compare};
use hubspot::token::TokenSource;
use hubspot::version::ApiVersion;
use shared::ports::Clock;
use shared::properties::{GROUPS, LAST_VIEWED_TYPE, PROPERTIES};
use simulator::LOCAL_TOKEN;

use crate::hubspot_client::{MINUTE, World};

#[tokio::test]
async fn a_bare_portal_becomes_one_without_differences() {
    let world = World::with_token(ApiVersion::V2026_09, |_| TokenSource::fixed(LOCAL_TOKEN));
    let client = &world.client;
    let theirs = world.run(client.list_properties()).await.unwrap();
    let missing = compare(&theirs, &PROPERTIES);
    assert_eq!(missing.len(), PROPERTIES.len());
    assert!(missing.iter().all(|one| matches!(one, Difference::Missing { .. })));

    for made in [Made::Created, Made::Exists] {
        for group in &GROUPS {
            assert_eq!(world.run(client.create_group(group)).await, Ok(made));
        }
        world.clock.advance(MINUTE);
        for property in &PROPERTIES {
            assert_eq!(world.run(client.create_property(property)).await, Ok(made));
        }
        world.clock.advance(MINUTE);
    }
    let groups = world.run(client.list_groups()).await.unwrap();
    assert!(GROUPS.iter().all(|group| groups.iter().any(|name| name == group.name)));
    let theirs = world.run(client.list_properties()).await.unwrap();
    assert_eq!(compare(&theirs, &PROPERTIES), []);
}

#[tokio::test]
async fn a_missing_option_is_added_to_those_that_are_there() {
    let world = World::with_token(ApiVersion::V2026_09, |_| TokenSource::fixed(LOCAL_TOKEN));
    let client = &world.client;
    let ours = PROPERTIES.iter().find(|ours| ours.name == LAST_VIEWED_TYPE).unwrap();
    for group in &GROUPS {
        world.run(client.create_group(group)).await.unwrap();
    }
    world.clock.advance(MINUTE);
    let older = shared::properties::Property { options: &ours.options[..2], ..*ours };
    world.run(client.create_property(&older)).await.unwrap();
    world.clock.advance(MINUTE);
    for made in [Made::Created, Made::Exists] {
        let theirs = world.run(client.list_properties()).await.unwrap();
        let theirs = theirs.iter().find(|their| their.name == ours.name).unwrap();
        assert_eq!(world.run(client.add_options(theirs, ours)).await, Ok(made));
    }
    let theirs = world.run(client.list_properties()).await.unwrap();
    assert_eq!(compare(&theirs, std::slice::from_ref(ours)), []);
}

#[tokio::test]
async fn the_portal_tells_its_midnight_and_its_use() {
    let world = World::new();
    world.portal.set(|settings| settings.utc_offset_minutes = -300);
    let details = world.run(world.client.account_details()).await.unwrap();
    let midnight = details.next_midnight(world.clock.now());
    let usage = world.run(world.client.daily_usage()).await.unwrap();
    assert_eq!(usage[0].resets_at, Some(midnight));
    assert_eq!(usage[0].usage_limit, Some(250_000));

    world.pace.learn_day(midnight);
    world.portal.spend_today(world.clock.now(), 250_000);
    let emails = ["ann@b.co".to_owned()];
    let fault = world.run(world.client.read_by_email(&emails, &[])).await.unwrap_err();
    let CallFault::Throttled { policy: LimitPolicy::Daily, wait } = fault else {
        panic!("{fault:?}");
    };
    world.clock.advance(wait);
    assert!(world.clock.now() > midnight);
    world.run(world.client.read_by_email(&emails, &[])).await.unwrap();
}
