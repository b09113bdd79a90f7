//! HubSpot away, the portal against us, days spent, outcomes unknown: everything waits, nothing is
//! buried, and all of it is applied when it is over.

use std::time::Duration;

use shared::journal::Figure;
use shared::ports::Clock as _;
use simulator::LOCAL_TOKEN;
use simulator::faults::{FaultKind, FaultRule};

use crate::worker::{crowd, path, started};

#[tokio::test]
async fn an_outage_loses_nothing_and_is_over_within_ninety_seconds() {
    let path = path();
    path.portal.set_fault(FaultRule::every(FaultKind::Away));
    path.track_all(&crowd(30, 2)).await;
    path.go_on_for(Duration::from_secs(3 * 3_600)).await;
    assert_eq!(path.portal.stats().contacts, 0);
    assert!(path.calls() <= 3 * 3_600 / 30 * 3 + 30, "{} calls in three hours", path.calls());
    assert_eq!(path.dead_letters().await, []);
    path.portal.clear_faults();
    let took = path.come_to_rest().await;
    assert!(took <= Duration::from_secs(90), "{took:?}");
    assert_eq!(path.portal.stats().contacts, 30);
    assert_eq!(path.dead_letters().await, []);
}

#[tokio::test]
async fn an_account_that_moves_for_a_day_is_looked_at_every_hour() {
    let path = path();
    path.portal.set_fault(FaultRule::every(FaultKind::Migrating { retry_after_s: 86_400 }));
    path.track_all(&crowd(3, 1)).await;
    path.go_on_for(Duration::from_secs(12 * 3_600)).await;
    assert!(path.calls() <= 4 * 12, "{} calls in twelve hours", path.calls());
    path.portal.clear_faults();
    let took = path.come_to_rest().await;
    assert!(took <= Duration::from_secs(3_600), "{took:?}");
    assert_eq!(path.portal.stats().contacts, 3);
    assert_eq!(path.dead_letters().await, []);
}

#[tokio::test]
async fn a_refused_token_parks_everything_and_is_probed_once_a_minute() {
    let path = path();
    path.portal.revoke(LOCAL_TOKEN);
    path.track_all(&crowd(30, 1)).await;
    path.go_on_for(Duration::from_secs(4 * 3_600)).await;
    assert!(path.calls() <= 4 * 60 + 1, "{} calls in four hours", path.calls());
    assert_eq!(path.dead_letters().await, []);
    path.portal.grant(LOCAL_TOKEN, &[]);
    let took = path.come_to_rest().await;
    assert!(took <= Duration::from_secs(90), "{took:?}");
    assert_eq!(path.portal.stats().contacts, 30);
}

#[tokio::test]
async fn a_property_that_is_missing_parks_everything_until_it_is_there() {
    let path = path();
    path.portal.archive_property(path.clock.now(), "hhl_total_progress");
    path.track_all(&crowd(3, 1)).await;
    path.go_on_for(Duration::from_secs(300)).await;
    assert_eq!(path.portal.stats().contacts, 0);
    assert_eq!(path.dead_letters().await, []);
    path.portal.define_milepost_properties();
    let took = path.come_to_rest().await;
    assert!(took <= Duration::from_secs(90), "{took:?}");
    assert_eq!(path.portal.stats().contacts, 3);
}

#[tokio::test]
async fn a_spent_day_is_waited_out_with_a_receive_an_hour() {
    let path = path();
    path.portal.set(|settings| settings.daily_max = 1_000);
    path.portal.spend_today(path.clock.now(), 1_000);
    path.track_all(&crowd(3, 1)).await;
    path.come_to_rest().await;
    assert_eq!(path.portal.stats().contacts, 3);
    assert_eq!(path.dead_letters().await, []);
    assert!(path.calls() <= 40, "{} calls", path.calls());
}

#[tokio::test]
async fn a_write_with_an_unknown_outcome_is_left_alone_and_then_looked_at() {
    for kind in [
        FaultKind::CutBefore,
        FaultKind::CutAfter,
        FaultKind::AppliedThen { status: 502 },
        FaultKind::LateLanding { after_ms: 25_000 },
    ] {
        let path = path();
        path.portal.set_fault(FaultRule::on("batch/create", kind.clone()).times(1));
        path.track(&started("f@example.org", "hello-dough")).await;
        path.pump_once().await;
        let written_at = path.clock.uptime();
        path.track(&started("f@example.org", "second-loaf")).await;
        path.go_on_for(Duration::from_secs(29)).await;
        assert_eq!(path.calls(), 2, "{kind:?}: left alone until {written_at:?} + 30 s");
        path.come_to_rest().await;
        let state = path.held("f@example.org").unwrap()["hhl_progress_state"].clone();
        assert!(state.contains("hello-dough") && state.contains("second-loaf"), "{kind:?}");
        assert_eq!(path.portal.stats().contacts, 1, "{kind:?}");
        assert_eq!(path.journal.sum(Figure::Quarantined), 1.0, "{kind:?}");
    }
}

#[tokio::test]
async fn hours_of_writes_without_a_known_outcome_bury_nothing() {
    let path = path();
    path.portal.set_fault(FaultRule::on("batch/create", FaultKind::CutBefore));
    path.track_all(&crowd(3, 1)).await;
    path.go_on_for(Duration::from_secs(3 * 3_600)).await;
    assert_eq!(path.portal.stats().contacts, 0);
    assert_eq!(path.dead_letters().await, []);
    path.portal.clear_faults();
    path.come_to_rest().await;
    assert_eq!(path.portal.stats().contacts, 3);
    assert_eq!(path.dead_letters().await, []);
}

#[tokio::test]
async fn a_worker_that_is_switched_off_writes_nothing_and_loses_nothing() {
    let mut path = path();
    path.worker.parts.settings.is_enabled = false;
    path.track(&started("i@example.org", "hello-dough")).await;
    path.go_on_for(Duration::from_secs(3 * 3_600)).await;
    assert_eq!(path.calls(), 0);
    path.worker.parts.settings.is_enabled = true;
    path.come_to_rest().await;
    assert!(path.held("i@example.org").is_some());
}
