//! The HubSpot client against the portal, through its inner door, on virtual time.
//!
//! What is asked of the portal afterwards is what it holds and which calls arrived, never how the
//! client went about it.

#![expect(clippy::unwrap_used, reason = "what goes wrong in a test's own helpers fails the test")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hubspot::Client;
use hubspot::client::{BATCH_MAX, ContactKey, READ_WORST_CASE, WRITE_WORST_CASE};
use hubspot::contact::{ContactUpdate, NewContact, Properties};
use hubspot::fault::{CallFault, LimitPolicy, PortalFault};
use hubspot::pace::{Pace, PaceSettings};
use hubspot::token::{ReadToken, TokenSource};
use hubspot::version::ApiVersion;
use shared::ports::Clock;
use shared::properties::{LAST_VIEWED_TYPE, PROGRESS_SUMMARY, TOTAL_PROGRESS};
use simulation::clock::VirtualClock;
use simulation::entropy::SeededEntropy;
use simulator::faults::{FaultKind, FaultRule};
use simulator::inner_door::InnerDoor;
use simulator::{LOCAL_TOKEN, Portal};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// A portal, and a client before its inner door.
pub(crate) struct World {
    pub(crate) clock: VirtualClock,
    pub(crate) portal: Arc<Portal>,
    pub(crate) pace: Arc<Pace>,
    pub(crate) client: Client,
}

impl World {
    /// A portal with our properties, and a client that has its burst.
    pub(crate) fn new() -> Self {
        Self::speaking(ApiVersion::V2026_09)
    }

    fn speaking(version: ApiVersion) -> Self {
        let world = Self::with_token(version, |_| TokenSource::fixed(LOCAL_TOKEN));
        world.portal.define_milepost_properties();
        // The burst that a new process lacks, and the definitions, are there after a minute.
        world.clock.advance(MINUTE);
        world
    }

    /// A portal as bought, and a client that has just started.
    pub(crate) fn with_token(
        version: ApiVersion,
        token: impl FnOnce(Arc<dyn Clock>) -> TokenSource,
    ) -> Self {
        let clock = VirtualClock::default();
        let shared_clock: Arc<dyn Clock> = Arc::new(clock.clone());
        let portal = Arc::new(Portal::in_memory(7));
        let settings =
            PaceSettings { burst_limit: 100, headroom: 0.1, workers: 2, day_begins_at: None };
        let entropy = Arc::new(SeededEntropy::new(7));
        let pace = Arc::new(Pace::new(settings, Arc::clone(&shared_clock), entropy).unwrap());
        let door = InnerDoor::new(Arc::clone(&portal), Arc::clone(&shared_clock));
        let token = Arc::new(token(Arc::clone(&shared_clock)));
        let client = Client::new(Arc::new(door), token, Arc::clone(&pace), shared_clock, version);
        Self { clock, portal, pace, client }
    }

    /// Runs the work; whenever it sleeps, the clock is turned to when it wakes.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.clock.run(work).await
    }

    fn add(&self, email: &str) -> u64 {
        self.portal.add_contact(self.clock.now(), &set(&[("email", email)])).unwrap()
    }

    fn fault(&self, path: &str, kind: FaultKind, times: u64) {
        self.portal.set_fault(FaultRule::on(path, kind).times(times));
    }

    fn calls(&self) -> u64 {
        self.portal.stats().calls
    }

    fn held(&self, email: &str, name: &str) -> Option<String> {
        self.portal.contact_by_email(email)?.properties.get(name).cloned()
    }
}

