//! Progress in HubSpot checked, mended, shown and forgotten: against a portal alone, and beside a
//! stack that runs.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;

use chrono::TimeDelta;
use host::clock::SystemClock;
use serde_json::{Value, json};
use shared::envelope::{Content, Envelope};
use shared::ports::Clock as _;
use simulator::{LOCAL_TOKEN, Portal};
use simulator_server::http_door;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::ended::{document, run, stderr, stdout};
use crate::letters::{Place, letter};
use crate::process::{Running, client, eventually, get, milepost, post};

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";
/// A course of the example catalog, with one module of several done.
const STATE: &str = r#"{"p":{"courses":{"a":{"enrolled":true,"modules":{"m":{"completed":true,"completed_at":"2026-01-01T00:00:00.000Z"}}}},"enrolled":true}}"#;

/// A portal with Milepost's properties, behind a port.
struct Served {
    portal: Arc<Portal>,
    url: String,
}

impl Served {
    async fn start() -> Self {
        let portal = Arc::new(Portal::in_memory(7));
        portal.define_milepost_properties();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let clock = Arc::new(SystemClock::start());
        let never = std::future::pending();
        tokio::spawn(http_door::serve(listener, portal.clone(), clock, never));
        Self { portal, url }
    }

    /// A contact that was there before the search index was last made.
    fn add(&self, properties: &[(&str, &str)]) -> String {
        let at = SystemClock::start().now() - TimeDelta::minutes(1);
        let properties: BTreeMap<String, String> = owned(properties);
        self.portal.add_contact(at, &properties).unwrap().to_string()
    }
}

