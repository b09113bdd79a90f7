//! Every environment variable: its default, its check, and the one line that says what is wrong.
//!
//! A lookup comes in, settings go out. Each binary asks for its own part, so that an ingest
//! without a HubSpot token starts, and a worker without one does not.

use std::time::Duration;

use crate::http::Cors;
use crate::identity::Policy;

/// Where the variables come from: the environment, or a test's table.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A variable that is missing or wrong. Its text is the line that a start stops with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} {problem}; hint: set it to {should}")]
pub struct WrongSetting {
    /// The variable.
    pub name: &'static str,
    /// `is missing`, or what is wrong with it. Never its value: it may be a secret.
    pub problem: &'static str,
    /// What it should be.
    pub should: &'static str,
}

/// What decides who an event or a question is about.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// `IDENTITY_POLICY`
    pub policy: Policy,
    /// `JWT_SECRET`
    pub jwt_secret: Option<String>,
}

/// What every door needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// `ENABLE_CRM_PROGRESS`: off means anonymous answers.
    pub is_enabled: bool,
    /// `ALLOWED_ORIGINS`
    pub cors: Cors,
    /// `IDENTITY_POLICY`, `JWT_SECRET`
    pub identity: Identity,
    /// `PROGRESS_BACKEND`
    pub backend: Backend,
}

/// `PROGRESS_BACKEND`: where the worker writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Contact properties.
    Properties,
    /// HubSpot custom behavioral events.
    Events,
}

/// The queues by URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueUrls {
    /// `QUEUE_URL`
    pub events: String,
    /// `DLQ_URL`
    pub dead_letters: String,
}

/// How to reach HubSpot, and how much of it is ours.
#[derive(Debug, Clone, PartialEq)]
pub struct HubSpot {
    /// `HUBSPOT_BASE_URL`
    pub base_url: String,
    /// `HUBSPOT_API_VERSION`
    pub api_version: String,
    /// `HUBSPOT_PRIVATE_APP_TOKEN` or `HUBSPOT_TOKEN_PARAMETER`
    pub token: Token,
    /// `HUBSPOT_BURST_LIMIT`: requests in any rolling 10 s.
    pub burst_limit: u32,
    /// `HUBSPOT_HEADROOM`: the share of the limit that is left to others, 0 to 0.9.
    pub headroom: f64,
}

/// Where the HubSpot token comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Token {
    /// The token itself.
    Fixed(String),
    /// The SSM parameter (or Secrets Manager secret) it is read from at run time.
    Parameter(String),
}

/// What the worker works by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// `ENABLE_CRM_PROGRESS`: off writes nothing and loses nothing.
    pub is_enabled: bool,
    /// `PROGRESS_BACKEND`
    pub backend: Backend,
    /// `QUARANTINE_S`
    pub quarantine: Duration,
    /// `WORKER_CONCURRENCY`: how many workers share the limit.
    pub concurrency: u32,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// A person is needed.
    Error,
    /// Nothing is lost, but look.
    Warn,
    /// One line a request and a contact.
    Info,
    /// What needed no write, too.
    Debug,
}

/// What every process has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// `APP_STAGE`
    pub stage: String,
    /// `LOG_LEVEL`
    pub log_level: LogLevel,
}

impl Door {
    /// Reads a door's variables.
    ///
    /// # Errors
    /// [`WrongSetting`].
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, WrongSetting> {
        let origins = text(lookup, "ALLOWED_ORIGINS")
            .unwrap_or_else(|| "https://hedgehog.cloud,https://www.hedgehog.cloud".into());
        let origins: Vec<String> =
            origins.split(',').map(|o| o.trim().to_owned()).filter(|o| !o.is_empty()).collect();
        let is_origin = |origin: &String| {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' ']))
        };
        if !origins.iter().all(is_origin) {
            return Err(WrongSetting {
                name: "ALLOWED_ORIGINS",
                problem: "holds something that is no origin",
                should: "a comma-separated list like https://hedgehog.cloud,https://www.hedgehog.cloud",
            });
        }
        Ok(Self {
            is_enabled: is_enabled(lookup)?,
            cors: Cors { origins },
            identity: Identity::from_lookup(lookup)?,
            backend: backend(lookup)?,
        })
    }
}

