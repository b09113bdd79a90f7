//! How a worker goes at what waits: side by side where there is much and HubSpot is slow, and
//! without asking for more than there is where there is little.

#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

use std::time::Duration;

use serde_json::{Value, json};
use shared::journal::Figure;
use simulation::drive::drive;
use simulation::world::{World, WorldSettings};
use worker::Room;

const HOUR: Duration = Duration::from_secs(3_600);
const ANSWER: Duration = Duration::from_secs(2);

fn settings() -> WorldSettings {
    let answer_ms = ANSWER.as_millis() as u64;
    WorldSettings {
        workers: 1,
        burst_limit: 190,
        window: Duration::ZERO,
        latency_ms: (answer_ms, answer_ms),
        ..WorldSettings::of_seed(1)
    }
}

fn world() -> World {
    World::new(&settings())
}

async fn post(world: &World, people: usize) {
    let event = |n: usize| {
        json!({
            "eventName": "learning_pathway_enrolled",
            "contactIdentifier": { "email": format!("learner.{n}@example.org") },
            "pathway_slug": "p",
        })
    };
    let events: Vec<Value> = (0..people).map(event).collect();
    for batch in events.chunks(50) {
        let answer = world.track(&json!({ "events": batch })).await;
        assert_eq!(answer.status, 200);
    }
}

#[test]
fn a_backlog_waits_for_slow_answers_side_by_side() {
    let world = world();
    drive(&world.clock, vec![Box::pin(post(&world, 1_000))], HOUR).unwrap();
    let took = world.run(async {}, HOUR);
    let calls = world.portal.stats().calls;
    assert_eq!(calls, 20, "a read and a write for each hundred");
    // Six passes at once do ten in two turns, and each waits for two answers.
    assert_eq!(took.as_secs(), 2 * 2 * ANSWER.as_secs());
    assert_eq!(world.journal.sum(Figure::HubSpotCalls), calls as f64, "each call counts once");
    assert_eq!(world.journal.sum(Figure::ContactsWritten), 1_000.0);
}

#[test]
fn a_lone_event_is_followed_by_one_look_for_more() {
    let world = world();
    world.run(post(&world, 1), HOUR);
    let asked = world.events.asked();
    assert_eq!((asked.sends, asked.invocations, asked.receives, asked.settles), (1, 1, 1, 1));
}

#[test]
fn a_small_room_hands_back_nothing_that_an_invocation_brought() {
    let room = Some(Room { contacts: 3, messages: 30 });
    let world = World::new(&WorldSettings { room, ..settings() });
    drive(&world.clock, vec![Box::pin(post(&world, 30))], HOUR).unwrap();
    // The event source deletes what isn't named as failed: a message handed back would be lost.
    world.run(async {}, HOUR);
    assert_eq!(world.events.asked().invocations, 1, "the first one works off the backlog");
    assert_eq!(world.journal.sum(Figure::ContactsWritten), 30.0);
}