fn owned(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Tells a command where HubSpot is.
fn at(mut command: Command, url: &str) -> Command {
    command
        .env("HUBSPOT_BASE_URL", url)
        .env("HUBSPOT_PRIVATE_APP_TOKEN", LOCAL_TOKEN)
        .env("HUBSPOT_BURST_LIMIT", "250")
        .env("HUBSPOT_HEADROOM", "0.5");
    command
}

fn command(arguments: &str, url: &str) -> Command {
    at(milepost(&arguments.split_whitespace().collect::<Vec<_>>()), url)
}

/// Runs a command that must end so; nobody is named on either output.
#[track_caller]
fn ended(mut command: Command, code: i32) -> impl Future<Output = Value> {
    command.arg("--json");
    async move {
        let output = run(&mut command).await;
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(!stdout(&output).contains('@') && !stderr(&output).contains('@'), "{output:?}");
        document(&output)
    }
}

/// What an audit says of each contact that fails, by record id.
fn failing(report: &Value) -> BTreeMap<String, Vec<String>> {
    let texts = |of: &Value| -> Vec<String> {
        let broken = of["broken"].as_array().unwrap();
        broken.iter().map(|one| one["invariant"].as_str().unwrap().to_owned()).collect()
    };
    let all = report["failing"].as_array().unwrap();
    all.iter().map(|one| (one["id"].as_str().unwrap().to_owned(), texts(one))).collect()
}

async fn take_repairs(place: &Place) -> Vec<Content> {
    let taken = place.take_events().await;
    taken.iter().map(|message| Envelope::open(&message.body).unwrap().content).collect()
}

#[tokio::test]
async fn a_sample_is_of_contacts_with_progress_each_taken_once() {
    let served = Served::start().await;
    for nth in 0..250 {
        let email = format!("learner-{nth}@example.org");
        let without = [("email", email.as_str())];
        let state = [without[0], ("hhl_progress_state", STATE), ("hhl_total_progress", "1")];
        served.add(if nth % 5 == 0 { &without } else { &state });
    }
    for (asked, taken) in [(7, 7), (60, 60), (1_000, 200)] {
        let report = ended(command(&format!("audit --sample {asked}"), &served.url), 1).await;
        assert_eq!(report["checked"], taken);
        let failing = failing(&report);
        assert_eq!(failing.len(), taken, "each lacks the course that its state has");
        assert!(failing.values().all(|broken| broken == &["enrolled_courses"]));
    }
    assert_eq!(ended(command("audit --all", &served.url), 1).await["checked"], 200);
}

#[tokio::test]
async fn a_sample_of_more_contacts_than_a_search_shows_reaches_beyond_them() {
    let served = Served::start().await;
    for nth in 0..10_050 {
        served.add(&[("email", &format!("l{nth}@example.org")), ("hhl_total_progress", "0")]);
    }
    let report = ended(command("audit --sample 4", &served.url), 0).await;
    assert_eq!((&report["checked"], &report["sound"]), (&4.into(), &4.into()));
}

#[tokio::test]
async fn an_audit_says_who_fails_and_why_and_a_repair_mends_what_the_state_knows() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let stack = Running::local(&["--window", "0", "--data", data]).await;
    let place = Place::in_folder(folder.path());
    let client = client();
    let add = async |properties: &[(&str, &str)]| {
        let url = format!("{}/_portal/contacts", stack.portal());
        let (status, body) =
            post(&client, &url, json!(owned(properties)).to_string()).await.unwrap();
        assert!(status < 300, "{status} {body}");
        body["id"].to_string().trim_matches('"').to_owned()
    };
    let state = ("hhl_progress_state", STATE);
    let total = [("email", ADA), state, ("hhl_enrolled_courses", "a"), ("hhl_total_progress", "4")];
    let total = add(&total).await;
    let lists = [
        ("email", BOB),
        state,
        ("hhl_enrolled_courses", "a;beyond"),
        ("hhl_completed_courses", "done"),
        ("hhl_total_progress", "1"),
    ];
    let lists = add(&lists).await;
    let corrupt = add(&[("email", "eve@example.org"), ("hhl_progress_state", "[]")]).await;
    let sound = [("email", "x@example.org"), state, ("hhl_enrolled_courses", "a")];
    add(&[&sound[..], &[("hhl_total_progress", "1")]].concat()).await;
    add(&[("email", "nobody@example.org")]).await;

    let audit =
        |arguments: &str| at(place.milepost(&format!("audit --all {arguments}")), stack.portal());
    let before = ended(audit(""), 1).await;
    assert_eq!((&before["checked"], &before["sound"]), (&4.into(), &1.into()));
    let expected = BTreeMap::from([
        (total.clone(), vec!["total_progress".to_owned()]),
        (lists.clone(), vec!["completed_courses".to_owned(), "enrolled_courses".to_owned()]),
        (corrupt.clone(), vec!["progress_state".to_owned()]),
    ]);
    assert_eq!(failing(&before), expected);

    let dry = ended(audit("--repair --dry-run"), 1).await;
    assert_eq!(dry["sent"], 0);
    let of = |id: &str| {
        let all = dry["failing"].as_array().unwrap();
        all.iter().find(|one| one["id"] == id).unwrap()["repair"].clone()
    };
    assert!(of(&total)["changes"].to_string().contains("hhl_total_progress"));
    assert_eq!((&of(&total)["left"], &of(&corrupt)["changes"]), (&json!([]), &json!([])));
    assert_eq!(of(&lists)["left"].as_array().unwrap().len(), 2, "no list loses a course");

    let repaired = ended(audit("--repair"), 1).await;
    assert_eq!(repaired["sent"], 2, "{repaired}");
    let (left, _) = eventually(async || match failing(&ended(audit(""), 1).await) {
        failing if failing.contains_key(&total) => Err(format!("{failing:?}")),
        failing => Ok(failing.len()),
    })
    .await;
    assert_eq!(left, 2, "what the state does not know stays");
    assert_eq!(place.dead().await, 0);
    stack.stop("INT").await;
}

