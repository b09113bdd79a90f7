//! Which crate may name which. Cargo holds the edges of the crates; this holds those of each
//! `main.rs`, which a crate shares its manifest with, and the list itself.
//!
//! A new edge changes [`EDGES`] and ARCHITECTURE.md in one commit.

use std::process::Command;

use crate::files::{File, code, files, is_of_a_name, root, text};

/// A package: its folder, what its library may name, and what its `main.rs` may name beside that.
struct Edges {
    folder: &'static str,
    library: &'static [&'static str],
    main: &'static [&'static str],
}

const EDGES: &[Edges] = &[
    Edges { folder: "shared", library: &[], main: &[] },
    Edges { folder: "adapters/aws", library: &[], main: &[] },
    Edges { folder: "adapters/host", library: &["shared"], main: &[] },
    Edges { folder: "adapters/hubspot", library: &["shared"], main: &[] },
    Edges { folder: "adapters/sqlite", library: &["shared"], main: &[] },
    Edges { folder: "adapters/sqs", library: &["shared", "aws"], main: &[] },
    Edges { folder: "adapters/signed", library: &["shared", "aws", "hubspot"], main: &[] },
    Edges { folder: "ingest", library: &["shared"], main: &["ingest", "host", "sqs"] },
    Edges {
        folder: "worker",
        library: &["shared", "hubspot"],
        main: &["worker", "host", "signed", "sqs"],
    },
    Edges {
        folder: "reader",
        library: &["shared", "hubspot"],
        main: &["reader", "host", "signed"],
    },
    Edges { folder: "simulator/portal", library: &["shared"], main: &[] },
    Edges { folder: "simulator", library: &["shared", "hubspot", "simulator_portal"], main: &[] },
    Edges { folder: "simulator/server", library: &["shared", "simulator"], main: &[] },
    Edges { folder: "ops/dead_letters", library: &["shared"], main: &[] },
    Edges {
        folder: "ops/console",
        library: &["shared", "dead_letters", "simulator", "sqlite"],
        main: &[],
    },
    Edges {
        folder: "local",
        library: &[
            "shared",
            "ingest",
            "worker",
            "reader",
            "hubspot",
            "sqlite",
            "simulator",
            "simulator_server",
            "dead_letters",
            "console",
        ],
        main: &[],
    },
    Edges {
        folder: "ops/command",
        library: &["shared", "host", "hubspot", "signed", "sqs", "sqlite", "dead_letters"],
        main: &[],
    },
    Edges {
        folder: "ops/setup",
        library: &[
            "shared", "host", "hubspot", "signed", "sqs", "sqlite", "worker", "reader", "command",
        ],
        main: &[],
    },
    Edges {
        folder: "ops/sending",
        library: &["shared", "host", "ingest", "dead_letters", "command"],
        main: &[],
    },
    Edges {
        folder: "ops",
        // Its own tests take the emulator of SQS from `tests`, and look at the queue and the
        // simulator; the program names neither.
        library: &[
            "shared",
            "host",
            "hubspot",
            "signed",
            "sqs",
            "local",
            "dead_letters",
            "console",
            "command",
            "setup",
            "sending",
            "sqlite",
            "simulator",
            "simulator_server",
            "tests",
        ],
        main: &[],
    },
    Edges {
        folder: "tests",
        library: &[
            "shared",
            "host",
            "hubspot",
            "sqs",
            "ingest",
            "worker",
            "reader",
            "local",
            "dead_letters",
            "console",
            "sqlite",
            "simulator",
            "simulator_server",
            "simulation",
            "planted",
        ],
        main: &[],
    },
    // What the functions are measured against names nothing of ours.
    Edges { folder: "tests/benches/smallest", library: &[], main: &[] },
    Edges {
        folder: "tests/simulation",
        library: &["shared", "hubspot", "ingest", "worker", "simulator", "simulation", "planted"],
        main: &[],
    },
    Edges { folder: "tests/simulation/planted", library: &["planted"], main: &[] },
];

/// The packages as code names them; `milepost`, the package of `ops`, has no library to name.
const CRATES: &[&str] = &[
    "shared",
    "host",
    "hubspot",
    "signed",
    "sqs",
    "ingest",
    "worker",
    "reader",
    "local",
    "simulator",
    "simulator_portal",
    "simulator_server",
    "dead_letters",
    "console",
    "command",
    "setup",
    "sending",
    "sqlite",
    "milepost",
    "tests",
    "simulation",
    "planted",
    "aws",
    "smallest",
];

/// What would bring the outside into `shared`.
const IMPURE: [&str; 13] = [
    "tokio",
    "reqwest",
    "aws",
    "lambda",
    "hyper",
    "axum",
    "rusqlite",
    "rustls",
    "getrandom",
    "rand",
    "uuid",
    "governor",
    "http",
];

