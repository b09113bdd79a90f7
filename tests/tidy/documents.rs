//! Rules for documents: their links lead somewhere, and the names that they share with the code
//! are the same on both sides.
//!
//! A document is the reference for names that others rely on; one that the code has and the
//! document lacks is a name that nobody can look up.

use std::collections::BTreeSet;

use shared::dead_letter::Reason;
use shared::event::EventName;
use shared::journal::Figure;
use shared::properties::PROPERTIES;
use shared::submission::RejectionCode;

use crate::files::{File, files, literals, root, text};

/// Every variable that the project promises to read.
const PROMISED: [&str; 20] = [
    "QUEUE_URL",
    "DLQ_URL",
    "HUBSPOT_BASE_URL",
    "HUBSPOT_API_VERSION",
    "HUBSPOT_PRIVATE_APP_TOKEN",
    "HUBSPOT_TOKEN_PARAMETER",
    "HUBSPOT_BURST_LIMIT",
    "HUBSPOT_HEADROOM",
    "QUARANTINE_S",
    "WORKER_CONCURRENCY",
    "ENABLE_CRM_PROGRESS",
    "PROGRESS_BACKEND",
    "IDENTITY_POLICY",
    "JWT_SECRET",
    "ALLOWED_ORIGINS",
    "CATALOG_PATH",
    "APP_STAGE",
    "LOG_LEVEL",
    "MILEPOST_CONSOLE_TOKEN",
    "NO_COLOR",
];

#[test]
fn a_link_leads_to_a_file_that_exists() {
    let mut broken = Vec::new();
    for File { path, text } in files("", ".md") {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in links(&text) {
            let target = link.split('#').next().unwrap();
            let is_elsewhere = link.contains("://") || link.starts_with("mailto:");
            if !is_elsewhere && !target.is_empty() && !root().join(folder).join(target).exists() {
                broken.push(format!("{path} links to {link}"));
            }
        }
    }
    assert_eq!(broken, [""; 0]);
}

#[test]
fn a_link_to_a_section_names_one_that_exists() {
    let mut broken = Vec::new();
    for File { path, text } in files("", ".md") {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in links(&text) {
            let Some((target, section)) = link.split_once('#') else { continue };
            let target = match target {
                "" => root().join(&path),
                target => root().join(folder).join(target),
            };
            // A file that is not there is the other rule's.
            let Ok(target) = std::fs::read_to_string(target) else { continue };
            if !sections(&target).contains(section) {
                broken.push(format!("{path} links to {link}"));
            }
        }
    }
    assert_eq!(broken, [""; 0]);
}

