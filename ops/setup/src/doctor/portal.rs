//! HubSpot: token, scopes, definitions, version, quota and clock.
//!
//! The token is asked for first: without a good one nothing else can be said. What HubSpot answers
//! when it refuses is a finding; that it does not answer is none.

use chrono::{DateTime, TimeDelta, Utc};
use command::crm::{self, Crm};
use host::environment;
use hubspot::account::AccountDetails;
use hubspot::events;
use hubspot::fault::{CallFault, LimitPolicy, PortalFault};
use hubspot::probe::Ability;
use hubspot::schema;
use hubspot::version::ApiVersion;
use shared::event::EventName;
use shared::properties::{GROUPS, PROPERTIES};
use shared::settings::{self, Backend, HubSpot};

use super::{Area, Check, clocks};

const AREA: Area = Area::Hubspot;
const TOKEN: &str = "token";
/// What is looked at behind a good token.
const REST: [&str; 5] = ["scopes", "definitions", "burst limit", "daily quota", "clock"];
/// A version whose end is nearer than this is to be left behind.
const END_NEAR: TimeDelta = TimeDelta::days(180);
/// A portal with less than this part of its day left is a finding before it is spent.
const DAY_LOW: u64 = 10;
/// The scope that only `milepost properties create` needs.
const SCHEMAS_WRITE: &str = "crm.schemas.contacts.write";
/// The scope for listing and making custom events.
const EVENTS_DEFINE: &str = "behavioral_events.event_definitions.read_write";

/// Asks HubSpot.
pub(super) async fn checks() -> Vec<Check> {
    let Ok(settings) = HubSpot::from_lookup(&environment::lookup) else {
        return vec![AREA.unseen("portal", "the settings say not how to ask it")];
    };
    let crm = match crm::from_environment() {
        Ok(crm) => crm,
        Err(stopped) => return vec![AREA.unseen("portal", stopped.to_string())],
    };
    let version = crm.client.version();
    let mut checks = vec![of_version(version, crm.clock.now())];
    let details = match crm.client.account_details().await {
        Ok(details) => Some(details),
        // A token without the scope `oauth` is a token.
        Err(CallFault::Portal(PortalFault::MissingScope(_))) => None,
        Err(fault) => {
            let is_silent = is_silent(&fault);
            checks.push(of_fault(TOKEN, &fault));
            let why = if is_silent { "HubSpot did not answer" } else { "HubSpot takes no call" };
            checks.extend(REST.map(|name| AREA.unseen(name, why)));
            return checks;
        }
    };
    checks.push(of_token(details.as_ref()));
    checks.extend(scopes(&crm).await);
    checks.extend(definitions(&crm).await);
    checks.extend(limits(&crm, &settings).await);
    checks.push(match crm.client.time().await {
        Ok(theirs) => clocks::check(AREA, "HubSpot", theirs, crm.clock.now()),
        Err(fault) => of_fault("clock against HubSpot's", &fault),
    });
    checks
}

fn of_version(version: ApiVersion, now: DateTime<Utc>) -> Check {
    let name = "API version";
    let until = version.supported_until();
    let left = until.signed_duration_since(now.date_naive());
    let fix = "set HUBSPOT_API_VERSION to 2026-09, or update Milepost for a later one";
    if left <= TimeDelta::zero() {
        AREA.bad(name, format!("{version}, which HubSpot supported until {until}"), fix)
    } else if left < END_NEAR {
        AREA.doubtful(name, format!("{version}, supported until {until}"), fix)
    } else {
        AREA.good(name, format!("{version}, supported until {until} at least"))
    }
}

fn of_token(details: Option<&AccountDetails>) -> Check {
    match details {
        Some(AccountDetails { portal_id, account_type, time_zone, .. }) => {
            AREA.good(TOKEN, format!("of portal {portal_id} ({account_type}, {time_zone})"))
        }
        None => AREA.good(TOKEN, "accepted; it may not ask whose portal this is (scope oauth)"),
    }
}

