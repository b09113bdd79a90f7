//! Lines of every kind, each with one fate; a day of events, and the same day again.

use std::process::Stdio;

use host::catalog_folder;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::contacts::{folded, in_simulator};
use crate::ended::{document, run, stderr, stdout};
use crate::process::{Running, client, eventually, get, milepost};

const EXAMPLE: &str = include_str!("../../../examples/events.jsonl");

/// Those of the example's lines that are valid and name somebody.
fn counted() -> Vec<&'static str> {
    let counts = |line: &&str| {
        let submission = shared::submission::read(line.as_bytes());
        submission.is_ok_and(|submission| match submission.events {
            shared::submission::Submitted::Single(event) => event.contact.is_some(),
            shared::submission::Submitted::Batch(_) => false,
        })
    };
    EXAMPLE.lines().filter(counts).collect()
}

#[tokio::test]
async fn the_example_day_adds_up_and_a_second_run_changes_nothing() {
    let stack = Running::local(&["--window", "0"]).await;
    let track = ["track", "examples/events.jsonl", "--url", stack.api()];
    let first = run(&mut milepost(&track)).await;
    assert_eq!(first.status.code(), Some(1), "two lines are invalid: {first:?}");
    let told = stdout(&first).lines().next().unwrap();
    let lines = EXAMPLE.lines().count();
    let accepted = counted().len();
    assert_eq!(lines, accepted + 1 + 2);
    let sum = format!("{lines} sent = {accepted} accepted + 1 anonymous + 2 rejected + 0 failed");
    assert!(told.starts_with(&sum), "{told}");
    for line in stderr(&first).lines() {
        assert!(line.starts_with("line ") && line.contains("SCHEMA_VALIDATION_FAILED"), "{line}");
        assert!(!line.contains('@'), "no address is told: {line}");
    }
    assert_eq!(stderr(&first).lines().count(), 2, "no progress where no terminal looks on");

    let (catalog, _) = catalog_folder::load("../catalog".as_ref()).unwrap();
    let expected = folded(counted(), &catalog);
    let client = client();
    eventually(async || match in_simulator(&client, stack.portal()).await {
        contacts if contacts == expected => Ok(()),
        contacts => Err(format!("{} of {} contacts", contacts.len(), expected.len())),
    })
    .await;
    let contacts = format!("{}/_portal/contacts?limit=1000", stack.portal());
    let after_first = get(&client, &contacts).await;

    let second = run(milepost(&track).arg("--json")).await;
    let counts = document(&second);
    let number = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!(number("sent"), lines as u64);
    assert_eq!(
        number("sent"),
        number("accepted") + number("anonymous") + number("rejected") + number("failed")
    );
    assert_eq!(counts["codes"], json!({"SCHEMA_VALIDATION_FAILED": 2}));
    assert_eq!(counts["lines"].as_array().unwrap().len(), 2);
    eventually(async || match is_idle(&client, stack.api()).await {
        true => Ok(()),
        false => Err("the queue is not idle".to_owned()),
    })
    .await;
    assert_eq!(get(&client, &contacts).await, after_first);
}

/// Whether the console shows that nothing waits.
async fn is_idle(client: &reqwest::Client, api: &str) -> bool {
    let page = client.get(format!("{api}/")).send().await.unwrap().bytes().await.unwrap();
    let page = String::from_utf8_lossy(&page).into_owned();
    let shows = |name: &str| page.contains(&format!("<dt>{name}</dt><dd>0</dd>"));
    shows("Waiting") && shows("Coalescing") && shows("In hand")
}

#[tokio::test]
async fn lines_of_any_kind_from_a_pipe_have_one_fate_each() {
    let stack = Running::local(&[]).await;
    let valid = r#"{"eventName":"learning_pathway_enrolled","pathway_slug":"network-automation","contactIdentifier":{"email":"pipe@example.org"}}"#;
    let long = format!(r#"{{"eventName":"{}"}}"#, "x".repeat(600_000));
    let input = [
        valid.as_bytes(),
        b"",
        b"not json",
        b"[1,2]",
        b"\xff\xfe",
        long.as_bytes(),
        br#"{"events":[]}"#,
        valid.as_bytes(),
    ]
    .join(b"\n".as_slice());
    for batch in ["1", "50"] {
        let mut command =
            milepost(&["track", "-", "--json", "--batch", batch, "--url", stack.api()]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&input).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let counts = document(&output);
        assert_eq!(counts["sent"], 7, "{counts}");
        assert_eq!(counts["accepted"], 2, "{counts}");
        assert_eq!(counts["rejected"], 5, "{counts}");
        let mut lines: Vec<(u64, &str)> = counts["lines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| (line["line"].as_u64().unwrap(), line["code"].as_str().unwrap()))
            .collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                (3, "INVALID_JSON"),
                (4, "SCHEMA_VALIDATION_FAILED"),
                (5, "INVALID_JSON"),
                (6, "PAYLOAD_TOO_LARGE"),
                (7, "SCHEMA_VALIDATION_FAILED"),
            ],
            "--batch {batch}"
        );
    }
}

