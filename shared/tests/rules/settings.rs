//! Every variable: what holds when it is not set, what it may be, and what a start says else.

use std::time::Duration;

use shared::identity::Policy;
use shared::settings::{
    self, Backend, Door, HubSpot, LogLevel, Process, QueueUrls, Token, Worker, WrongSetting,
    catalog_path,
};

/// Variables as a table.
type Set<'a> = &'a [(&'a str, &'a str)];

fn with<T>(set: Set<'_>, read: impl Fn(shared::settings::Lookup<'_>) -> T) -> T {
    let lookup =
        |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
    read(&lookup)
}

const TOKEN: (&str, &str) = ("HUBSPOT_PRIVATE_APP_TOKEN", "pat-1");

fn hubspot(set: Set<'_>) -> Result<HubSpot, WrongSetting> {
    with(&[set, &[TOKEN]].concat(), HubSpot::from_lookup)
}

#[test]
fn what_is_not_set_has_its_default() {
    let door = with(&[], Door::from_lookup).unwrap();
    assert!(!door.is_enabled);
    assert_eq!(door.cors.origins, ["https://hedgehog.cloud", "https://www.hedgehog.cloud"]);
    assert_eq!((door.identity.policy, door.identity.jwt_secret), (Policy::Open, None));
    assert_eq!(door.backend, Backend::Properties);

    let hubspot = hubspot(&[]).unwrap();
    assert_eq!(hubspot.base_url, "https://api.hubapi.com");
    assert_eq!(hubspot.api_version, "2026-09");
    assert_eq!((hubspot.burst_limit, hubspot.headroom), (100, 0.1));

    let worker = with(&[], Worker::from_lookup).unwrap();
    let (is_enabled, backend) = (false, Backend::Properties);
    let quarantine = Duration::from_secs(30);
    assert_eq!(worker, Worker { is_enabled, backend, quarantine, concurrency: 2 });

    let process = with(&[], Process::from_lookup).unwrap();
    assert_eq!(process, Process { stage: "dev".into(), log_level: LogLevel::Info });
    assert_eq!(with(&[], |lookup| catalog_path(lookup, "catalog")), "catalog");
}

#[test]
fn an_empty_variable_is_one_that_is_not_set_and_spaces_around_a_value_are_none_of_it() {
    let set = [("APP_STAGE", " "), ("LOG_LEVEL", "")];
    let process = with(&set, Process::from_lookup).unwrap();
    assert_eq!(process, Process { stage: "dev".into(), log_level: LogLevel::Info });
    let set = [("APP_STAGE", " prod "), ("LOG_LEVEL", " Debug ")];
    let process = with(&set, Process::from_lookup).unwrap();
    assert_eq!(process, Process { stage: "prod".into(), log_level: LogLevel::Debug });
    let path = with(&[("CATALOG_PATH", "/opt/catalog ")], |lookup| catalog_path(lookup, "catalog"));
    assert_eq!(path, "/opt/catalog");
}

#[test]
fn what_is_set_counts() {
    let set = [
        ("ENABLE_CRM_PROGRESS", "true"),
        ("ALLOWED_ORIGINS", "https://a.example, http://b.example:8080,"),
        ("IDENTITY_POLICY", "signed"),
        ("JWT_SECRET", "s"),
        ("PROGRESS_BACKEND", "events"),
    ];
    let door = with(&set, Door::from_lookup).unwrap();
    assert!(door.is_enabled);
    assert_eq!(door.cors.origins, ["https://a.example", "http://b.example:8080"]);
    assert_eq!(door.identity.policy, Policy::Signed);
    assert_eq!(door.identity.jwt_secret.as_deref(), Some("s"));
    assert_eq!(door.backend, Backend::Events);

    let set =
        [("QUARANTINE_S", "900"), ("WORKER_CONCURRENCY", "1"), ("PROGRESS_BACKEND", "events")];
    let worker = with(&set, Worker::from_lookup).unwrap();
    assert_eq!((worker.quarantine.as_secs(), worker.concurrency), (900, 1));
    assert_eq!(worker.backend, Backend::Events);
    assert!(with(&[("ENABLE_CRM_PROGRESS", "true")], Worker::from_lookup).unwrap().is_enabled);

    let set = [("QUEUE_URL", "https://sqs.example/1/events.fifo/"), ("DLQ_URL", "http://q/dlq")];
    let queues = with(&set, QueueUrls::from_lookup).unwrap();
    assert_eq!(queues.events, "https://sqs.example/1/events.fifo");
    assert_eq!(queues.dead_letters, "http://q/dlq");
    assert_eq!(with(&set, QueueUrls::events_from_lookup), Ok(queues.events));

    let set = [
        ("HUBSPOT_BASE_URL", "http://127.0.0.1:8788/"),
        ("HUBSPOT_API_VERSION", "v3"),
        ("HUBSPOT_BURST_LIMIT", "250"),
        ("HUBSPOT_HEADROOM", "0"),
    ];
    let hubspot = hubspot(&set).unwrap();
    assert_eq!(hubspot.base_url, "http://127.0.0.1:8788");
    assert_eq!(hubspot.api_version, "v3");
    assert_eq!((hubspot.burst_limit, hubspot.headroom), (250, 0.0));

    for (level, expected) in
        [("error", LogLevel::Error), ("warn", LogLevel::Warn), ("info", LogLevel::Info)]
    {
        let process = with(&[("LOG_LEVEL", level)], Process::from_lookup).unwrap();
        assert_eq!(process.log_level, expected);
    }
}