async fn scopes(crm: &Crm) -> Vec<Check> {
    let scope = |name: &str| format!("scope {name}");
    let mut checks = Vec::new();
    let abilities: &[Ability] = match backend() {
        Backend::Properties => &[Ability::ReadContacts, Ability::WriteContacts],
        Backend::Events => &[Ability::SendEvents],
    };
    for ability in abilities {
        let name = scope(ability.scope());
        checks.push(match crm.client.may(*ability).await {
            Ok(()) => AREA.good(name, "granted"),
            Err(fault) => of_fault(&name, &fault),
        });
    }
    if backend() == Backend::Properties {
        let why = "not to be asked without making something; `milepost properties create` needs \
                   it, and nothing else";
        checks.push(AREA.unseen(scope(SCHEMAS_WRITE), why));
    }
    checks
}

fn backend() -> Backend {
    let worker = settings::Worker::from_lookup(&environment::lookup);
    worker.map_or(Backend::Properties, |worker| worker.backend)
}

async fn definitions(crm: &Crm) -> Vec<Check> {
    match backend() {
        Backend::Properties => {
            vec![groups(crm).await].into_iter().chain(properties(crm).await).collect()
        }
        Backend::Events => events_defined(crm).await,
    }
}

async fn groups(crm: &Crm) -> Check {
    let name = "property groups";
    let there = match crm.client.list_groups().await {
        Ok(there) => there,
        Err(fault) => return of_fault(name, &fault),
    };
    let missing: Vec<&str> = GROUPS
        .iter()
        .map(|group| group.name)
        .filter(|name| !there.iter().any(|there| there == name))
        .collect();
    match missing.as_slice() {
        [] => AREA.good(name, format!("all {} are there", GROUPS.len())),
        // Properties may stand in other groups: nothing that is written depends on it.
        missing => AREA.doubtful(
            name,
            format!("{} not there", missing.join(", ")),
            "milepost properties create",
        ),
    }
}

async fn properties(crm: &Crm) -> Vec<Check> {
    let name = "properties";
    let theirs = match crm.client.list_properties().await {
        Ok(theirs) => theirs,
        Err(fault) => return vec![of_fault(name, &fault)],
    };
    let differences = schema::compare(&theirs, &PROPERTIES);
    let mut checks: Vec<Check> = differences
        .iter()
        .map(|difference| {
            let (name, what) = (format!("property {}", difference.name()), difference.to_string());
            match (difference.hinders(), what.split_once("; hint: ")) {
                (true, Some((what, fix))) => AREA.bad(name, what, fix),
                (true, None) => AREA.bad(name, what, "milepost properties check"),
                (false, _) => AREA.doubtful(name, what, "none is needed"),
            }
        })
        .collect();
    if checks.is_empty() {
        checks.push(AREA.good(name, format!("all {} are right", PROPERTIES.len())));
    }
    checks
}

async fn events_defined(crm: &Crm) -> Vec<Check> {
    let theirs = match crm.client.list_event_definitions().await {
        Ok(theirs) => theirs,
        Err(fault) => return vec![of_fault(&format!("scope {EVENTS_DEFINE}"), &fault)],
    };
    let mut checks = vec![AREA.good(format!("scope {EVENTS_DEFINE}"), "granted")];
    let differences = events::compare(&theirs);
    if differences.is_empty() {
        let what = format!("all {} are right", EventName::ALL.len());
        checks.push(AREA.good("custom events", what));
    }
    checks.extend(differences.iter().map(|difference| {
        let (name, what) =
            (format!("event {}", difference.event().as_str()), difference.to_string());
        match what.split_once("; hint: ") {
            Some((what, fix)) => AREA.bad(name, what, fix),
            None => AREA.bad(name, what, "milepost properties check --events"),
        }
    }));
    checks
}

