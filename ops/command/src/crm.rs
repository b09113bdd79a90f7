//! HubSpot, for commands that ask it themselves: the client, made from the environment.
//!
//! A command of a few calls may use the whole pace. One that may make thousands uses what the workers
//! leave: the headroom.

use std::sync::Arc;
use std::time::Duration;

use host::clock::SystemClock;
use host::entropy::SystemEntropy;
use host::environment;
use hubspot::Client;
use hubspot::fault::{CallFault, LimitPolicy, PortalFault};
use hubspot::pace::{Pace, PaceSettings};
use hubspot::token::TokenSource;
use hubspot::transport::Dial;
use shared::ports::{Clock, Entropy};
use shared::settings::{self, Token};
use signed::{ParameterStore, Trust};

use crate::ending::Stopped;

/// How often a call is tried that HubSpot can't answer just now.
const TRIES_MAX: u32 = 5;
/// The least and the most wait before it is made again.
const TRY_AGAIN: Duration = Duration::from_secs(2);
const WAIT_MAX: Duration = Duration::from_secs(60);

/// HubSpot, and the clock to wait for it with.
pub struct Crm {
    /// The client.
    pub client: Client,
    /// Its pace, which knows what HubSpot's last answer said of the limits.
    pub pace: Arc<Pace>,
    /// The machine's clock.
    pub clock: Arc<dyn Clock>,
    /// The machine's random numbers.
    pub entropy: Arc<dyn Entropy>,
}

impl Crm {
    /// Makes a read, and tries again while HubSpot can't answer just now: a walk over a whole portal
    /// meets that.
    ///
    /// # Errors
    /// [`Stopped::OtherSide`].
    pub async fn patiently<T>(
        &self,
        call: impl AsyncFn() -> Result<T, CallFault>,
    ) -> Result<T, Stopped> {
        for _ in 1..TRIES_MAX {
            let wait = match call().await {
                Err(CallFault::Transient { wait, .. }) => wait,
                Err(CallFault::Throttled { policy, wait }) if policy != LimitPolicy::Daily => wait,
                answer => return answer.map_err(|fault| stopped(&fault)),
            };
            self.clock.sleep(wait.clamp(TRY_AGAIN, WAIT_MAX)).await;
        }
        call().await.map_err(|fault| stopped(&fault))
    }
}

/// Makes the client that the environment describes.
///
/// # Errors
/// [`Stopped::Usage`], for a variable that is missing or wrong.
pub fn from_environment() -> Result<Crm, Stopped> {
    // The few calls of a person at a terminal are what the headroom is for.
    made(|settings| settings.headroom)
}

/// The same, for many calls beside workers that use their share: at the pace of the headroom, and
/// one call a window where there is none.
///
/// # Errors
/// As [`from_environment`].
pub fn beside_workers() -> Result<Crm, Stopped> {
    made(|settings| 1.0 - settings.headroom.max(1.0 / f64::from(settings.burst_limit.max(1))))
}

/// `left`: the share of the limit that is left to others.
fn made(left: impl Fn(&settings::HubSpot) -> f64) -> Result<Crm, Stopped> {
    let settings = settings::HubSpot::from_lookup(&environment::lookup)?;
    let usage = |problem: &dyn std::fmt::Display| Stopped::Usage(problem.to_string());
    let version = settings.api_version.parse().map_err(|_| {
        Stopped::Usage("HUBSPOT_API_VERSION is not a version that Milepost speaks".into())
    })?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let entropy: Arc<dyn Entropy> =
        Arc::new(SystemEntropy::seeded().map_err(|fault| usage(&fault))?);
    let pace_settings = PaceSettings {
        burst_limit: settings.burst_limit,
        headroom: left(&settings),
        workers: 1,
        day_begins_at: None,
    };
    let pace = Pace::new(pace_settings, clock.clone(), entropy.clone());
    let pace = Arc::new(pace.map_err(|fault| usage(&fault))?);
    let dial = Dial::new(&settings.base_url).map_err(|fault| usage(&fault))?;
    let token = match &settings.token {
        Token::Fixed(token) => TokenSource::fixed(token),
        Token::Parameter(name) => {
            let store = ParameterStore::from_lookup(
                &environment::lookup,
                Trust::System,
                clock.clone(),
                entropy.clone(),
            );
            TokenSource::named(name, Arc::new(store), clock.clone())
        }
    };
    let client = Client::new(Arc::new(dial), Arc::new(token), pace.clone(), clock.clone(), version);
    Ok(Crm { client, pace, clock, entropy })
}

/// A call's failure, as what stops a command, with a hint.
pub fn stopped(fault: &CallFault) -> Stopped {
    Stopped::OtherSide(told(fault))
}

/// A call's failure in words, with a hint.
pub fn told(fault: &CallFault) -> String {
    let hint = match fault {
        CallFault::Portal(PortalFault::Unauthorized) => {
            "check HUBSPOT_PRIVATE_APP_TOKEN (or what HUBSPOT_TOKEN_PARAMETER names)"
        }
        CallFault::Portal(PortalFault::MissingScope(_)) => {
            "give the private app that scope, in HubSpot's settings"
        }
        CallFault::Portal(PortalFault::UnknownPath(_)) => {
            "check HUBSPOT_BASE_URL and HUBSPOT_API_VERSION"
        }
        CallFault::Transient { .. } | CallFault::Throttled { .. } => "try again in a minute",
        CallFault::Unknown(_) => "run the command again: what is there stays as it is",
        CallFault::Portal(_) | CallFault::Request(_) => return fault.to_string(),
    };
    format!("{fault}; hint: {hint}")
}
