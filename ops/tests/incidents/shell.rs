//! The command line as an operator has it: in a folder, with the variables of the site, and with
//! docs/operate.md at hand.
//!
//! **Invariant**: what fixes an incident is in the handbook, word for word.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::process::Command;

use crate::ended::{document, run, stderr, stdout};
use crate::process::milepost;

const HANDBOOK: &str = include_str!("../../../docs/operate.md");
/// Commands that ask HubSpot or a file, and no queue.
const WITHOUT_QUEUE: [&str; 2] = ["properties", "catalog"];

/// Where commands run.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    /// The data folder of the site.
    pub(crate) data: PathBuf,
    pub(crate) variables: Vec<(String, String)>,
}

impl Shell {
    /// The shell of whoever has this data folder, and asks this portal with this token.
    pub(crate) fn new(data: &Path, portal: &str, token: &str) -> Self {
        let variables = [
            ("ENABLE_CRM_PROGRESS", "true"),
            // Half of the calls are left to commands, so that they need not wait.
            ("HUBSPOT_HEADROOM", "0.5"),
            ("HUBSPOT_BASE_URL", portal),
            ("HUBSPOT_PRIVATE_APP_TOKEN", token),
        ];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self { data: data.to_owned(), variables: variables.map(owned).into() }
    }

    /// A command, not yet run: `dlq list`.
    pub(crate) fn milepost(&self, arguments: &str) -> Command {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let mut command = milepost(&words);
        command.envs(self.variables.iter().cloned());
        if !WITHOUT_QUEUE.contains(&words[0]) {
            command.arg("--data").arg(&self.data);
        }
        command
    }

    /// A command of the handbook.
    pub(crate) fn handbook(&self, arguments: &str) -> Command {
        is_in_the_handbook(&format!("milepost {arguments}"));
        self.milepost(arguments)
    }

    /// What `doctor` finds, who must end so.
    pub(crate) async fn doctor(&self, code: i32) -> Doctor {
        Doctor(report(self.handbook("doctor"), code).await)
    }

    /// All dead letters, whole.
    pub(crate) async fn letters(&self) -> Vec<Value> {
        let exported = run(&mut self.milepost("dlq export")).await;
        assert_eq!(exported.status.code(), Some(0), "{exported:?}");
        stdout(&exported).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Fails where the handbook does not have these words, on one line or several.
#[track_caller]
pub(crate) fn is_in_the_handbook(words: &str) {
    let of_one_line = HANDBOOK.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(of_one_line.contains(words), "docs/operate.md does not say {words:?}");
}

/// Runs a command that must end so; its document. Nobody is named on either output.
pub(crate) async fn report(mut command: Command, code: i32) -> Value {
    let output = run(command.arg("--json")).await;
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(!stdout(&output).contains('@') && !stderr(&output).contains('@'), "{output:?}");
    document(&output)
}

/// A report of `doctor`.
#[derive(Debug)]
pub(crate) struct Doctor(Value);

impl Doctor {
    /// The names of the checks that stand so.
    pub(crate) fn names(&self, status: &str) -> BTreeSet<String> {
        let checks = self.0["checks"].as_array().unwrap().iter();
        let of_status = checks.filter(|check| check["status"] == status);
        of_status.map(|check| check["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The fix of one check.
    pub(crate) fn fix(&self, name: &str) -> &str {
        let mut checks = self.0["checks"].as_array().unwrap().iter();
        let check = checks.find(|check| check["name"] == name).expect(name);
        check["fix"].as_str().expect(name)
    }
}

/// Names, as a set.
pub(crate) fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
