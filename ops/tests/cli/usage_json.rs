//! The documents of `--json`, held against docs/cli.md: every key that a command writes is
//! documented with its type, and standard output holds nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use host::clock::SystemClock;
use serde_json::Value;
use shared::ports::Clock as _;
use simulator::{LOCAL_TOKEN, Portal};
use simulator_server::http_door;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::ended::{run, stdout};
use crate::letters::{Place, letter};
use crate::process::{Running, milepost};

const DOCUMENT: &str = include_str!("../../../docs/cli.md");

/// A state with a completed module, which the contact's milestones know nothing of.
const STATE: &str =
    r#"{"p":{"courses":{"a":{"enrolled":true,"modules":{"m":{"completed":true}}}}}}"#;

/// The shape of each command's document, by the command.
fn shapes() -> BTreeMap<&'static str, Value> {
    let (_, section) = DOCUMENT.split_once("\n## JSON\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let of = |part: &'static str| {
        let (heading, text) = part.split_once('\n').unwrap();
        let example = text.lines().filter_map(|line| line.strip_prefix("    "));
        let example: String = example.collect::<Vec<_>>().join("\n");
        (heading, serde_json::from_str(&example).unwrap_or_else(|e| panic!("{heading}: {e}")))
    };
    section.split("\n### ").skip(1).map(of).collect()
}

/// How a document differs from its shape.
fn misfits(shape: &Value, value: &Value, at: &str) -> Vec<String> {
    let wrong = || vec![format!("{at} is {value}, not as {shape}")];
    match (shape, value) {
        (Value::String(any), _) if any == "…" && !value.is_null() => Vec::new(),
        (Value::Object(keys), Value::Object(there)) => {
            if let Some(of_any) = keys.get("…") {
                let each = there.iter();
                return each.flat_map(|(k, v)| misfits(of_any, v, &format!("{at}.{k}"))).collect();
            }
            let missing = keys.keys().filter(|key| !key.ends_with('?'));
            let missing = missing.filter(|key| !there.contains_key(*key));
            let mut found: Vec<String> = missing.map(|key| format!("{at} has no {key}")).collect();
            for (key, value) in there {
                let at = format!("{at}.{key}");
                match (keys.get(key), keys.get(&format!("{key}?"))) {
                    (Some(shape), _) => found.extend(misfits(shape, value, &at)),
                    (None, Some(_)) if value.is_null() => {}
                    (None, Some(shape)) => found.extend(misfits(shape, value, &at)),
                    (None, None) => found.push(format!("{at} is not documented")),
                }
            }
            found
        }
        (Value::Array(entries), Value::Array(there)) => match entries.first() {
            None => Vec::new(),
            Some(shape) => there.iter().flat_map(|one| misfits(shape, one, at)).collect(),
        },
        (Value::String(_), Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_)) => Vec::new(),
        _ => wrong(),
    }
}

/// The documented commands that were seen to write what is documented.
struct Seen {
    shapes: BTreeMap<&'static str, Value>,
    commands: BTreeSet<&'static str>,
}

impl Seen {
    /// Runs a command, whose every line of standard output must be a document of this shape.
    async fn expect(&mut self, name: &'static str, mut command: Command) -> Value {
        let output = run(command.arg("--json")).await;
        let code = output.status.code().unwrap();
        assert!([0, 1].contains(&code), "{name}: {output:?}");
        let lines: Vec<Value> = stdout(&output)
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|e| panic!("{name}: {e}: {line}"))
            })
            .collect();
        assert!(lines.len() == 1 || name == "dlq export", "{name}: {output:?}");
        for line in &lines {
            self.fits(name, line);
        }
        lines[0].clone()
    }

    fn fits(&mut self, name: &'static str, document: &Value) {
        let shape = self.shapes.get(name).unwrap_or_else(|| panic!("{name} is not documented"));
        assert_eq!(misfits(shape, document, name), [""; 0], "{document:#}");
        self.commands.insert(name);
    }
}

