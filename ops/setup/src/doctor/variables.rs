//! The settings: each variable by itself, then what they make together.
//!
//! A variable is judged by the same code that a process starts by. That code stops at the first
//! fault, so it is shown one variable at a time, with stand-ins for what it needs beside it.

use std::path::Path;
use std::sync::Arc;

use host::catalog_folder::{self, CatalogFolderFault};
use host::clock::SystemClock;
use host::entropy::SystemEntropy;
use host::environment;
use hubspot::pace::{Pace, PaceSettings};
use shared::settings::{self, Door, HubSpot, Lookup, Process, QueueUrls, Worker, WrongSetting};

use super::{Area, Check};

/// How a variable is judged.
struct Variable {
    name: &'static str,
    /// What stands in for it.
    default: Option<&'static str>,
    /// Whether its value may be shown.
    is_shown: bool,
    judge: fn(Lookup<'_>) -> Result<(), WrongSetting>,
}

/// A variable whose value says nothing about anybody.
const fn shown(
    name: &'static str,
    default: &'static str,
    judge: fn(Lookup<'_>) -> Result<(), WrongSetting>,
) -> Variable {
    Variable { name, default: Some(default), is_shown: true, judge }
}

const QUEUES: [Variable; 2] = [
    Variable { name: "QUEUE_URL", default: None, is_shown: false, judge: events },
    Variable { name: "DLQ_URL", default: None, is_shown: false, judge: dead_letters },
];

const OTHERS: [Variable; 14] = [
    shown("ENABLE_CRM_PROGRESS", "false", worker),
    shown("PROGRESS_BACKEND", "properties", worker),
    shown("IDENTITY_POLICY", "open", door),
    Variable {
        name: "ALLOWED_ORIGINS",
        default: Some("https://hedgehog.cloud,https://www.hedgehog.cloud"),
        is_shown: true,
        judge: door,
    },
    Variable {
        name: "HUBSPOT_BASE_URL",
        default: Some(HubSpot::BASE_URL),
        is_shown: false,
        judge: hubspot,
    },
    shown("HUBSPOT_API_VERSION", "2026-09", hubspot),
    shown("HUBSPOT_BURST_LIMIT", "100", hubspot),
    shown("HUBSPOT_HEADROOM", "0.1", hubspot),
    shown("WORKER_CONCURRENCY", "2", worker),
    shown("QUARANTINE_S", "30", worker),
    shown("CATALOG_PATH", "catalog", |_| Ok(())),
    Variable {
        name: "MILEPOST_CONSOLE_TOKEN",
        default: None,
        is_shown: false,
        judge: |lookup| settings::console_token(lookup).map(drop),
    },
    shown("APP_STAGE", "dev", process),
    shown("LOG_LEVEL", "info", process),
];

/// What another variable needs beside it, while that one is judged.
const STAND_INS: [(&str, &str); 3] = [
    ("HUBSPOT_PRIVATE_APP_TOKEN", "stand-in"),
    ("JWT_SECRET", "stand-in"),
    ("QUEUE_URL", "https://stand-in"),
];

/// Judges the settings: those of a `serve` or `local`, or those of the functions.
pub(super) fn checks(is_folder: bool) -> Vec<Check> {
    let queues: &[Variable] = if is_folder { &[] } else { &QUEUES };
    let mut checks: Vec<Check> = queues.iter().chain(&OTHERS).map(Variable::check).collect();
    if is_folder {
        checks.extend(switch());
    }
    checks.push(token(is_folder));
    checks.push(jwt_secret());
    checks.extend(share(is_folder));
    checks.push(catalog(is_folder));
    checks
}

impl Variable {
    fn check(&self) -> Check {
        let Self { name, default, is_shown, judge } = self;
        let lookup = |asked: &str| match asked == *name {
            true => environment::lookup(asked),
            false => stand_in(asked),
        };
        if let Err(wrong) = judge(&lookup) {
            return bad(&wrong);
        }
        let given = environment::lookup(name).filter(|value| !value.trim().is_empty());
        let what = match (given, default) {
            (Some(value), _) if *is_shown => value,
            (Some(_), _) => "set".to_owned(),
            (None, Some(default)) => format!("{default} (default)"),
            (None, None) => "absent".to_owned(),
        };
        Area::Settings.good(*name, what)
    }
}

/// `serve` is switched off unless told otherwise, and then loses what it is sent.
fn switch() -> Option<Check> {
    let is_on = Worker::from_lookup(&environment::lookup).ok()?.is_enabled;
    (!is_on).then(|| {
        Area::Settings.doubtful(
            "switch",
            "a `serve` with these settings answers as anonymous and keeps nothing",
            "set ENABLE_CRM_PROGRESS to true",
        )
    })
}

fn stand_in(asked: &str) -> Option<String> {
    let found = STAND_INS.iter().find(|(name, _)| *name == asked);
    found.map(|(_, value)| (*value).to_owned())
}

fn token(is_folder: bool) -> Check {
    let name = "HUBSPOT_PRIVATE_APP_TOKEN";
    let lookup = |asked: &str| {
        let is_token = [name, "HUBSPOT_TOKEN_PARAMETER"].contains(&asked);
        is_token.then(|| environment::lookup(asked)).flatten()
    };
    match HubSpot::from_lookup(&lookup).map(|hubspot| hubspot.token) {
        Err(wrong) => bad(&wrong),
        Ok(settings::Token::Fixed(_)) => Area::Settings.good(name, "set"),
        Ok(settings::Token::Parameter(_)) if is_folder => Area::Settings.bad(
            "HUBSPOT_TOKEN_PARAMETER",
            "`serve` does not read it",
            "give it the token itself, in HUBSPOT_PRIVATE_APP_TOKEN",
        ),
        Ok(settings::Token::Parameter(_)) => Area::Settings.good("HUBSPOT_TOKEN_PARAMETER", "set"),
    }
}

fn jwt_secret() -> Check {
    let lookup = |asked: &str| {
        let is_identity = ["IDENTITY_POLICY", "JWT_SECRET"].contains(&asked);
        is_identity.then(|| environment::lookup(asked)).flatten()
    };
    match Door::from_lookup(&lookup) {
        Err(wrong) if wrong.name == "JWT_SECRET" => bad(&wrong),
        Ok(Door { identity, .. }) if identity.jwt_secret.is_some() => {
            Area::Settings.good("JWT_SECRET", "set")
        }
        _ => Area::Settings.good("JWT_SECRET", "absent: every token is taken for none"),
    }
}

/// What the limit comes to, for workers and reader. Wrong settings have their own lines.
fn share(is_folder: bool) -> Vec<Check> {
    let lookup = |asked: &str| environment::lookup(asked).or_else(|| stand_in(asked));
    let (Ok(hubspot), Ok(worker)) = (HubSpot::from_lookup(&lookup), Worker::from_lookup(&lookup))
    else {
        return Vec::new();
    };
    let Ok(entropy) = SystemEntropy::seeded() else { return Vec::new() };
    let entropy = Arc::new(entropy);
    let clock = Arc::new(SystemClock::start());
    let pace = |share: PaceSettings| Pace::new(share, clock.clone(), entropy.clone());
    // One process is all the workers of a `serve`, and has their whole share.
    let processes = if is_folder { 1 } else { worker.concurrency };
    let of_workers = match pace(PaceSettings::of(&hubspot, processes)) {
        Ok(pace) => {
            let share = pace.snapshot().share;
            let what = match processes {
                1 => format!("{share} calls in 10 s"),
                processes => format!("{share} calls in 10 s for each of {processes}"),
            };
            Area::Settings.good("share of the workers", what)
        }
        Err(none) => Area::Settings.bad(
            "share of the workers",
            format!("{} calls in 10 s can't be shared by {} workers", none.limit, none.workers),
            "lower WORKER_CONCURRENCY or HUBSPOT_HEADROOM",
        ),
    };
    let of_reader = match pace(::reader::share(&hubspot)) {
        Ok(pace) => Area::Settings
            .good("share of the reader", format!("{} calls in 10 s", pace.snapshot().share)),
        Err(_) => Area::Settings.bad(
            "share of the reader",
            "the workers leave it no call in 10 s",
            "raise HUBSPOT_HEADROOM: the reader lives on it",
        ),
    };
    vec![of_workers, of_reader]
}

fn catalog(is_folder: bool) -> Check {
    let given = environment::lookup("CATALOG_PATH").filter(|path| !path.is_empty());
    let path = settings::catalog_path(&environment::lookup, "catalog");
    let fix = "milepost catalog check";
    match catalog_folder::load(Path::new(&path)) {
        Ok((catalog, warnings)) => {
            let (courses, pathways) = (catalog.courses.len(), catalog.pathways.len());
            let what = format!("{courses} courses, {pathways} pathways");
            match warnings.len() {
                0 => Area::Settings.good("catalog", what),
                warnings => {
                    Area::Settings.doubtful("catalog", format!("{what}, {warnings} gaps"), fix)
                }
            }
        }
        // The functions have theirs in a layer.
        Err(CatalogFolderFault::NoCatalog(_)) if given.is_none() && !is_folder => Area::Settings
            .unseen("catalog", "there is none here; the worker has its own, in its layer"),
        Err(CatalogFolderFault::NoCatalog(_)) => Area::Settings.bad(
            "catalog",
            format!("{path} holds neither courses nor pathways"),
            "set CATALOG_PATH to the folder that has them",
        ),
        Err(CatalogFolderFault::Wrong(faults)) => {
            let errors = faults.iter().filter(|fault| fault.is_error).count();
            Area::Settings.bad("catalog", format!("{errors} errors: no worker starts"), fix)
        }
        Err(fault @ CatalogFolderFault::Unreadable { .. }) => {
            Area::Settings.bad("catalog", fault.to_string(), "make it readable")
        }
    }
}

fn bad(wrong: &WrongSetting) -> Check {
    let WrongSetting { name, problem, should } = wrong;
    Area::Settings.bad(*name, *problem, format!("set it to {should}"))
}

fn events(lookup: Lookup<'_>) -> Result<(), WrongSetting> {
    QueueUrls::events_from_lookup(lookup).map(drop)
}

fn dead_letters(lookup: Lookup<'_>) -> Result<(), WrongSetting> {
    QueueUrls::from_lookup(lookup).map(drop)
}

fn door(lookup: Lookup<'_>) -> Result<(), WrongSetting> {
    Door::from_lookup(lookup).map(drop)
}

fn hubspot(lookup: Lookup<'_>) -> Result<(), WrongSetting> {
    HubSpot::from_lookup(lookup).map(drop)
}

fn worker(lookup: Lookup<'_>) -> Result<(), WrongSetting> {
    Worker::from_lookup(lookup).map(drop)
}

fn process(lookup: Lookup<'_>) -> Result<(), WrongSetting> {
    Process::from_lookup(lookup).map(drop)
}
