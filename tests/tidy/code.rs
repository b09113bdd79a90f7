//! Rules for modules: how long, how they begin, and what they may not hold.

use crate::files::{code, files, text};

/// Beyond it a module decides more than one thing.
const MODULE_LINES_MAX: usize = 450;
/// A function's `main.rs` wires, and decides nothing.
const MAIN_LINES_MAX: usize = 80;

/// The functions' packages.
const FUNCTIONS: [&str; 3] = ["ingest", "worker", "reader"];

#[test]
fn no_module_is_longer_than_450_lines() {
    let long: Vec<String> = files("", ".rs")
        .into_iter()
        .map(|file| (file.text.lines().count(), file.path))
        .filter(|(lines, _)| *lines > MODULE_LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert_eq!(long, [""; 0], "split it by decision");
}

#[test]
fn the_main_of_a_function_only_wires() {
    for function in FUNCTIONS {
        let path = format!("{function}/src/main.rs");
        let lines = code(&text(&path)).lines().filter(|line| !line.trim().is_empty()).count();
        assert!(lines <= MAIN_LINES_MAX, "{path}: {lines} lines of code, {MAIN_LINES_MAX} allowed");
    }
}

#[test]
fn every_module_begins_with_what_it_is() {
    let silent: Vec<String> = files("", ".rs")
        .into_iter()
        .filter(|file| file.is_source())
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| file.path)
        .collect();
    assert_eq!(silent, [""; 0], "begin it with `//!`: what it decides, in, out, its invariant");
}

#[test]
fn no_test_is_ignored_and_no_code_is_left_to_do() {
    let mut found = Vec::new();
    for file in files("", ".rs") {
        for (number, line) in code(&file.text).lines().enumerate() {
            for what in ["#[ignore", "#[should_panic", "todo!", "unimplemented!", "dbg!"] {
                if line.contains(what) {
                    found.push(format!("{}:{}: {what}", file.path, number + 1));
                }
            }
        }
    }
    assert_eq!(found, [""; 0]);
}

#[test]
fn no_module_is_named_for_nothing() {
    let nameless = ["utils", "util", "helpers", "helper", "manager", "common", "misc", "mod"];
    let found: Vec<String> = files("", ".rs")
        .into_iter()
        .map(|file| file.path)
        .filter(|path| path.split(['/', '.']).any(|part| nameless.contains(&part)))
        .collect();
    assert_eq!(found, [""; 0], "name it by what it holds");
}