fn set(pairs: &[(&str, &str)]) -> Properties {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn new_contact(trace_id: &str, pairs: &[(&str, &str)]) -> NewContact {
    NewContact { trace_id: trace_id.to_owned(), properties: set(pairs) }
}

fn update(trace_id: &str, id: u64, pairs: &[(&str, &str)]) -> ContactUpdate {
    ContactUpdate { trace_id: trace_id.to_owned(), id: id.to_string(), properties: set(pairs) }
}

#[tokio::test]
async fn every_version_creates_reads_and_updates() {
    for version in [ApiVersion::V2026_09, ApiVersion::V2026_03, ApiVersion::V3] {
        let world = World::speaking(version);
        let client = &world.client;
        let input = new_contact("t1", &[("email", "Ann@b.co"), (TOTAL_PROGRESS, "3")]);
        let wrote = world.run(client.create(&[input])).await.unwrap();
        let id = wrote.written[0].id.clone();

        let emails = texts(&["ann@b.co", "nobody@b.co"]);
        let found = world.run(client.read_by_email(&emails, &[TOTAL_PROGRESS])).await.unwrap();
        assert_eq!(found.contacts[0].email.as_deref(), Some("ann@b.co"));
        assert_eq!(found.contacts[0].properties, set(&[(TOTAL_PROGRESS, "3")]));
        assert_eq!(found.missing, ["nobody@b.co"]);

        let input = update("t2", id.parse().unwrap(), &[(TOTAL_PROGRESS, "4")]);
        let wrote = world.run(client.update(&[input])).await.unwrap();
        assert_eq!(wrote.written[0].properties[TOTAL_PROGRESS], "4");
        let ids = [id.clone(), "999999".to_owned()];
        let found = world.run(client.read_by_id(&ids, &[TOTAL_PROGRESS])).await.unwrap();
        assert_eq!(found.contacts[0].properties, set(&[(TOTAL_PROGRESS, "4")]));
        assert_eq!(found.missing, ["999999"]);

        for (key, there) in [
            (ContactKey::Id(id), true),
            (ContactKey::Email("ANN@b.co".to_owned()), true),
            (ContactKey::Id("999999".to_owned()), false),
            (ContactKey::Email("nobody+x@b.co".to_owned()), false),
        ] {
            let contact = world.run(client.get(&key, &[TOTAL_PROGRESS])).await.unwrap();
            assert_eq!(contact.is_some_and(|c| c.has_email("ann@b.co")), there);
        }
    }
}

#[tokio::test]
async fn a_secondary_address_brings_the_contact_under_its_primary_one() {
    let world = World::new();
    let (kept, loser) = (world.add("kept@b.co"), world.add("old@b.co"));
    let survivor = world.portal.merge_contacts(world.clock.now(), kept, loser).unwrap();
    let emails = texts(&["old@b.co"]);
    let found = world.run(world.client.read_by_email(&emails, &[])).await.unwrap();
    let contact = &found.contacts[0];
    assert_eq!(contact.email.as_deref(), Some("kept@b.co"));
    assert!(contact.has_email("old@b.co"));
    assert_eq!(contact.id, survivor.to_string());
}

#[tokio::test]
async fn one_bad_input_is_named_and_the_others_are_written() {
    let world = World::new();
    let there = world.add("there@b.co");
    let inputs = [
        new_contact("t1", &[("email", "there@b.co")]),
        new_contact("t2", &[("email", "new@b.co"), (TOTAL_PROGRESS, "1")]),
        new_contact("t3", &[("email", "bad@b.co"), (LAST_VIEWED_TYPE, "video")]),
    ];
    let wrote = world.run(world.client.create(&inputs)).await.unwrap();
    assert_eq!(wrote.written.len(), 1);
    assert_eq!(world.held("new@b.co", TOTAL_PROGRESS).as_deref(), Some("1"));
    let of = |trace: &str| wrote.refused.iter().find(|r| r.trace_ids == [trace]).unwrap();
    assert_eq!(of("t1").existing_id, Some(there.to_string()));
    let option = (LAST_VIEWED_TYPE.to_owned(), "INVALID_OPTION".to_owned());
    assert_eq!(of("t3").properties, [option]);
}

#[tokio::test]
async fn an_id_that_was_merged_away_is_neither_written_nor_refused() {
    let world = World::new();
    let (kept, loser) = (world.add("kept@b.co"), world.add("old@b.co"));
    let other = world.add("other@b.co");
    world.portal.merge_contacts(world.clock.now(), kept, loser).unwrap();
    let inputs = [
        update("t1", loser, &[(TOTAL_PROGRESS, "1")]),
        update("t2", other, &[(TOTAL_PROGRESS, "2")]),
    ];
    let wrote = world.run(world.client.update(&inputs)).await.unwrap();
    let ids: Vec<&str> = wrote.written.iter().map(|written| written.id.as_str()).collect();
    assert_eq!((ids, wrote.refused), (vec![other.to_string().as_str()], Vec::new()));
}

#[tokio::test]
async fn a_write_that_may_have_been_applied_is_unknown_and_made_once() {
    for kind in [
        FaultKind::CutBefore,
        FaultKind::CutAfter,
        FaultKind::AppliedThen { status: 500 },
        FaultKind::AppliedThen { status: 503 },
        FaultKind::InternalError,
        FaultKind::Edge { status: 524 },
        FaultKind::Slow { wait_ms: 60_000 },
        FaultKind::LateLanding { after_ms: 5_000 },
    ] {
        let world = World::new();
        let id = world.add("ann@b.co");
        world.fault("batch/update", kind.clone(), 1);
        let (before, started) = (world.calls(), world.clock.uptime());
        let input = update("t1", id, &[(TOTAL_PROGRESS, "1")]);
        let fault = world.run(world.client.update(&[input])).await.unwrap_err();
        assert!(matches!(fault, CallFault::Unknown(_)), "{kind:?}: {fault:?}");
        assert_eq!(world.calls() - before, 1, "{kind:?}");
        assert!(world.clock.uptime() - started <= WRITE_WORST_CASE, "{kind:?}");
    }
}

#[tokio::test]
async fn a_write_that_never_left_is_made_once_more() {
    let world = World::new();
    let id = world.add("ann@b.co");
    world.fault("batch/update", FaultKind::Refused, 1);
    let input = update("t1", id, &[(TOTAL_PROGRESS, "1")]);
    world.run(world.client.update(std::slice::from_ref(&input))).await.unwrap();
    assert_eq!(world.held("ann@b.co", TOTAL_PROGRESS).as_deref(), Some("1"));

    world.fault("batch/update", FaultKind::Refused, 2);
    let before = world.pace.snapshot().calls;
    let fault = world.run(world.client.update(&[input])).await.unwrap_err();
    assert!(matches!(fault, CallFault::Transient { .. }), "{fault:?}");
    assert_eq!(world.pace.snapshot().calls - before, 2);
}

#[tokio::test]
async fn a_read_is_made_again_when_the_portal_is_away_for_a_moment() {
    for kind in [
        FaultKind::CutBefore,
        FaultKind::Refused,
        FaultKind::Edge { status: 502 },
        FaultKind::InternalError,
        FaultKind::Locked,
    ] {
        let world = World::new();
        world.add("ann@b.co");
        world.fault("batch/read", kind.clone(), 2);
        let emails = texts(&["ann@b.co"]);
        let found = world.run(world.client.read_by_email(&emails, &[])).await;
        assert_eq!(found.map(|found| found.contacts.len()), Ok(1), "{kind:?}");
    }
}

#[tokio::test]
async fn an_outage_is_probed_and_not_hammered() {
    let world = World::new();
    world.portal.set_fault(FaultRule::every(FaultKind::Slow { wait_ms: 100_000 }));
    let before = world.pace.snapshot().calls;
    let emails = texts(&["ann@b.co"]);
    for _ in 0..100 {
        let started = world.clock.uptime();
        let fault = world.run(world.client.read_by_email(&emails, &[])).await.unwrap_err();
        assert!(matches!(fault, CallFault::Transient { .. }), "{fault:?}");
        assert!(world.clock.uptime() - started <= READ_WORST_CASE);
    }
    // One attempt each, and the retries that were saved up.
    assert_eq!(world.pace.snapshot().calls - before, 110);
}

#[tokio::test]
async fn no_call_leaves_while_a_limit_is_waited_out() {
    #[track_caller]
    fn check(fault: &CallFault, policy: LimitPolicy, wait_s: u64) {
        let wait = Duration::from_secs(wait_s);
        assert_eq!(fault, &CallFault::Throttled { policy, wait });
    }
    let world = World::new();
    let emails = texts(&["ann@b.co"]);
    let read = async || world.run(world.client.read_by_email(&emails, &[])).await;

    world.fault("batch/read", FaultKind::TenSecondly, 1);
    check(&read().await.unwrap_err(), LimitPolicy::TenSecondly, 10);
    let (throttled_at, before) = (world.clock.uptime(), world.calls());
    read().await.unwrap();
    assert!(world.clock.uptime() - throttled_at >= Duration::from_secs(10));
    assert_eq!(world.calls() - before, 1);

    world.fault("batch/read", FaultKind::Daily, 1);
    check(&read().await.unwrap_err(), LimitPolicy::Daily, 3600);
    let before = world.calls();
    world.clock.advance(30 * MINUTE);
    check(&read().await.unwrap_err(), LimitPolicy::Daily, 1800);
    assert_eq!(world.calls(), before);
    world.clock.advance(30 * MINUTE);
    read().await.unwrap();
}

#[tokio::test]
async fn a_busy_client_stays_under_its_share_of_the_limit() {
    let world = World::new();
    let emails = texts(&["ann@b.co"]);
    for _ in 0..300 {
        world.run(world.client.read_by_email(&emails, &[])).await.unwrap();
    }
    let stats = world.portal.stats();
    assert_eq!(stats.throttled, 0);
    // 45 is its share; most of it must be used.
    assert!((40..=45).contains(&stats.peak_in_ten_seconds), "{stats:?}");
    assert!(world.pace.snapshot().window_remaining.is_some_and(|left| left >= 55));
}

/// A parameter store that holds one token.
struct Store(Mutex<String>);

#[async_trait]
impl ReadToken for Store {
    async fn read_token(&self, _name: &str) -> Result<String, String> {
        Ok(self.0.lock().unwrap().clone())
    }
}

#[tokio::test]
async fn a_rotated_token_is_picked_up_without_a_failed_call() {
    let store = Arc::new(Store(Mutex::new(LOCAL_TOKEN.to_owned())));
    let reader: Arc<dyn ReadToken> = Arc::clone(&store) as Arc<dyn ReadToken>;
    let world = World::with_token(ApiVersion::V2026_09, |clock| {
        TokenSource::named("/milepost/token", reader, clock)
    });
    let input = [new_contact("t1", &[("email", "ann@b.co")])];
    world.run(world.client.create(&input)).await.unwrap();

    world.clock.advance(MINUTE);
    world.portal.revoke(LOCAL_TOKEN);
    world.portal.grant("pat-na1-new", &[]);
    *store.0.lock().unwrap() = "pat-na1-new".to_owned();
    let input = [new_contact("t1", &[("email", "bob@b.co")])];
    let wrote = world.run(world.client.create(&input)).await.unwrap();
    assert_eq!(wrote.written.len(), 1);

    world.portal.revoke("pat-na1-new");
    let fault = world.run(world.client.create(&input)).await.unwrap_err();
    assert_eq!(fault, CallFault::Portal(PortalFault::Unauthorized));
}

#[tokio::test]
async fn a_missing_scope_or_property_is_the_portals_fault() {
    let world = World::new();
    let id = world.add("ann@b.co");
    let input = [update("t1", id, &[(TOTAL_PROGRESS, "1"), (PROGRESS_SUMMARY, "x")])];
    world.fault("batch/update", FaultKind::Forbidden, 1);
    let fault = world.run(world.client.update(&input)).await.unwrap_err();
    let is_scope =
        matches!(&fault, CallFault::Portal(PortalFault::MissingScope(s)) if s.contains("contacts"));
    assert!(is_scope, "{fault:?}");

    world.portal.archive_property(world.clock.now(), PROGRESS_SUMMARY);
    let wrote = world.run(world.client.update(&input)).await;
    let named = match &wrote {
        Ok(wrote) => wrote.refused.iter().find_map(|refusal| refusal.undefined_property()),
        Err(CallFault::Portal(PortalFault::UnknownProperty(name))) => Some(name.as_str()),
        Err(_) => None,
    };
    assert_eq!(named, Some(PROGRESS_SUMMARY), "{wrote:?}");
}

#[tokio::test]
async fn a_batch_of_a_hundred_is_one_call_and_an_empty_one_is_none() {
    let world = World::new();
    let emails: Vec<String> = (0..BATCH_MAX).map(|n| format!("p{n}@b.co")).collect();
    let inputs: Vec<NewContact> =
        (0..BATCH_MAX).map(|n| new_contact(&format!("t{n}"), &[("email", &emails[n])])).collect();
    let wrote = world.run(world.client.create(&inputs)).await.unwrap();
    assert_eq!(wrote.written.len(), BATCH_MAX);
    let found = world.run(world.client.read_by_email(&emails, &[])).await.unwrap();
    assert_eq!(found.contacts.len(), BATCH_MAX);
    assert_eq!(world.calls(), 2);
    world.run(world.client.create(&[])).await.unwrap();
    world.run(world.client.read_by_id(&[], &[])).await.unwrap();
    assert_eq!(world.calls(), 2);
}

#[tokio::test]
async fn an_undefined_property_is_not_read_and_hinders_no_read() {
    let world = World::new();
    world.add("ann@b.co");
    let emails = texts(&["ann@b.co"]);
    let found = world.run(world.client.read_by_email(&emails, &["not_there"])).await.unwrap();
    assert_eq!(found.contacts[0].properties, BTreeMap::new());
}