impl Identity {
    fn from_lookup(lookup: Lookup<'_>) -> Result<Self, WrongSetting> {
        let jwt_secret = text(lookup, "JWT_SECRET");
        let policy = match text(lookup, "IDENTITY_POLICY").as_deref() {
            None | Some("open") => Policy::Open,
            Some("signed") => Policy::Signed,
            Some(_) => {
                return Err(WrongSetting {
                    name: "IDENTITY_POLICY",
                    problem: "is no policy",
                    should: "open or signed",
                });
            }
        };
        if policy == Policy::Signed && jwt_secret.is_none() {
            return Err(WrongSetting {
                name: "JWT_SECRET",
                problem: "is missing, and IDENTITY_POLICY is signed",
                should: "the secret that the site signs its tokens with",
            });
        }
        // The public half of a key is known to everybody: whoever signs by HMAC with its text would
        // be believed.
        if jwt_secret.as_ref().is_some_and(|secret| secret.contains("-----BEGIN")) {
            return Err(WrongSetting {
                name: "JWT_SECRET",
                problem: "is a key or a certificate",
                should: "a secret that only the site knows: tokens are signed by HS256",
            });
        }
        Ok(Self { policy, jwt_secret })
    }
}

impl QueueUrls {
    /// Reads `QUEUE_URL` alone: what ingest needs.
    ///
    /// # Errors
    /// [`WrongSetting`].
    pub fn events_from_lookup(lookup: Lookup<'_>) -> Result<String, WrongSetting> {
        url(lookup, "QUEUE_URL", "the URL of events.fifo")
    }

    /// Reads both: what the worker and operators need.
    ///
    /// # Errors
    /// [`WrongSetting`].
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, WrongSetting> {
        Ok(Self {
            events: Self::events_from_lookup(lookup)?,
            dead_letters: url(lookup, "DLQ_URL", "the URL of events-dlq.fifo")?,
        })
    }
}

impl HubSpot {
    /// HubSpot's API.
    pub const BASE_URL: &'static str = "https://api.hubapi.com";

    /// Reads how to reach HubSpot.
    ///
    /// # Errors
    /// [`WrongSetting`].
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, WrongSetting> {
        let token = match (
            text(lookup, "HUBSPOT_PRIVATE_APP_TOKEN"),
            text(lookup, "HUBSPOT_TOKEN_PARAMETER"),
        ) {
            (Some(token), _) => Token::Fixed(token),
            (None, Some(name)) => Token::Parameter(name),
            (None, None) => {
                return Err(WrongSetting {
                    name: "HUBSPOT_PRIVATE_APP_TOKEN",
                    problem: "is missing, and so is HUBSPOT_TOKEN_PARAMETER",
                    should: "the private app's token, or the parameter to the name it is stored under",
                });
            }
        };
        let api_version = text(lookup, "HUBSPOT_API_VERSION").unwrap_or_else(|| "2026-09".into());
        if !["2026-09", "2026-03", "v3"].contains(&api_version.as_str()) {
            return Err(WrongSetting {
                name: "HUBSPOT_API_VERSION",
                problem: "is no version that Milepost speaks",
                should: "2026-09, 2026-03 or v3",
            });
        }
        let base_url = match text(lookup, "HUBSPOT_BASE_URL") {
            None => Self::BASE_URL.to_owned(),
            Some(_) => url(lookup, "HUBSPOT_BASE_URL", "an http or https URL without a path")?,
        };
        let burst_limit = number(
            lookup,
            "HUBSPOT_BURST_LIMIT",
            100,
            |limit| (5..=1_000).contains(&limit),
            "requests per 10 s, a whole number from 5 to 1000: 100, 190 or 250 by the portal's plan",
        )?;
        let headroom = number(
            lookup,
            "HUBSPOT_HEADROOM",
            0.1,
            |share| (0.0..=0.9).contains(&share),
            "a share from 0 to 0.9",
        )?;
        Ok(Self { base_url, api_version, token, burst_limit, headroom })
    }
}