#[tokio::test]
async fn every_document_is_as_docs_cli_md_has_it() {
    let mut seen = Seen { shapes: shapes(), commands: BTreeSet::new() };

    let folder = tempfile::tempdir().unwrap();
    let stack = Running::local(&["--data", folder.path().to_str().unwrap()]).await;
    seen.fits("local, serve", &stack.ready);
    let lines = folder.path().join("lines");
    let event = r#"{"eventName":"learning_module_started","contactIdentifier":{"email":"a@example.org"},"payload":{"module_slug":"m","course_slug":"c"}}"#;
    std::fs::write(&lines, format!("{event}\nno json\n")).unwrap();
    let track = milepost(&["track", lines.to_str().unwrap(), "--url", stack.api()]);
    seen.expect("track", track).await;
    let place = Place { variables: at(stack.portal()), ..Place::in_folder(folder.path()) };
    let console = place.milepost("console --json --listen 127.0.0.1:0");
    let console = Running::start(&mut { console }).await;
    seen.fits("console", &console.ready);
    console.stop("INT").await;
    seen.expect("doctor", place.milepost("doctor")).await;
    stack.stop("INT").await;

    seen.expect("recover", place.milepost(&format!("recover {}", lines.display()))).await;
    let letters = [("REJECTED", 1), ("REJECTED", 2), ("UNREADABLE", 3)];
    let letters =
        letters.map(|(reason, nth)| letter(nth, "b@example.org", reason, "2026-01-18T12:00:00Z"));
    place.put(letters.into()).await;
    let listed = seen.expect("dlq list", place.milepost("dlq list")).await;
    let id = listed["letters"][0]["id"].as_str().unwrap();
    seen.expect("dlq show", place.milepost(&format!("dlq show --who {id}"))).await;
    seen.expect("dlq export", place.milepost("dlq export")).await;
    let replay = "dlq replay --reason REJECTED --follow 0";
    seen.expect("dlq replay", place.milepost(&format!("{replay} --dry-run"))).await;
    seen.expect("dlq replay", place.milepost(replay)).await;
    seen.expect("dlq purge", place.milepost("dlq purge --yes")).await;

    let portal = Arc::new(Portal::in_memory(7));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let clock = Arc::new(SystemClock::start());
    tokio::spawn(http_door::serve(listener, portal.clone(), clock.clone(), std::future::pending()));
    let place = Place { variables: at(&url), ..place };
    let hubspot = |arguments: &str| {
        let mut command = milepost(&arguments.split_whitespace().collect::<Vec<_>>());
        command.envs(at(&url));
        command
    };
    for name in [
        "properties check",
        "properties create",
        "properties check --events",
        "properties create --events",
        "catalog check",
    ] {
        seen.expect(name, hubspot(name)).await;
    }
    let contact =
        [("email", "c@example.org"), ("hhl_progress_state", STATE), ("hhl_total_progress", "5")];
    let contact = contact.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    portal.add_contact(clock.now(), &contact).unwrap();
    seen.expect("audit", place.milepost("audit --all --repair --dry-run")).await;
    seen.expect("backfill", place.milepost("backfill --dry-run")).await;
    seen.expect("contact show", place.milepost("contact show c@example.org")).await;
    seen.expect("contact forget", place.milepost("contact forget --yes --follow 0 c@example.org"))
        .await;
    seen.expect("quota", place.milepost("quota")).await;
    seen.expect("completions", milepost(&["completions", "bash"])).await;
    seen.expect("man", milepost(&["man", "dlq", "replay"])).await;

    let documented: BTreeSet<&str> = seen.shapes.keys().copied().collect();
    assert_eq!(seen.commands, documented);
    let named = documented.iter().flat_map(|name| name.trim_end_matches(" --events").split(", "));
    assert_eq!(named.map(str::to_owned).collect::<BTreeSet<_>>(), commands().await);
}

/// Every command that does something, by the help.
async fn commands() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![String::new()];
    while let Some(command) = waiting.pop() {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let output = run(&mut milepost(&arguments)).await;
        let Some((_, listed)) = stdout(&output).split_once("\nCommands:\n") else {
            found.insert(command);
            continue;
        };
        let listed = listed.lines().take_while(|line| !line.is_empty());
        // A description that goes on is set in further.
        let listed = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names = listed.filter_map(|line| line.split_whitespace().next());
        let names = names.filter(|name| *name != "help");
        waiting.extend(names.map(|name| format!("{command} {name}").trim().to_owned()));
    }
    found
}

/// Where HubSpot is.
fn at(url: &str) -> Vec<(String, String)> {
    [
        ("HUBSPOT_BASE_URL", url),
        ("HUBSPOT_PRIVATE_APP_TOKEN", LOCAL_TOKEN),
        ("ENABLE_CRM_PROGRESS", "true"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[test]
fn a_document_that_differs_from_its_shape_is_told() {
    #[track_caller]
    fn check(shape: &str, document: &str, told: &[&str]) {
        let [shape, document] = [shape, document].map(|json| serde_json::from_str(json).unwrap());
        assert_eq!(misfits(&shape, &document, "it"), told);
    }
    check(r#"{"a": 1, "b?": "x"}"#, r#"{"a": 2}"#, &[]);
    check(r#"{"a": 1, "b?": "x"}"#, r#"{"a": 2, "b": null}"#, &[]);
    check(r#"{"a": 1}"#, r#"{"b": 1}"#, &["it has no a", "it.b is not documented"]);
    check(r#"{"a": [{"b": 1}]}"#, r#"{"a": [{"b": "x"}]}"#, &[r#"it.a.b is "x", not as 1"#]);
    check(r#"{"a": {"…": 1}}"#, r#"{"a": {"x": 1, "y": true}}"#, &["it.a.y is true, not as 1"]);
}