#[tokio::test]
async fn a_backfill_goes_to_whoever_has_a_state_is_resumable_and_says_what_changes() {
    let served = Served::start().await;
    let folder = tempfile::tempdir().unwrap();
    let place = Place::in_folder(folder.path());
    for nth in 0..130 {
        let email = format!("learner-{nth}@example.org");
        let plain = [("email", email.as_str())];
        let stated = [plain[0], ("hhl_progress_state", STATE)];
        let whole = [
            stated[0],
            stated[1],
            ("hhl_enrolled_courses", "a"),
            ("hhl_total_progress", "1"),
            ("hhl_progress_summary", "p: 0/1 courses"),
        ];
        let corrupt = [plain[0], ("hhl_progress_state", "[]")];
        served.add(match nth {
            0..10 => &plain,
            10..30 => &whole,
            30 => &corrupt,
            _ => &stated,
        });
    }
    let backfill = |arguments: &str| {
        at(place.milepost(&format!("backfill --rate 1000 {arguments}")), &served.url)
    };
    let dry = ended(backfill("--dry-run"), 1).await;
    for (name, count) in [
        ("contacts", 130),
        ("withoutState", 10),
        ("changed", 99),
        ("unchanged", 20),
        ("faulty", 1),
        ("sent", 0),
    ] {
        assert_eq!(dry[name], count, "{name}: {dry}");
    }
    assert_eq!(dry["properties"]["hhl_total_progress"], 99);
    assert_eq!(dry["next"], Value::Null);
    assert_eq!(place.events.depth().await.unwrap().total(), 0);

    assert_eq!(ended(backfill("--changed-only"), 1).await["sent"], 99);
    let sent = take_repairs(&place).await;
    assert_eq!(sent, vec![Content::Recompute; 99]);

    let url = format!("{}/crm/v3/objects/contacts?limit=100", served.url);
    let listed = client().get(url).bearer_auth(LOCAL_TOKEN).send().await.unwrap().bytes().await;
    let listed: Value = serde_json::from_slice(&listed.unwrap()).unwrap();
    let next = listed["paging"]["next"]["after"].as_str().unwrap();
    let rest = ended(backfill(&format!("--after {next}")), 0).await;
    assert_eq!((&rest["contacts"], &rest["sent"]), (&30.into(), &30.into()));
}

#[tokio::test]
async fn a_walk_that_is_interrupted_says_where_it_goes_on() {
    let served = Served::start().await;
    for nth in 0..130 {
        let email = format!("learner-{nth}@example.org");
        let is_early = nth < 100;
        let state = if is_early { "" } else { STATE };
        served.add(&[("email", &email), ("hhl_progress_state", state)]);
    }
    for (walk, code_of_the_rest) in [("backfill", 0), ("audit --all --repair", 1)] {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::in_folder(folder.path());
        let mut command = at(place.milepost(&format!("{walk} --rate 5 --json")), &served.url);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let running = command.spawn().unwrap();
        eventually(async || match place.events.depth().await.unwrap().total() {
            0 => Err("nothing was sent".to_owned()),
            _ => Ok(()),
        })
        .await;
        let interrupt = format!("kill -INT {}", running.id().unwrap());
        assert!(Command::new("sh").args(["-c", &interrupt]).status().await.unwrap().success());
        let output = running.wait_with_output().await.unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let next = document(&output)["next"].as_str().unwrap().to_owned();
        assert!(stderr(&output).contains(&format!("--after {next}")), "{output:?}");
        let rest = format!("{walk} --rate 1000 --after {next}");
        let rest = ended(at(place.milepost(&rest), &served.url), code_of_the_rest).await;
        assert_eq!(rest["sent"], 30, "what was cut short is sent again, whole");
    }
}

