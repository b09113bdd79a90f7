//! A stack in this process on time that can be moved on, with its simulated HubSpot; and whoever
//! watches it: the template's alarms over its figures, its console, and the command line.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use console::access::Keys;
use host::catalog_folder;
use host::clock::SystemClock;
use host::entropy::SystemEntropy;
use local::stack::{Crm, Stack, StackSettings};
use reqwest::{Client, Method};
use serde_json::Value;
use shared::ports::Clock as _;
use shared::settings;
use simulator::LOCAL_TOKEN;
use tempfile::TempDir;
use tests::late_clock::LateClock;
use tests::metrics::alarm::gone_off;
use tests::metrics::watch::{KeptJournal, Watch};

use crate::contacts::{Contacts, in_simulator};
use crate::ledger::{Count, Event, Ledger};
use crate::process::{PATIENCE, client, get};
use crate::shell::Shell;

/// How long the stack may work after each step of time. What it has not done by then, it does during
/// the next.
const REST: Duration = Duration::from_millis(8);
/// What the stack has unless told otherwise; the commands have it too.
const USUAL: [(&str, &str); 4] = [
    ("ENABLE_CRM_PROGRESS", "true"),
    ("HUBSPOT_BURST_LIMIT", "250"),
    ("HUBSPOT_HEADROOM", "0.5"),
    ("QUARANTINE_S", "1"),
];
const MINUTE: Duration = Duration::from_secs(60);

/// A stack and its surroundings.
pub(crate) struct Site {
    pub(crate) stack: Stack,
    pub(crate) shell: Shell,
    pub(crate) ledger: Ledger,
    pub(crate) journal: Arc<KeptJournal>,
    /// How far time is moved on at once; a part of a minute.
    pub(crate) step: Duration,
    clock: Arc<LateClock>,
    watch: Watch,
    client: Client,
    _data: TempDir,
}

impl Site {
    /// Starts a stack so many minutes ago.
    pub(crate) async fn since(minutes: u32) -> Self {
        Self::with(minutes, &[]).await
    }

    /// The same, with these variables beside the usual ones, for the commands too.
    pub(crate) async fn with(minutes: u32, variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().chain(&USUAL);
        let lookup = |name: &str| match name {
            "HUBSPOT_PRIVATE_APP_TOKEN" => Some(LOCAL_TOKEN.to_owned()),
            name => variables.clone().find(|(one, _)| *one == name).map(|(_, v)| (*v).to_owned()),
        };
        let client = client();
        let data = tempfile::tempdir().unwrap();
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let settings = StackSettings {
            listen: free,
            crm: Crm::Simulated { listen: free },
            data: Some(data.path().to_owned()),
            door: settings::Door::from_lookup(&lookup).unwrap(),
            worker: settings::Worker::from_lookup(&lookup).unwrap(),
            hubspot: settings::HubSpot::from_lookup(&lookup).unwrap(),
            catalog: catalog_folder::load("../catalog".as_ref()).unwrap().0,
            coalescing_window: Duration::ZERO,
            console: Keys { token: None, secret: [7; 32] },
        };
        let burst_limit = settings.hubspot.burst_limit;
        let clock = Arc::new(LateClock::by(MINUTE * minutes));
        let entropy = Arc::new(SystemEntropy::seeded().unwrap());
        let journal = Arc::new(KeptJournal::default());
        let stack = Stack::start(settings, clock.clone(), entropy, journal.clone()).await.unwrap();
        // The portal's plan is what the settings say.
        stack.portal().unwrap().set(|settings| settings.burst_max = burst_limit);
        let portal = stack.urls().portal.clone().unwrap();
        let mut shell = Shell::new(data.path(), &portal, LOCAL_TOKEN);
        // Of two variables of one name a command has the later one.
        let variables = variables.rev().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        shell.variables.extend(variables);
        let (ledger, watch) = (Ledger::default(), Watch::default());
        let step = Duration::from_secs(20);
        let site = Self { stack, shell, ledger, journal, step, clock, watch, client, _data: data };
        site.correct_the_portals_date();
        site
    }

    /// The simulator's address.
    pub(crate) fn portal(&self) -> &str {
        self.stack.urls().portal.as_deref().unwrap()
    }

