//! When a receive or a pass begins.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use shared::ports::{Clock, Delivery, Receipt};

use super::{Handled, Next, Outlook, PASSES_MAX, Schedule, Taken};
use crate::message::{Origin, Received};

/// Time that passes when somebody waits.
struct Idle;

#[async_trait]
impl Clock for Idle {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    fn uptime(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, _: Duration) {}
}

async fn taken(is_full: bool) -> Taken {
    let delivery = Delivery {
        message_id: "m".into(),
        receipt: Receipt::new("r"),
        body: String::new(),
        group: "g".into(),
        deduplication_id: "d".into(),
        receive_count: 1,
        sent_at: DateTime::UNIX_EPOCH,
        attributes: BTreeMap::new(),
    };
    Taken { received: vec![Received { delivery, origin: Origin::Invocation }], is_full }
}

async fn passed() -> Handled {
    Handled { done: vec![Receipt::new("r")], failed: vec!["m".into()] }
}

#[tokio::test]
async fn a_receive_that_left_room_is_the_last_one() {
    let mut schedule = Schedule::begin(taken(false));
    assert!(matches!(schedule.next(&Idle, || Outlook::Open).await, Next::Pass(_)));
    schedule.pass(passed());
    let Next::Nothing(handled) = schedule.next(&Idle, || Outlook::Open).await else { panic!() };
    assert_eq!((handled.done.len(), handled.failed), (1, vec!["m".into()]));
}

#[tokio::test]
async fn while_there_is_backlog_six_passes_go_side_by_side_and_no_more() {
    let mut schedule = Schedule::begin(taken(true));
    for _ in 0..PASSES_MAX {
        assert!(matches!(schedule.next(&Idle, || Outlook::Open).await, Next::Pass(_)));
        schedule.pass(std::future::pending());
        if schedule.passes() < PASSES_MAX {
            assert!(matches!(schedule.next(&Idle, || Outlook::Open).await, Next::Receive));
            schedule.receive(taken(true));
        }
    }
    let waits = tokio::select! {
        biased;
        _next = schedule.next(&Idle, || Outlook::Open) => false,
        () = std::future::ready(()) => true,
    };
    assert!(waits);
}

#[tokio::test]
async fn without_a_permit_a_pass_begins_only_when_none_is_under_way() {
    let mut schedule = Schedule::begin(taken(true));
    assert!(matches!(schedule.next(&Idle, || Outlook::NoPermit).await, Next::Pass(_)));
    schedule.pass(passed());
    // The pass ends first, and only then is there a receive without a permit.
    assert!(matches!(schedule.next(&Idle, || Outlook::NoPermit).await, Next::Receive));
    assert_eq!(schedule.handled.done.len(), 1);
}

#[tokio::test]
async fn a_closed_outlook_ends_the_invocation_despite_backlog() {
    let mut schedule = Schedule::begin(taken(true));
    assert!(matches!(schedule.next(&Idle, || Outlook::Closed).await, Next::Pass(_)));
    schedule.pass(passed());
    assert!(matches!(schedule.next(&Idle, || Outlook::Closed).await, Next::Nothing(_)));
}