#[tokio::test]
async fn a_token_is_sent_along_and_one_that_does_not_hold_rejects() {
    let mut command = milepost(&["local", "--json", "--port", "0"]);
    command.env("IDENTITY_POLICY", "signed").env("JWT_SECRET", "a secret of the test");
    let stack = Running::start(&mut command).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), counted()[0]).unwrap();
    let track = ["track", file.path().to_str().unwrap(), "--json", "--url", stack.api()];

    let without = run(&mut milepost(&track)).await;
    assert_eq!(without.status.code(), Some(0), "{without:?}");
    assert_eq!(document(&without)["anonymous"], 1);
    let with = run(milepost(&track).args(["--token", "not.a.token"])).await;
    assert_eq!(with.status.code(), Some(1), "{with:?}");
    assert_eq!(document(&with)["codes"], json!({"INVALID_TOKEN": 1}));
}

#[tokio::test]
async fn a_front_door_that_is_not_there_ends_it_with_3() {
    // Bound and closed again: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{address}");
    let output =
        run(&mut milepost(&["track", "examples/events.jsonl", "--json", "--url", &url])).await;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(stdout(&output).is_empty());
    assert!(stderr(&output).contains("can't be reached") && stderr(&output).contains("hint: "));
}

#[tokio::test]
async fn a_front_door_that_stumbles_is_asked_again_with_the_same_event_ids() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let door = tokio::spawn(async move {
        let persisted = r#"{"status":"persisted","mode":"authenticated","queued":true}"#;
        let answers = [
            None,
            Some("HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned()),
            Some("HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned()),
            Some(format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{persisted}",
                persisted.len()
            )),
        ];
        let mut bodies = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            bodies.push(body(&mut stream).await);
            if let Some(answer) = answer {
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
        bodies
    });

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), r#"{"eventName":"learning_pathway_enrolled"}"#).unwrap();
    let path = file.path().to_str().unwrap();
    let output =
        run(&mut milepost(&["track", path, "--batch", "1", "--json", "--url", &url])).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(document(&output)["accepted"], 1);
    let bodies = door.await.unwrap();
    assert_eq!(bodies.len(), 4);
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    assert!(bodies[0]["eventId"].as_str().unwrap().starts_with("track-"));
}

/// The JSON body of one request.
async fn body(stream: &mut tokio::net::TcpStream) -> Value {
    let mut request = Vec::new();
    loop {
        let mut chunk = [0; 4_096];
        let read = stream.read(&mut chunk).await.unwrap();
        assert!(read > 0, "the request breaks off");
        request.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&request);
        if let Some((_, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            return body;
        }
    }
}

#[tokio::test]
async fn every_row_of_a_table_is_sent_refused_or_skipped() {
    let stack = Running::local(&[]).await;
    let table = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    let rows = [
        "eventName,email,course_slug,module_slug,",
        "learning_module_started,ada@example.org,c,19\" rack,",
        "learning_module_started,bob@example.org,c,m,",
        "learning_module_started,eve@example.org,c,19\" rack",
        "learning_module_started,short@example.org",
        ",,,,",
        "learning_module_started,zoe@example.org,c,m,",
    ];
    let utf_16: Vec<u8> = rows.join("\r\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(table.path(), [b"\xff\xfe".as_slice(), &utf_16].concat()).unwrap();
    let path = table.path().to_str().unwrap();

    let output = run(&mut milepost(&["track", path, "--json", "--url", stack.api()])).await;
    assert_eq!(output.status.code(), Some(1), "a row is refused: {output:?}");
    let counts = document(&output);
    let number = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!(number("rows"), rows.len() as u64 - 1);
    assert_eq!((number("sent"), number("refused"), number("skipped")), (4, 1, 1), "{counts}");
    assert_eq!(number("sent"), number("accepted") + number("rejected"), "{counts}");
    assert_eq!(counts["lines"][0]["code"], "UNREADABLE_ROW", "{counts}");
    assert_eq!(counts["lines"][0]["line"], 5, "{counts}");
    assert!(!stderr(&output).contains('@'), "no address is told: {output:?}");

    std::fs::write(table.path(), "email,eventName,email\na@b.co,x,c@d.co\n").unwrap();
    let output = run(&mut milepost(&["track", path, "--json", "--url", stack.api()])).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(document(&output)["rows"], 0, "nothing is sent");
    assert!(stderr(&output).contains("two columns for the same field"), "{output:?}");
}

#[tokio::test]
async fn a_table_is_sent_and_taken_up_again_where_it_was_left() {
    let stack = Running::local(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (table, progress) = (path("history.csv"), path("history.progress"));
    let header = "eventName,email,pathway_slug,ts\n";
    let row = |name: &str| {
        format!("learning_pathway_enrolled,{name}@example.org,p,2026-01-18T17:30:00Z\n")
    };
    let sent = async |rows: &[&str]| {
        let text: String = rows.iter().map(|name| row(name)).collect();
        std::fs::write(&table, format!("{header}{text}")).unwrap();
        let arguments = ["track", &table, "--json", "--resume", &progress, "--url", stack.api()];
        let output = run(&mut milepost(&arguments)).await;
        (output.status.code(), stdout(&output).to_owned())
    };
    let counted = |sent: (Option<i32>, String)| {
        assert_eq!(sent.0, Some(0), "{sent:?}");
        let counts: Value = serde_json::from_str(&sent.1).unwrap();
        counts["accepted"].as_u64().unwrap()
    };
    assert_eq!(counted(sent(&["ada", "bob"]).await), 2);
    assert_eq!(counted(sent(&["ada", "bob", "eve"]).await), 1);
    assert_eq!(counted(sent(&["ada", "bob", "eve"]).await), 0);
    assert_eq!(sent(&["eve", "bob"]).await.0, Some(2), "another table is not gone on with");
    stack.stop("INT").await;
}