    /// Something happens in the portal, through its admin door.
    pub(crate) async fn in_portal(&self, method: Method, path: &str, body: Value) -> Value {
        in_portal(&self.client, self.portal(), method, path, body).await
    }

    /// Sends events, each of which is accepted.
    pub(crate) async fn track(&mut self, events: Vec<Event>) {
        let api = &self.stack.urls().api;
        self.ledger.track(&self.client, api, events).await;
    }

    /// Lets minutes pass, and looks at the figures after each.
    pub(crate) async fn minutes(&mut self, minutes: usize) {
        for _ in 0..minutes {
            for _ in 0..MINUTE.as_secs() / self.step.as_secs() {
                self.step().await;
            }
            let Self { journal, clock, stack, watch, .. } = self;
            watch.minute_passed(journal, stack.queues(), &**clock).await;
        }
    }

    async fn step(&self) {
        self.clock.move_on(self.step);
        self.correct_the_portals_date();
        self.clock.rest(REST).await;
        // A disk that is slow just now holds up the stack, and so it must hold up time.
        self.stack.queues().events().depth().await.unwrap();
    }

    /// Lets time pass until the queue is empty.
    pub(crate) async fn come_to_rest(&self) {
        let begun = SystemClock::start();
        loop {
            let depth = self.stack.queues().events().depth().await.unwrap();
            if depth.total() == 0 {
                return;
            }
            assert!(begun.uptime() < PATIENCE, "still {depth:?}");
            if self.clock.late_by() > self.step {
                self.step().await;
            } else {
                self.clock.rest(REST).await;
            }
        }
    }

    /// From now on the stack has the machine's time, so that messages of commands are there at once.
    pub(crate) fn catch_up(&self) {
        self.clock.move_on(self.clock.late_by());
        self.correct_the_portals_date();
    }

    /// HubSpot's clock is right. The simulator has the stack's, which is late.
    fn correct_the_portals_date(&self) {
        let late_by_ms = i64::try_from(self.clock.late_by().as_millis()).unwrap();
        self.stack.portal().unwrap().set(|settings| settings.clock_skew_ms = late_by_ms);
    }

    /// The time by the stack's clock.
    pub(crate) fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock.now()
    }

    /// The alarms that are still on.
    pub(crate) fn alarms_on(&self) -> BTreeSet<String> {
        gone_off(&self.watch.recording).1
    }

    /// Fails unless the console shows all of this.
    pub(crate) async fn console_shows(&self, shown: &[&str]) {
        console_shows(&self.client, &self.stack.urls().api, shown).await;
    }

    /// What the contacts are.
    pub(crate) async fn contacts(&self) -> Contacts {
        in_simulator(&self.client, self.portal()).await
    }

    /// A contact of the portal, by its address.
    pub(crate) async fn contact(&self, email: &str) -> Value {
        let url = format!("{}/_portal/contacts?limit=1000", self.portal());
        let all = get(&self.client, &url).await;
        let mut all = all["contacts"].as_array().unwrap().iter();
        all.find(|contact| contact["email"] == email).expect(email).clone()
    }

    /// Where the accepted events stand.
    pub(crate) async fn count(&self) -> Count {
        let depth = self.stack.queues().events().depth().await.unwrap();
        assert_eq!(depth.total(), 0, "events still wait");
        self.ledger.count(&self.contacts().await, &self.shell.letters().await)
    }
}

/// Something happens in a portal, through its admin door.
pub(crate) async fn in_portal(
    client: &Client,
    portal: &str,
    method: Method,
    path: &str,
    body: Value,
) -> Value {
    let request = client
        .request(method, format!("{portal}/_portal/{path}"))
        .header("content-type", "application/json")
        .body(body.to_string());
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let body = answer.bytes().await.unwrap();
    assert!(status.is_success(), "{path}: {status}");
    serde_json::from_slice(&body).unwrap_or_default()
}

/// Fails unless the console of a stack shows all of this.
pub(crate) async fn console_shows(client: &Client, api: &str, shown: &[&str]) {
    let page = client.get(format!("{api}/")).send().await.unwrap().bytes().await.unwrap();
    let page = String::from_utf8(page.to_vec()).unwrap();
    for shown in shown {
        assert!(page.contains(shown), "{shown} is not on the page: {page}");
    }
}
