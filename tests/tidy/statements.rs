//! Statements that documents make about code, held against the code.
//!
//! A path, a port or a file that a document names can be gone a month later. What a text search can
//! tell, a test here tells; the rest a reader must.

use std::collections::BTreeSet;

use crate::files::{code, files, is_of_a_name, root, text};

/// What `hubspot`'s `ApiVersion` makes a path's beginning of.
const ROOTS: [&str; 5] = ["contacts", "properties", "groups", "events", "account_info"];

/// The endings by which a name in a document is one of a file.
const ENDINGS: [&str; 9] =
    [".rs", ".toml", ".md", ".json", ".jsonl", ".mjs", ".yaml", ".svg", ".css"];

#[test]
fn the_architecture_lists_every_port() {
    let mut public = BTreeSet::new();
    for file in files("", ".rs") {
        if file.is_source() && !file.path.starts_with("tests/") {
            public.extend(traits(&code(&file.text)));
        }
    }
    let architecture = text("ARCHITECTURE.md");
    let (_, statement) = architecture.split_once("The ports are").unwrap();
    let (sentence, _) = statement.split_once(". Beside them").unwrap();
    let names = quoted(sentence).into_iter();
    let listed: BTreeSet<String> =
        names.filter(|name| name.starts_with(char::is_uppercase)).map(str::to_owned).collect();
    assert_eq!(listed, public, "each public trait of the product is a port");
}

#[test]
fn hubspots_paths_are_documented_and_the_other_way_round() {
    let mut called = BTreeSet::new();
    for file in files("adapters/hubspot/src", ".rs") {
        let (product, _) = file.text.split_once("#[cfg(test)]").unwrap_or((&file.text, ""));
        let is_test = file.path.ends_with("tests.rs") || file.path.ends_with("/version.rs");
        if !is_test {
            called.extend(paths(product));
        }
    }
    let document = text("docs/hubspot.md");
    let (_, table) = document.split_once("### Paths").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let cells = table.lines().filter(|line| line.starts_with("| `"));
    let documented: BTreeSet<String> =
        cells.flat_map(|line| quoted(line.split('|').nth(1).unwrap())).map(unnamed).collect();
    assert_eq!(documented, called);
}

#[test]
fn worker_and_reader_never_search() {
    for folder in ["worker", "reader"] {
        for file in files(folder, ".rs") {
            assert!(!code(&file.text).contains(".search("), "{} searches", file.path);
        }
    }
}

#[test]
fn a_file_that_a_document_names_exists() {
    let mut missing = Vec::new();
    let mut named = 0;
    for file in files("", ".md").into_iter().filter(|file| file.path != "CHANGELOG.md") {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for name in quoted(&prose(&file.text)) {
            let is_name = |c: char| is_of_a_name(c) || "/-.".contains(c);
            let is_file = name.contains('/') && ENDINGS.iter().any(|ending| name.ends_with(ending));
            // A variable part, an address, or a file of the reader's own.
            if !is_file || !name.chars().all(is_name) || name.starts_with(['/', '.']) {
                continue;
            }
            if name.contains("NAME") {
                continue;
            }
            named += 1;
            if !root().join(name).exists() && !root().join(folder).join(name).exists() {
                missing.push(format!("{} names {name}", file.path));
            }
        }
    }
    assert!(named > 20, "only {named} names of files were found");
    assert_eq!(missing, [""; 0]);
}

#[test]
fn each_place_of_the_code_map_exists() {
    let architecture = text("ARCHITECTURE.md");
    let (_, map) = architecture.split_once("| place | what it decides |").unwrap();
    let (map, _) = map.split_once("\n\n").unwrap();
    let mut missing = Vec::new();
    for row in map.lines().filter(|line| line.starts_with("| `")) {
        let mut package = "";
        for place in quoted(row.split('|').nth(1).unwrap()) {
            let (of, module) = place.rsplit_once('/').unwrap_or((package, place));
            let is_module = root().join(format!("{of}/src/{module}.rs")).exists();
            if is_module {
                package = of;
            } else if !root().join(place).is_dir() {
                missing.push(place.to_owned());
            }
        }
    }
    assert_eq!(missing, [""; 0], "neither a folder nor a module");
}

/// The names of the public traits that code declares.
fn traits(code: &str) -> Vec<String> {
    let declared = code.lines().filter_map(|line| line.trim_start().strip_prefix("pub trait "));
    declared.map(|rest| rest.chars().take_while(|c| is_of_a_name(*c)).collect()).collect()
}

/// The paths that a module of `hubspot` makes, each with its root and without its query.
fn paths(rust: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for path_root in ROOTS {
        for method in [format!("version.{path_root}()"), format!("version().{path_root}()")] {
            for (at, _) in rust.match_indices(&method) {
                // The text of the `format!` that the root is an argument of, if it is of one.
                let before = &rust[..at];
                let statement = &before[before.rfind([';', '>']).map_or(0, |end| end + 1)..];
                let text =
                    statement.rsplit_once("format!(").and_then(|(_, of)| of.split('"').nth(1));
                let below = text.and_then(|text| text.strip_prefix("{}")).unwrap_or_default();
                let below = below.split('?').next().unwrap_or_default();
                paths.push(unnamed(&format!("{path_root}{below}")));
            }
        }
    }
    paths
}

/// A path with `{}` for each variable part, whatever its name.
fn unnamed(path: &str) -> String {
    let mut parts = path.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| path + "{}" + part.split_once('}').map_or("", |(_, rest)| rest))
}

/// What stands between backticks, in order.
fn quoted(markdown: &str) -> Vec<&str> {
    markdown.split('`').skip(1).step_by(2).collect()
}

/// A document without its blocks of code.
fn prose(markdown: &str) -> String {
    let mut is_fenced = false;
    let mut prose = String::new();
    for line in markdown.lines() {
        is_fenced ^= line.trim_start().starts_with("```");
        if !is_fenced && !line.starts_with("    ") && !line.trim_start().starts_with("```") {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

#[test]
fn traits_paths_and_quoted_names_are_found() {
    assert_eq!(traits("pub trait A: Send {\npub(crate) trait B {"), ["A"]);
    let rust = r#"let p = format!("{}/batch/{verb}?a={}", self.version.contacts(), b);
        let q = Call::read(Method::GET, self.version().groups());"#;
    assert_eq!(paths(rust), ["contacts/batch/{}", "groups"]);
    assert_eq!(unnamed("a/{id or e-mail}/b"), "a/{}/b");
    assert_eq!(quoted("a `b` c\n`d/e`"), ["b", "d/e"]);
    assert_eq!(prose("a\n    b\n```\nc\n```\nd"), "a\nd\n");
}