#[test]
fn a_token_of_its_own_goes_before_a_parameter_and_neither_is_ever_shown() {
    let parameter = ("HUBSPOT_TOKEN_PARAMETER", "/milepost/token");
    let token = |set: Set<'_>| with(set, HubSpot::from_lookup).map(|hubspot| hubspot.token);
    assert_eq!(token(&[parameter]), Ok(Token::Parameter("/milepost/token".into())));
    assert_eq!(token(&[parameter, TOKEN]), Ok(Token::Fixed("pat-1".into())));
    assert_eq!(format!("{:?}", token(&[parameter]).unwrap()), "Token(parameter)");
    assert_eq!(format!("{:?}", token(&[TOKEN]).unwrap()), "Token(fixed)");

    let set = [("IDENTITY_POLICY", "signed"), ("JWT_SECRET", "secret")];
    let identity = with(&set, Door::from_lookup).unwrap().identity;
    assert_eq!(format!("{identity:?}"), "Identity(Signed)");
}

#[test]
fn a_wrong_or_missing_value_is_named_with_what_it_should_be() {
    #[track_caller]
    fn check<T>(found: Result<T, WrongSetting>, name: &str, problem: &str) {
        let Err(wrong) = found else { panic!("{name} is taken") };
        assert_eq!((wrong.name, wrong.problem), (name, problem));
        let line = wrong.to_string();
        assert!(line.starts_with(&format!("{name} {problem}; hint: set it to ")), "{line}");
        assert!(!wrong.should.is_empty());
    }
    let door = |name, value| with(&[(name, value)], Door::from_lookup);
    for origin in ["hedgehog.cloud", "https://", "https://a.example/", "https://*.a.example"] {
        check(
            door("ALLOWED_ORIGINS", origin),
            "ALLOWED_ORIGINS",
            "holds something that is no origin",
        );
    }
    check(door("IDENTITY_POLICY", "closed"), "IDENTITY_POLICY", "is no policy");
    let unsigned = "is missing, and IDENTITY_POLICY is signed";
    check(door("IDENTITY_POLICY", "signed"), "JWT_SECRET", unsigned);
    let neither = "is neither true nor false";
    check(door("ENABLE_CRM_PROGRESS", "yes"), "ENABLE_CRM_PROGRESS", neither);
    check(door("PROGRESS_BACKEND", "both"), "PROGRESS_BACKEND", "is no backend");

    check(with(&[], QueueUrls::events_from_lookup), "QUEUE_URL", "is missing");
    check(with(&[("QUEUE_URL", "http://q")], QueueUrls::from_lookup), "DLQ_URL", "is missing");
    for url in ["events.fifo", "https://", "http:///events.fifo"] {
        check(with(&[("QUEUE_URL", url)], QueueUrls::from_lookup), "QUEUE_URL", "is no URL");
    }

    let without = "is missing, and so is HUBSPOT_TOKEN_PARAMETER";
    check(with(&[], HubSpot::from_lookup), "HUBSPOT_PRIVATE_APP_TOKEN", without);
    let version = "is no version that Milepost speaks";
    check(hubspot(&[("HUBSPOT_API_VERSION", "v4")]), "HUBSPOT_API_VERSION", version);
    check(hubspot(&[("HUBSPOT_BASE_URL", "api.hubapi.com")]), "HUBSPOT_BASE_URL", "is no URL");

    check(with(&[("LOG_LEVEL", "all")], Process::from_lookup), "LOG_LEVEL", "is no level");
}

#[test]
fn a_console_token_has_16_characters_or_more() {
    let read = |token| with(&[("MILEPOST_CONSOLE_TOKEN", token)], settings::console_token);
    let long_enough = "ä".repeat(16);
    assert_eq!(read(&long_enough), Ok(Some(long_enough.clone())));
    assert_eq!(with(&[], settings::console_token), Ok(None));
    let wrong = read("fifteen-letters").unwrap_err();
    assert_eq!((wrong.name, wrong.problem), ("MILEPOST_CONSOLE_TOKEN", "is too short"));
}

#[test]
fn a_number_lies_within_its_bounds() {
    #[track_caller]
    fn check<T>(
        name: &'static str,
        inside: [&str; 2],
        outside: [&str; 2],
        read: impl Fn(Set<'_>) -> Result<T, WrongSetting>,
    ) {
        for value in inside {
            assert!(read(&[(name, value)]).is_ok(), "{name}={value}");
        }
        for value in outside.into_iter().chain(["many", "-1", "NaN"]) {
            let Err(wrong) = read(&[(name, value)]) else { panic!("{name}={value} is taken") };
            assert_eq!((wrong.name, wrong.problem), (name, "is out of range or no number"));
        }
    }
    check("HUBSPOT_BURST_LIMIT", ["5", "1000"], ["4", "1001"], hubspot);
    check("HUBSPOT_HEADROOM", ["0.0", "0.9"], ["-0.1", "0.91"], hubspot);
    let worker = |set: Set<'_>| with(set, Worker::from_lookup);
    check("QUARANTINE_S", ["1", "900"], ["0", "901"], worker);
    check("WORKER_CONCURRENCY", ["1", "1000"], ["0", "1001"], worker);
}