#[test]
fn a_document_that_the_code_names_exists() {
    let mut missing = Vec::new();
    for File { path, text } in files("", ".rs") {
        for (at, _) in text.match_indices("docs/") {
            let named = &text[at..];
            let end = named.find(".md").map(|end| end + ".md".len());
            let named = &named[..end.unwrap_or_default()];
            let is_name = named.bytes().all(|b| b.is_ascii_lowercase() || b"/-.".contains(&b));
            if is_name && !named.is_empty() && !root().join(named).exists() {
                missing.push(format!("{path} names {named}"));
            }
        }
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn the_map_of_the_documents_leads_to_each_of_them() {
    let map = text("docs/README.md");
    let linked: BTreeSet<&str> = links(&map).into_iter().collect();
    for File { path, .. } in files("docs", ".md") {
        let name = path.trim_start_matches("docs/");
        assert!(name == "README.md" || linked.contains(name), "docs/README.md lacks {name}");
    }
}

#[test]
fn every_variable_that_is_read_is_documented_and_the_other_way_round() {
    let document = text("docs/settings.md");
    let documented = |heading: &str| rows(&document, heading);

    let mut read = variables(&text("shared/src/settings.rs"));
    read.extend(variables(&text("ops/command/src/output.rs")));
    assert_eq!(read, documented("Milepost's own"));
    assert_eq!(read, BTreeSet::from(PROMISED.map(str::to_owned)));

    let of_aws: BTreeSet<String> =
        ["adapters/aws", "adapters/host", "adapters/signed", "adapters/sqs", "ops/command", "ops"]
            .iter()
            .flat_map(|folder| files(&format!("{folder}/src"), ".rs"))
            .flat_map(|file| variables(&file.text))
            .filter(|name| name.starts_with("AWS_"))
            .collect();
    assert_eq!(of_aws, documented("AWS's own"));
}

#[test]
fn every_metric_is_documented_and_the_other_way_round() {
    let named = Figure::ALL.map(|figure| figure.name().to_owned());
    assert_eq!(BTreeSet::from(named), rows(&text("docs/logs.md"), "Metrics"));
}

#[test]
fn every_reason_of_a_dead_letter_is_documented_and_the_other_way_round() {
    let named = Reason::ALL.map(|reason| reason.as_str().to_owned());
    assert_eq!(BTreeSet::from(named), rows(&text("docs/queue.md"), "Reasons"));
}

#[test]
fn every_property_is_documented_and_the_other_way_round() {
    let named = PROPERTIES.map(|property| property.name.to_owned());
    assert_eq!(BTreeSet::from(named), rows(&text("docs/hubspot.md"), "Properties"));
}

#[test]
fn every_event_and_every_code_is_documented() {
    let document = text("docs/http.md");
    let named = EventName::ALL.map(|event| event.as_str().to_owned());
    assert_eq!(BTreeSet::from(named), rows(&document, "Events"));
    for code in [
        RejectionCode::PayloadTooLarge,
        RejectionCode::InvalidJson,
        RejectionCode::SchemaValidationFailed,
    ] {
        assert!(document.contains(code.as_str()), "docs/http.md lacks {}", code.as_str());
    }
}

#[test]
fn nothing_names_a_path_of_somebodys_machine() {
    // In two parts: this file is looked at too.
    let foreign = ["work", "root", "home", "Users", "mnt"].map(|folder| format!("/{folder}/"));
    let mut found = Vec::new();
    for ending in [".md", ".rs", ".toml", ".json", "/run"] {
        for File { path, text } in files("", ending) {
            for (number, line) in text.lines().enumerate() {
                for foreign in &foreign {
                    // Inside a longer path or an address it is somebody else's.
                    let names = |at: usize| {
                        !line[..at].ends_with(|c: char| c.is_alphanumeric() || "./-_".contains(c))
                    };
                    if line.match_indices(foreign.as_str()).any(|(at, _)| names(at)) {
                        found.push(format!("{path}:{}: {foreign}", number + 1));
                    }
                }
            }
        }
    }
    assert_eq!(found, [""; 0]);
}

/// The targets of a document's links, in order; code blocks have none.
fn links(markdown: &str) -> Vec<&str> {
    let prose = markdown.lines().filter(|line| !line.starts_with("    "));
    prose
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| rest.split_once(')').map(|(link, _)| link))
        .collect()
}

/// The headings of a document, as links name them.
pub(crate) fn sections(markdown: &str) -> BTreeSet<String> {
    let headings = markdown.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|heading| {
            heading
                .trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

/// The names that the rows of a section's tables begin with: `| `NAME`, `NAME` | …`.
fn rows(markdown: &str, heading: &str) -> BTreeSet<String> {
    let mut is_in = false;
    let mut names = BTreeSet::new();
    for line in markdown.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            is_in = title == heading;
        } else if is_in && line.starts_with("| `") {
            let cell = line.split('|').nth(1).unwrap_or_default();
            names.extend(cell.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    assert!(!names.is_empty(), "no table under the heading {heading:?}");
    names
}

/// The variables that Rust code names: texts in capitals.
fn variables(rust: &str) -> BTreeSet<String> {
    let is_name = |text: &&str| {
        let capital = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        text.len() > 3 && text.contains('_') && text.bytes().all(capital)
    };
    literals(rust).into_iter().filter(is_name).map(str::to_owned).collect()
}

#[test]
fn links_sections_and_rows_are_found() {
    assert_eq!(links("a [b](c.md#d), [e](f)\n    [code](g)"), ["c.md#d", "f"]);
    assert_eq!(sections("# A `b`: c\ntext\n## D"), ["a-b-c", "d"].map(str::to_owned).into());
    let table = "## A\n| `X`, `Y` | `Z` |\n| `W` |\n## B\n| `V` |";
    assert_eq!(rows(table, "A"), ["W", "X", "Y"].map(str::to_owned).into());
}
