//! What is built once serves all: `cargo run`, `cargo test` and `cargo build -p milepost` ask for
//! the same features of each library. Where they differ in one, cargo builds that library and all
//! above it again, for minutes, whenever somebody goes from one command to another.

use std::collections::BTreeMap;
use std::process::Command;

use crate::files::root;

#[test]
fn the_program_the_workspace_and_the_tests_share_what_is_built() {
    let program = features(&["--package", "milepost", "--edges", "normal"]);
    assert!(program.keys().any(|library| library.starts_with("tokio v")), "cargo tree says little");
    for (whose, arguments) in [
        ("cargo run", ["--workspace", "--edges", "normal"]),
        ("cargo test", ["--workspace", "--edges", "normal,dev"]),
    ] {
        let asked = features(&arguments);
        let differing: Vec<_> =
            program.iter().filter(|(library, mine)| asked.get(*library) != Some(mine)).collect();
        assert!(
            differing.is_empty(),
            "{whose} asks for other features of {differing:?}; add what lacks to ops/Cargo.toml"
        );
    }
}

/// The features of each library, one entry for each of its versions.
fn features(arguments: &[&str]) -> BTreeMap<String, Vec<String>> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix", "none", "--format", "{p}|{f}"])
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "cargo tree says: {told}");
    let mut features: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8(tree.stdout).unwrap().lines() {
        let line = line.trim_end_matches(" (*)");
        let Some((library, asked)) = line.split_once('|') else { continue };
        // What runs in the compiler is built apart.
        if library.ends_with("(proc-macro)") {
            continue;
        }
        let all = features.entry(library.to_owned()).or_default();
        if !all.iter().any(|known| known == asked) {
            all.push(asked.to_owned());
        }
    }
    features.values_mut().for_each(|all| all.sort());
    features
}