#[tokio::test]
async fn a_contact_is_shown_with_its_progress_and_its_letters_and_then_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let stack = Running::local(&["--window", "0", "--data", data]).await;
    let place = Place::in_folder(folder.path());
    let client = client();
    for email in [ADA, BOB] {
        let event = json!({
            "eventName": "learning_module_completed", "pathway_slug": "p", "course_slug": "a",
            "contactIdentifier": {"email": email},
            "payload": {"module_slug": "m", "ts": "2026-01-18T17:30:00Z"},
        });
        let url = format!("{}/events/track", stack.api());
        assert_eq!(post(&client, &url, event.to_string()).await.unwrap().0, 200);
    }
    let at_stack = |arguments: &str| at(place.milepost(arguments), stack.portal());
    let show = |who: &str| at_stack(&format!("contact show {who}"));
    eventually(async || {
        let mut command = show(ADA);
        let output = run(command.arg("--json")).await;
        if output.status.success() { Ok(()) } else { Err(format!("{output:?}")) }
    })
    .await;
    let died = "2026-01-19T12:00:00Z";
    place.put(vec![letter(1, ADA, "REJECTED", died), letter(2, BOB, "REJECTED", died)]).await;

    let shown = ended(show(ADA), 0).await;
    assert_eq!(shown["state"]["p"]["courses"]["a"]["modules"]["m"]["completed"], true);
    assert_eq!(shown["milestones"]["hhl_total_progress"], "1");
    assert_eq!(shown["broken"], json!([]));
    assert_eq!(shown["deadLetters"].as_array().unwrap().len(), 1);
    let by_id = ended(show(shown["id"].as_str().unwrap()), 0).await;
    assert_eq!(by_id, shown);
    let text = run(&mut show(ADA)).await;
    for line in [
        "  pathway p, enrolled 2026-01-18T17:30:00.000Z by module_event",
        "      module m, completed 2026-01-18T17:30:00.000Z",
        "hhl_progress_summary     p: 0/1 courses",
        "REJECTED 2026-01-19T12:00:00.000Z, learning_module_completed",
    ] {
        assert!(stdout(&text).contains(line), "{line}: {}", stdout(&text));
    }
    let nobody = ended(show("nobody@example.org"), 1).await;
    assert_eq!(nobody["found"], false);
    let alone = ended(command(&format!("contact show {ADA}"), stack.portal()), 0).await;
    assert_eq!(alone["deadLetters"], Value::Null);

    let unasked = run(&mut at_stack(&format!("contact forget {ADA}"))).await;
    assert_eq!(unasked.status.code(), Some(2), "{unasked:?}");
    let forgotten = ended(at_stack(&format!("contact forget {ADA} --yes")), 0).await;
    assert_eq!((&forgotten["found"], &forgotten["gone"]), (&true.into(), &true.into()));
    assert_eq!((&forgotten["names"], &forgotten["lettersDeleted"]), (&2.into(), &1.into()));
    assert_eq!(ended(show(ADA), 1).await["deadLetters"], json!([]));
    assert_eq!(ended(show(BOB), 0).await["deadLetters"].as_array().unwrap().len(), 1);
    let contacts = get(&client, &format!("{}/_portal/contacts", stack.portal())).await;
    assert!(!contacts.to_string().contains(ADA));
    stack.stop("INT").await;
}

#[tokio::test]
async fn whoever_is_not_gone_yet_is_told_so() {
    let served = Served::start().await;
    served.add(&[("email", ADA), ("hhl_progress_state", STATE)]);
    let folder = tempfile::tempdir().unwrap();
    let place = Place::in_folder(folder.path());
    let forget = format!("contact forget {} --yes --follow 1", ADA.to_uppercase());
    let report = ended(at(place.milepost(&forget), &served.url), 1).await;
    assert_eq!((&report["found"], &report["gone"]), (&true.into(), &false.into()));
    let wishes = take_repairs(&place).await;
    assert_eq!(wishes, vec![Content::Forget; 2], "by e-mail and by record id");
}

#[tokio::test]
async fn what_can_not_be_asked_is_said_before_anything_is_done() {
    let check = async |arguments: &str, code: i32, said: &str| {
        let output = run(&mut command(arguments, "http://127.0.0.1:1")).await;
        assert_eq!(output.status.code(), Some(code), "{arguments}: {output:?}");
        assert!(stderr(&output).contains(said), "{arguments}: {output:?}");
    };
    check("audit --dry-run", 2, "--repair").await;
    check("audit --all --sample 3", 2, "--sample").await;
    check("audit --repair", 2, "QUEUE_URL is missing").await;
    check("backfill", 2, "QUEUE_URL is missing").await;
    check("backfill --dry-run --catalog docs-of-nobody", 2, "set CATALOG_PATH").await;
    check("contact forget 7 --yes", 2, "QUEUE_URL is missing").await;
}