#[test]
fn the_table_of_edges_knows_every_package() {
    let manifest = text("Cargo.toml");
    let members = between(&manifest, "members = [", "]");
    let mut members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    let mut known: Vec<&str> = EDGES.iter().map(|edges| edges.folder).collect();
    members.sort_unstable();
    known.sort_unstable();
    assert_eq!(members, known);
}

#[test]
fn a_crate_names_only_what_stands_below_it() {
    let mut found = Vec::new();
    for Edges { folder, library, main } in EDGES {
        for file in own(folder) {
            let is_main = file.path == format!("{folder}/src/main.rs");
            for name in named(&file.text) {
                let allowed = library.contains(&name) || (is_main && main.contains(&name));
                // A package's integration tests name the package itself.
                let is_itself = folder.rsplit('/').next() == Some(name);
                if !allowed && !is_itself {
                    found.push(format!("{} names {name}", file.path));
                }
            }
        }
    }
    assert_eq!(found, [""; 0], "a new edge changes the table here and ARCHITECTURE.md");
}

#[test]
fn a_manifest_lists_only_what_its_code_may_name() {
    let mut found = Vec::new();
    for Edges { folder, library, main } in EDGES {
        let path = format!("{folder}/Cargo.toml");
        for name in listed(&text(&path)) {
            let is_ours = CRATES.contains(&name.as_str());
            if is_ours && !library.contains(&name.as_str()) && !main.contains(&name.as_str()) {
                found.push(format!("{path} lists {name}"));
            }
        }
    }
    assert_eq!(found, [""; 0]);
}

#[test]
fn shared_is_pure() {
    let listed = listed(&text("shared/Cargo.toml"));
    let impure: Vec<&String> =
        listed.iter().filter(|name| IMPURE.iter().any(|i| is_of_family(name, i))).collect();
    assert!(impure.is_empty(), "shared takes time, chance and IO as ports: {impure:?}");
}

/// With it, equal states would no longer be equal texts.
#[test]
fn no_crate_makes_json_keep_the_order_of_insertion() {
    for manifest in files("", "Cargo.toml") {
        assert!(!manifest.text.contains("preserve_order"), "{}", manifest.path);
    }
    let cargo = env!("CARGO");
    let tree = Command::new(cargo)
        .args(["tree", "--workspace", "--locked", "--edges", "features", "--invert", "serde_json"])
        .current_dir(root())
        .output()
        .unwrap();
    let features = String::from_utf8(tree.stdout).unwrap();
    let told = String::from_utf8_lossy(&tree.stderr);
    assert!(features.contains("serde_json feature \"std\""), "cargo tree says: {told}");
    assert!(!features.contains("serde_json feature \"preserve_order\""), "{features}");
}

/// The Rust files of a package, without those of the packages inside its folder.
fn own(folder: &str) -> impl Iterator<Item = File> {
    let inside: Vec<String> = EDGES
        .iter()
        .filter(|edges| edges.folder.starts_with(&format!("{folder}/")))
        .map(|edges| format!("{}/", edges.folder))
        .collect();
    let is_own = move |file: &File| !inside.iter().any(|inner| file.path.starts_with(inner));
    files(folder, ".rs").into_iter().filter(is_own)
}

/// The crates of ours that Rust code names by a path or a `use`.
fn named(rust: &str) -> Vec<&'static str> {
    let code = code(rust);
    let names = |name: &str| {
        code.match_indices(name).any(|(at, _)| {
            let (before, after) = (&code[..at], &code[at + name.len()..]);
            let begins = !before.ends_with(|c: char| is_of_a_name(c) || ":.'$".contains(c));
            let is_used = before.ends_with("use ") && !after.starts_with(is_of_a_name);
            begins && (after.starts_with("::") || is_used)
        })
    };
    // A module named `tests` is in every crate: who lists the package is seen in the manifests.
    CRATES.iter().copied().filter(|name| *name != "tests" && names(name)).collect()
}

/// What a manifest's dependency tables list.
fn listed(manifest: &str) -> Vec<String> {
    let mut listed = Vec::new();
    let mut is_dependencies = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            is_dependencies = line.ends_with("dependencies]");
        } else if is_dependencies && line.contains('=') && !line.starts_with('#') {
            let name: String = line.chars().take_while(|c| is_of_a_name(*c) || *c == '-').collect();
            listed.push(name);
        }
    }
    listed
}

/// Whether `aws-sdk-sqs` is of the family `aws`.
fn is_of_family(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap();
    rest.split_once(to).unwrap().0
}

#[test]
fn a_path_and_a_use_name_a_crate_and_a_module_of_that_name_does_not() {
    #[track_caller]
    fn check(rust: &str, expected: &[&str]) {
        assert_eq!(named(rust), expected);
    }
    check("use host::clock::SystemClock;", &["host"]);
    check("fn f() -> host::lambda::Error {}", &["host"]);
    check("pub use sqs;", &["sqs"]);
    check("// use host::x;\nf(\"host::x\");", &[]);
    check("crate::local::run(); self.host.x(); ghost::x(); hosted::x(); let host: u8;", &[]);
    check("use crate::{host, local};", &[]);
}