impl Worker {
    /// Reads what the worker works by.
    ///
    /// # Errors
    /// [`WrongSetting`].
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, WrongSetting> {
        let quarantine_s = number(
            lookup,
            "QUARANTINE_S",
            30,
            |s| (1..=900).contains(&s),
            "seconds, a whole number from 1 to 900",
        )?;
        let concurrency = number(
            lookup,
            "WORKER_CONCURRENCY",
            2,
            |n| (1..=1_000).contains(&n),
            "how many workers share the limit, a whole number from 1 to 1000",
        )?;
        Ok(Self {
            is_enabled: is_enabled(lookup)?,
            backend: backend(lookup)?,
            quarantine: Duration::from_secs(quarantine_s),
            concurrency,
        })
    }
}

impl Process {
    /// Reads what every process has.
    ///
    /// # Errors
    /// [`WrongSetting`].
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, WrongSetting> {
        let log_level = match text(lookup, "LOG_LEVEL").map(|l| l.to_lowercase()).as_deref() {
            Some("error") => LogLevel::Error,
            Some("warn") => LogLevel::Warn,
            None | Some("info") => LogLevel::Info,
            Some("debug") => LogLevel::Debug,
            Some(_) => {
                return Err(WrongSetting {
                    name: "LOG_LEVEL",
                    problem: "is no level",
                    should: "error, warn, info or debug",
                });
            }
        };
        Ok(Self { stage: text(lookup, "APP_STAGE").unwrap_or_else(|| "dev".into()), log_level })
    }
}

/// `MILEPOST_CONSOLE_TOKEN`: what one must know to open the console; `None` if it is not set.
///
/// # Errors
/// [`WrongSetting`], for one that is too short to keep anybody out.
pub fn console_token(lookup: Lookup<'_>) -> Result<Option<String>, WrongSetting> {
    const CHARS_MIN: usize = 16;
    match text(lookup, "MILEPOST_CONSOLE_TOKEN") {
        Some(token) if token.chars().count() < CHARS_MIN => Err(WrongSetting {
            name: "MILEPOST_CONSOLE_TOKEN",
            problem: "is too short",
            should: "16 characters or more",
        }),
        token => Ok(token),
    }
}

/// Reads `CATALOG_PATH`.
pub fn catalog_path(lookup: Lookup<'_>, default: &str) -> String {
    text(lookup, "CATALOG_PATH").unwrap_or_else(|| default.to_owned())
}

fn is_enabled(lookup: Lookup<'_>) -> Result<bool, WrongSetting> {
    match text(lookup, "ENABLE_CRM_PROGRESS").as_deref() {
        Some("true") => Ok(true),
        None | Some("false") => Ok(false),
        Some(_) => Err(WrongSetting {
            name: "ENABLE_CRM_PROGRESS",
            problem: "is neither true nor false",
            should: "true or false",
        }),
    }
}

fn backend(lookup: Lookup<'_>) -> Result<Backend, WrongSetting> {
    match text(lookup, "PROGRESS_BACKEND").as_deref() {
        None | Some("properties") => Ok(Backend::Properties),
        Some("events") => Ok(Backend::Events),
        Some(_) => Err(WrongSetting {
            name: "PROGRESS_BACKEND",
            problem: "is no backend",
            should: "properties or events",
        }),
    }
}

fn url(
    lookup: Lookup<'_>,
    name: &'static str,
    should: &'static str,
) -> Result<String, WrongSetting> {
    let url = text(lookup, name).ok_or(WrongSetting { name, problem: "is missing", should })?;
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
        return Err(WrongSetting { name, problem: "is no URL", should });
    }
    Ok(url.trim_end_matches('/').to_owned())
}

fn number<T: std::str::FromStr + Copy>(
    lookup: Lookup<'_>,
    name: &'static str,
    default: T,
    fits: impl Fn(T) -> bool,
    should: &'static str,
) -> Result<T, WrongSetting> {
    match text(lookup, name) {
        None => Ok(default),
        Some(text) => text.parse().ok().filter(|number| fits(*number)).ok_or(WrongSetting {
            name,
            problem: "is out of range or no number",
            should,
        }),
    }
}

/// An empty variable is an absent one, as templates leave them.
fn text(lookup: Lookup<'_>, name: &str) -> Option<String> {
    lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({:?})", self.policy)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fixed(_) => "Token(fixed)",
            Self::Parameter(_) => "Token(parameter)",
        })
    }
}
