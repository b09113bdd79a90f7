//! A stack that really runs: HTTP over loopback and real time; all in memory, or in a folder.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use console::access::Keys;
use host::clock::SystemClock;
use local::stack::{Crm, Stack, StackSettings};
use serde_json::{Value, json};
use shared::catalog::Catalog;
use shared::ports::Clock;
use shared::settings;
use simulator::{LOCAL_TOKEN, Portal};

use simulation::entropy::SeededEntropy;
use simulation::journal::KeptJournal;

/// How long a test waits for what must happen within a few seconds; machines are slow at times.
const PATIENCE: Duration = Duration::from_secs(30);

/// The stack with what a test needs to talk to it.
pub struct Running {
    /// The stack.
    pub stack: Stack,
    /// Its HubSpot.
    pub portal: Arc<Portal>,
    /// What it said.
    pub journal: Arc<KeptJournal>,
    /// Real time.
    pub clock: Arc<dyn Clock>,
    http: reqwest::Client,
}

impl Running {
    /// Starts a stack with this catalog on free ports.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(catalog: Catalog) -> Self {
        Self::start_with(catalog, Arc::new(KeptJournal::default())).await
    }

    /// Starts a stack that tells this journal what it does.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_with(catalog: Catalog, journal: Arc<KeptJournal>) -> Self {
        Self::start_on(None, catalog, journal).await
    }

    /// Starts a stack that keeps queue and portal in this folder.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_in(folder: &Path, catalog: Catalog) -> Self {
        Self::start_on(Some(folder.to_owned()), catalog, Arc::default()).await
    }

    #[expect(clippy::unwrap_used, clippy::expect_used, reason = "a test without a stack fails")]
    async fn start_on(data: Option<PathBuf>, catalog: Catalog, journal: Arc<KeptJournal>) -> Self {
        let lookup = |name: &str| match name {
            "ENABLE_CRM_PROGRESS" => Some("true".to_owned()),
            "HUBSPOT_PRIVATE_APP_TOKEN" => Some(LOCAL_TOKEN.to_owned()),
            "HUBSPOT_BURST_LIMIT" => Some("250".to_owned()),
            "QUARANTINE_S" => Some("1".to_owned()),
            _ => None,
        };
        // A second test in the same process finds it installed.
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let settings = StackSettings {
            listen: free,
            crm: Crm::Simulated { listen: free },
            data,
            door: settings::Door::from_lookup(&lookup).unwrap(),
            worker: settings::Worker::from_lookup(&lookup).unwrap(),
            hubspot: settings::HubSpot::from_lookup(&lookup).unwrap(),
            catalog,
            coalescing_window: Duration::from_millis(200),
            console: Keys { token: None, secret: [7; 32] },
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let entropy = Arc::new(SeededEntropy::new(1));
        let stack = Stack::start(settings, clock.clone(), entropy, journal.clone()).await.unwrap();
        let portal = stack.portal().expect("the simulator is in the stack").clone();
        Self { stack, portal, journal, clock, http: reqwest::Client::new() }
    }

    /// Posts a text to `/events/track`, and gives status and JSON answer.
    ///
    /// # Panics
    /// When there is no JSON answer.
    #[expect(clippy::unwrap_used, reason = "no answer fails the test")]
    pub async fn post(&self, body: String) -> (u16, Value) {
        let url = format!("{}/events/track", self.stack.urls().api);
        let request = self.http.post(url).header("content-type", "application/json").body(body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    }

    /// Gets a path, and gives status and JSON answer.
    ///
    /// # Panics
    /// When there is no JSON answer.
    #[expect(clippy::unwrap_used, reason = "no answer fails the test")]
    pub async fn get(&self, path_and_query: &str) -> (u16, Value) {
        let url = format!("{}{path_and_query}", self.stack.urls().api);
        let answer = self.http.get(url).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    }

    /// Waits until this property of this contact has this value.
    ///
    /// # Panics
    /// When it has not after half a minute.
    pub async fn until_held(&self, email: &str, name: &str, value: &str) {
        let held = || {
            let contact = self.portal.contact_by_email(email)?;
            Some(contact.properties.get(name).cloned().unwrap_or_default())
        };
        let is_held = || held().is_some_and(|held| held == value);
        self.until(is_held, || format!("{name}: {:?} is not {value}", held())).await;
    }

    /// Waits until this is so.
    ///
    /// # Panics
    /// When it is not after half a minute.
    pub async fn until(&self, is_so: impl Fn() -> bool, otherwise: impl Fn() -> String) {
        let begun_at = self.clock.uptime();
        while !is_so() {
            assert!(self.clock.uptime() - begun_at < PATIENCE, "{}", otherwise());
            self.clock.sleep(Duration::from_millis(20)).await;
        }
    }

    /// Adds a contact to the portal; gives its id.
    ///
    /// # Panics
    /// When the portal refuses it.
    #[expect(clippy::unwrap_used, reason = "a contact that can't be there fails the test")]
    pub fn add(&self, properties: &Value) -> u64 {
        let properties = serde_json::from_value(json!(properties)).unwrap();
        self.portal.add_contact(self.clock.now(), &properties).unwrap()
    }

    /// Waits until the queue is empty.
    ///
    /// # Panics
    /// When it is not after half a minute.
    #[expect(clippy::unwrap_used, reason = "a queue that does not answer fails the test")]
    pub async fn until_at_rest(&self) {
        let begun_at = self.clock.uptime();
        loop {
            let depth = self.stack.queues().events().depth().await.unwrap();
            if depth.total() == 0 {
                return;
            }
            assert!(self.clock.uptime() - begun_at < PATIENCE, "still {depth:?}");
            self.clock.sleep(Duration::from_millis(50)).await;
        }
    }

    /// Adds an option to the last viewed type, over the simulator's HTTP door.
    ///
    /// # Panics
    /// When the portal refuses it.
    #[expect(clippy::unwrap_used, reason = "a portal that can't be set up fails the test")]
    pub async fn allow_view_type(&self, value: &str) {
        let portal = self.stack.urls().portal.clone().unwrap();
        let url = format!("{portal}/crm/properties/2026-09/contacts/hhl_last_viewed_type");
        let options: Vec<Value> = ["course", "module", "pathway", value]
            .iter()
            .map(|value| json!({ "label": value, "value": value, "hidden": false }))
            .collect();
        let body = json!({ "options": options }).to_string();
        let request = self.http.patch(url).bearer_auth(LOCAL_TOKEN).body(body);
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
}
