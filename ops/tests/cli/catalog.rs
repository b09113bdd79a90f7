//! What is worth a look, and what is broken.

use std::path::Path;

use serde_json::json;

use crate::ended::{document, run, stdout};
use crate::process::milepost;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

async fn check(folder: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = milepost(&["catalog", "check"]);
    run(command.args(arguments).env("CATALOG_PATH", folder)).await
}

#[tokio::test]
async fn the_catalog_of_the_repository_is_right() {
    let output = run(&mut milepost(&["catalog", "check", "--json"])).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        document(&output),
        json!({"path": "catalog", "courses": 6, "pathways": 3, "errors": 0, "warnings": 0,
               "faults": []})
    );
}

#[tokio::test]
async fn what_is_worth_a_look_ends_with_0_and_what_is_broken_with_1() {
    let gap = folder(&[
        ("courses/a.json", r#"{"slug":"a","modules":["m"]}"#),
        ("pathways/p.json", r#"{"slug":"p","courses":["a","gone"]}"#),
    ]);
    let output = check(gap.path(), &[]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stdout(&output).starts_with("! p: "), "{output:?}");

    let broken = folder(&[
        ("courses/a.json", "{"),
        ("courses/b.json", r#"{"slug":"b;c","modules":["m"]}"#),
        ("pathways/courses.json", r#"{"slug":"courses","courses":[]}"#),
    ]);
    let output = check(broken.path(), &[]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    for place in ["✗ courses/a.json: ", "✗ courses/b.json: ", "✗ pathways/courses.json: "] {
        assert!(stdout(&output).contains(place), "{output:?}");
    }
    let output = check(broken.path(), &["--json"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(document(&output)["errors"], 3);
}

#[tokio::test]
async fn a_file_that_is_no_text_is_a_fault_of_the_catalog() {
    let no_text = folder(&[("courses/a.json", "")]);
    std::fs::write(no_text.path().join("courses/a.json"), [0xFF]).unwrap();
    let output = check(no_text.path(), &["--json"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(document(&output)["faults"][0]["what"].as_str().unwrap().contains("a.json"));
}
