//! Help that teaches, exit codes, and what stands on which output.

use std::process::Stdio;

use crate::ended::{run, stderr, stdout};
use crate::process::milepost;

#[tokio::test]
async fn the_help_of_each_command_says_why_gives_an_example_and_tells_where_to_read_on() {
    for command in [
        "",
        "local",
        "serve",
        "track",
        "dlq",
        "dlq list",
        "dlq show",
        "dlq replay",
        "dlq export",
        "dlq purge",
        "recover",
        "audit",
        "backfill",
        "contact",
        "contact show",
        "contact forget",
        "properties",
        "properties create",
        "properties check",
        "catalog",
        "catalog check",
        "console",
        "quota",
        "doctor",
        "completions",
        "man",
    ] {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let output = run(&mut milepost(&arguments)).await;
        let help = stdout(&output);
        assert!(output.status.success(), "{command}: {output:?}");
        assert!(help.contains("\nExample: "), "{command} has no example");
        assert!(help.contains("Read on in docs/"), "{command} does not say where to read on");
        assert!(help.contains("--json"), "{command} does not take --json");
        assert!(stderr(&output).is_empty());
    }
}

/// Runs a command in an environment without variables.
#[track_caller]
fn check(arguments: &str, code: i32, said: &str) -> impl Future<Output = ()> {
    let arguments = arguments.to_owned();
    let said = said.to_owned();
    async move {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let output = run(&mut milepost(&arguments)).await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert!(stderr(&output).contains(&said), "{arguments:?}: {output:?}");
        assert!(stdout(&output).is_empty(), "{arguments:?}: {output:?}");
    }
}

#[tokio::test]
async fn usage_ends_with_2_and_says_what_should_be_on_standard_error() {
    check("no-such-command", 2, "unrecognized subcommand").await;
    check("serve", 2, "--data").await;
    check("serve --data unused --json", 2, "HUBSPOT_PRIVATE_APP_TOKEN is missing").await;
    check("properties create --json", 2, "HUBSPOT_PRIVATE_APP_TOKEN is missing").await;
    check("track no-such-file.jsonl --json", 2, "no-such-file.jsonl can't be read").await;
    check("track examples", 2, "examples can't be read").await;
    check("track - --url ftp://127.0.0.1", 2, "hint: ").await;
    check("track - --batch 51", 2, "--batch").await;
    check("catalog check --catalog docs-of-nobody", 2, "set CATALOG_PATH").await;
    check("local --port 0 --catalog docs-of-nobody", 2, "set CATALOG_PATH").await;
}

#[tokio::test]
async fn a_start_that_a_setting_stops_says_so_in_one_line() {
    let mut command = milepost(&["serve", "--data", "unused"]);
    command.env("HUBSPOT_PRIVATE_APP_TOKEN", "secret-token").env("HUBSPOT_HEADROOM", "7");
    let output = run(&mut command).await;
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("HUBSPOT_HEADROOM") && told.contains("0 to 0.9"), "{told}");
    assert!(!told.contains("secret-token"));
}

#[tokio::test]
async fn whoever_stops_reading_is_no_error() {
    let mut command = milepost(&["catalog", "check"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(stderr(&output).is_empty(), "{output:?}");
}

#[tokio::test]
async fn nothing_is_colored_unless_a_terminal_looks_on() {
    let output = run(&mut milepost(&["catalog", "check"])).await;
    assert!(stdout(&output).starts_with("✓ "), "{output:?}");
    assert!(!stdout(&output).contains('\u{1b}'));
}

#[tokio::test]
async fn no_color_holds_at_a_terminal_too() {
    let colored = at_a_terminal("catalog check", &[]).await;
    assert!(colored.contains("\u{1b}[32m✓"), "{colored:?}");
    for arguments in ["catalog check", "--help", "no-such-command", "doctor --data unused"] {
        let plain = at_a_terminal(arguments, &[("NO_COLOR", "1")]).await;
        assert!(!plain.is_empty() && !plain.contains('\u{1b}'), "{arguments}: {plain:?}");
    }
}

/// What a person sees of a command: both outputs, on a terminal of the test's own.
async fn at_a_terminal(arguments: &str, variables: &[(&str, &str)]) -> String {
    const SPAWN: &str = "import pty, sys; pty.spawn(sys.argv[1:])";
    let mut command = milepost(&[]);
    let program = command.as_std().get_program().to_owned();
    let mut terminal = tokio::process::Command::new("python3");
    terminal
        .args(["-c", SPAWN])
        .arg(program)
        .args(arguments.split_whitespace())
        .current_dir(command.as_std_mut().get_current_dir().unwrap())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .envs(variables.iter().copied());
    stdout(&run(&mut terminal).await).to_owned()
}

#[tokio::test]
async fn shells_and_man_are_told_of_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&mut milepost(&["completions", shell])).await;
        assert!(script.status.success() && stderr(&script).is_empty(), "{script:?}");
        for word in ["doctor", "replay", "--dry-run", "completions"] {
            // fish writes an option without its dashes.
            let word = if shell == "fish" { word.trim_start_matches('-') } else { word };
            assert!(stdout(&script).contains(word), "{shell} knows nothing of {word}");
        }
    }
    let page = run(&mut milepost(&["man"])).await;
    assert!(stdout(&page).contains(".TH milepost 1"), "{page:?}");
    assert!(stdout(&page).contains("Exit codes: 0 done"), "{page:?}");
    let page = run(&mut milepost(&["man", "dlq", "replay"])).await;
    assert!(stdout(&page).contains(".TH milepost-dlq-replay 1"), "{page:?}");
    check("man no such", 2, "hint: `milepost help`").await;
    check("completions no-such-shell", 2, "possible values").await;
}
