//! HubSpot, for commands that ask it themselves: the client, made from the environment.

use std::sync::Arc;

use host::clock::SystemClock;
use host::entropy::SystemEntropy;
use host::environment;
use hubspot::Client;
use hubspot::fault::{CallFault, PortalFault};
use hubspot::pace::{Pace, PaceSettings};
use hubspot::token::TokenSource;
use hubspot::transport::Dial;
use shared::ports::Clock;
use shared::settings::{self, Token};
use ssm::ParameterStore;

use crate::ending::Stopped;

/// HubSpot, and the clock to wait for it with.
pub(crate) struct Crm {
    /// The client.
    pub(crate) client: Client,
    /// The machine's clock.
    pub(crate) clock: Arc<dyn Clock>,
}

/// Makes the client that the environment describes.
///
/// # Errors
/// [`Stopped::Usage`], for a variable that is missing or wrong.
pub(crate) fn from_environment() -> Result<Crm, Stopped> {
    let settings = settings::HubSpot::from_lookup(&environment::lookup)?;
    let usage = |problem: &dyn std::fmt::Display| Stopped::Usage(problem.to_string());
    let version = settings.api_version.parse().map_err(|_| {
        Stopped::Usage("HUBSPOT_API_VERSION is no version that Milepost speaks".into())
    })?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let entropy = SystemEntropy::seeded().map_err(|fault| usage(&fault))?;
    let pace_settings = PaceSettings {
        burst_limit: settings.burst_limit,
        headroom: settings.headroom,
        // The few calls of a person at a terminal are what the headroom is for.
        workers: 1,
        day_begins_at: None,
    };
    let pace = Pace::new(pace_settings, clock.clone(), Arc::new(entropy));
    let pace = Arc::new(pace.map_err(|fault| usage(&fault))?);
    let dial = Dial::new(&settings.base_url).map_err(|fault| usage(&fault))?;
    let token = match &settings.token {
        Token::Fixed(token) => TokenSource::fixed(token),
        Token::Parameter(name) => {
            let store = Arc::new(ParameterStore::from_lookup(&environment::lookup));
            TokenSource::named(name, store, clock.clone())
        }
    };
    let client = Client::new(Arc::new(dial), Arc::new(token), pace, clock.clone(), version);
    Ok(Crm { client, clock })
}

/// What a call's failure is to a command, with what can be done about it.
pub(crate) fn stopped(fault: &CallFault) -> Stopped {
    Stopped::OtherSide(told(fault))
}

/// A call's failure, with what can be done about it.
pub(crate) fn told(fault: &CallFault) -> String {
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
        CallFault::Moment { .. } | CallFault::Throttled { .. } => "try again in a minute",
        CallFault::Unknown(_) => "run the command again: what is there stays as it is",
        CallFault::Portal(_) | CallFault::Request(_) => return fault.to_string(),
    };
    format!("{fault}; hint: {hint}")
}
