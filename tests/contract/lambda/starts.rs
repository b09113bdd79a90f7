//! A start that can't be made ends at once, with one line that names what is wrong.

use std::collections::BTreeMap;
use std::process::Stdio;

use tests::binaries::Function;
use tests::emulator::Variables;
use tokio::process::Command;

/// All that the functions need, without anybody behind it.
fn complete() -> Variables {
    let here = "http://127.0.0.1:9";
    BTreeMap::from([
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9".to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", "function".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("QUEUE_URL", format!("{here}/000000000000/events.fifo")),
        ("DLQ_URL", format!("{here}/000000000000/events-dlq.fifo")),
        ("HUBSPOT_BASE_URL", here.to_owned()),
        ("HUBSPOT_PRIVATE_APP_TOKEN", "pat-secret".to_owned()),
        ("CATALOG_PATH", super::catalog()),
    ])
}

/// Starts the function with one variable changed, and checks that it ends with a line that names it.
async fn check(function: Function, name: &'static str, value: Option<&str>) {
    let mut variables = complete();
    match value {
        Some(value) => variables.insert(name, value.to_owned()),
        None => variables.remove(name),
    };
    let program = function.program().await.unwrap();
    let mut command = Command::new(program);
    command.env_clear().envs(&variables).stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(super::PATIENCE, command.output());
    let ended = ended.await.expect("it does not start").unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    let case = format!("{function:?} with {name}={value:?} said {said:?}");
    assert_eq!(ended.status.code(), Some(2), "{case}");
    assert!(said.lines().count() == 1 && said.contains(name), "{case}");
    assert!(said.contains("; hint: ") && !said.contains("pat-secret"), "{case}");
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "", "{case}");
}

#[tokio::test]
async fn a_setting_that_is_missing_or_wrong_stops_the_start_with_a_line_that_names_it() {
    for function in Function::ALL {
        for name in [
            "AWS_LAMBDA_RUNTIME_API",
            "AWS_LAMBDA_FUNCTION_NAME",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            "AWS_LAMBDA_FUNCTION_VERSION",
        ] {
            check(function, name, None).await;
        }
        check(function, "LOG_LEVEL", Some("loud")).await;
    }
    for function in [Function::Ingest, Function::Worker] {
        check(function, "QUEUE_URL", None).await;
        check(function, "QUEUE_URL", Some("events.fifo")).await;
        check(function, "AWS_REGION", None).await;
        check(function, "AWS_ACCESS_KEY_ID", None).await;
    }
    for function in [Function::Worker, Function::Reader] {
        check(function, "HUBSPOT_PRIVATE_APP_TOKEN", None).await;
        check(function, "HUBSPOT_API_VERSION", Some("v1")).await;
    }
    for function in [Function::Ingest, Function::Reader] {
        check(function, "IDENTITY_POLICY", Some("strict")).await;
    }
    check(Function::Worker, "DLQ_URL", None).await;
    check(Function::Worker, "CATALOG_PATH", Some("/nowhere")).await;
    check(Function::Worker, "PROGRESS_BACKEND", Some("contacts")).await;
    check(Function::Reader, "HUBSPOT_HEADROOM", Some("0")).await;
}