/// What HubSpot says of its limits, in the headers of its answers.
async fn limits(crm: &Crm, settings: &HubSpot) -> Vec<Check> {
    let usage = crm.client.daily_usage().await;
    let snapshot = crm.pace.snapshot();
    let ours = settings.burst_limit;
    let burst = match snapshot.window_limit {
        None => AREA.unseen("burst limit", "HubSpot's answers name none"),
        Some(theirs) if theirs < ours => AREA.doubtful(
            "burst limit",
            format!("the portal allows {theirs} calls in 10 s, and the settings say {ours}"),
            format!("set HUBSPOT_BURST_LIMIT to {theirs}"),
        ),
        Some(theirs) if theirs > ours => AREA.doubtful(
            "burst limit",
            format!("{theirs} calls in 10 s, of which the settings use {ours}"),
            format!("set HUBSPOT_BURST_LIMIT to {theirs} to go faster"),
        ),
        Some(theirs) => AREA.good("burst limit", format!("{theirs} calls in 10 s")),
    };
    let limit = usage.ok().and_then(|usage| usage.into_iter().find_map(|daily| daily.usage_limit));
    let daily = match (snapshot.daily_remaining, limit) {
        (None, _) => AREA.unseen("daily quota", "HubSpot's answers name none"),
        (Some(0), _) => {
            AREA.bad("daily quota", "spent: events wait", "milepost quota says until when")
        }
        (Some(left), Some(limit)) if left < limit / DAY_LOW => AREA.doubtful(
            "daily quota",
            format!("{left} of {limit} calls are left of the day"),
            "milepost quota says whether they do for the backlog",
        ),
        (Some(left), _) => AREA.good("daily quota", format!("{left} calls are left of the day")),
    };
    vec![burst, daily]
}

/// Whether it is no answer that says something about this portal.
fn is_silent(fault: &CallFault) -> bool {
    match fault {
        CallFault::Transient { .. } | CallFault::Unknown(_) => true,
        CallFault::Throttled { policy, .. } => *policy != LimitPolicy::Daily,
        CallFault::Portal(_) | CallFault::Request(_) => false,
    }
}

fn of_fault(name: &str, fault: &CallFault) -> Check {
    let told = fault.to_string();
    if is_silent(fault) {
        return AREA.silent(name, told);
    }
    let fix = match fault {
        CallFault::Portal(PortalFault::MissingScope(_)) => {
            "give the private app that scope, in HubSpot's settings"
        }
        CallFault::Portal(PortalFault::Unauthorized) => {
            "make a token in HubSpot's settings, and put it into HUBSPOT_PRIVATE_APP_TOKEN (or what \
             HUBSPOT_TOKEN_PARAMETER names); workers go on by themselves"
        }
        CallFault::Portal(PortalFault::NoToken(_)) => {
            "check HUBSPOT_TOKEN_PARAMETER, and who may read it"
        }
        CallFault::Portal(PortalFault::UnknownPath(_)) => {
            "check HUBSPOT_BASE_URL and HUBSPOT_API_VERSION"
        }
        CallFault::Throttled { .. } => "wait for the portal's midnight: `milepost quota` says when",
        CallFault::Portal(_)
        | CallFault::Request(_)
        | CallFault::Transient { .. }
        | CallFault::Unknown(_) => "look at the private app in HubSpot's settings",
    };
    AREA.bad(name, told, fix)
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn a_version_is_doubtful_half_a_year_before_its_end_and_bad_after_it() {
        #[track_caller]
        fn expect(version: ApiVersion, day: &str, status: Status) {
            let now = format!("{day}T12:00:00Z").parse().unwrap();
            assert_eq!(of_version(version, now).status, status, "{version} on {day}");
        }
        expect(ApiVersion::V2026_09, "2026-11-25", Status::Good);
        expect(ApiVersion::V3, "2026-11-25", Status::Good);
        expect(ApiVersion::V3, "2027-04-01", Status::Doubtful);
        expect(ApiVersion::V3, "2027-09-01", Status::Bad);
        expect(ApiVersion::V2026_09, "2028-03-08", Status::Bad);
    }
}
