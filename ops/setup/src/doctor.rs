//! `milepost doctor`: what is wrong with a deployment, and how to fix it.
//!
//! `variables` judges the settings, `portal` asks HubSpot, and then either `queue`,
//! `feeding` and `alarms` ask AWS, or `folder` looks at the data folder of a `serve` or
//! `local`. Each gives `Check`s; this file puts them on one list and decides how it ends.
//!
//! **Invariant**: nothing is changed, and no secret is shown.

mod alarms;
mod clocks;
mod feeding;
mod folder;
mod portal;
mod queue;
mod variables;

use command::ending::{Ending, Stopped};
use command::output::{Mark, Output};
use command::queues::Place;
use serde::Serialize;

/// Say what is wrong with a deployment, and how to fix it
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Say what is wrong with a deployment, and how to fix it. It looks at every \
                  setting, at HubSpot (token, scopes, properties, version, clock), at the catalog, \
                  and at the queues: those of SQS with their event source and alarms, or with \
                  --data those of a `serve` or `local`. It changes nothing.\n\n\
                  ✓ is right, ! is worth a look, ✗ must be fixed, – could not be seen from here. \
                  It ends with 1 when something must be fixed, and else with 3 when HubSpot or \
                  AWS did not answer.",
    after_help = "Example: milepost doctor\n\
                  Example: milepost doctor --data /var/lib/milepost --json\n\
                  Read on in docs/cli.md, doctor."
)]
pub struct Args {
    #[command(flatten)]
    place: Place,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    area: Area,
    name: String,
    status: Status,
    /// What was seen; where nothing was, why not.
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

/// The headings of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Area {
    Settings,
    Hubspot,
    Queue,
    Alarms,
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// As it must be.
    Good,
    /// It works, and may not be meant so.
    Doubtful,
    /// To be fixed.
    Bad,
    /// Not to be seen from here: no fault.
    Unseen,
    /// The other side did not answer.
    Silent,
}

/// What `doctor --json` prints.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    good: usize,
    doubtful: usize,
    bad: usize,
    unseen: usize,
    silent: usize,
    checks: Vec<Check>,
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`], when nothing can be printed.
pub async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    let folder = args.place.folder().map(ToOwned::to_owned);
    let mut checks = variables::checks(folder.is_some());
    checks.extend(portal::checks().await);
    match folder {
        Some(folder) => checks.extend(folder::checks(&folder, args.place).await),
        None => checks.extend(queue::checks().await),
    }
    let report = Report::of(checks);
    output.result(&report, || report.text(output))?;
    match (report.bad, report.silent) {
        (0, 0) => Ok(Ending::Done),
        (0, silent) => Err(Stopped::OtherSide(format!(
            "{silent} could not be asked; hint: run it again in a minute"
        ))),
        _ => Ok(Ending::Found),
    }
}

impl Area {
    fn heading(self) -> &'static str {
        match self {
            Self::Settings => "Settings",
            Self::Hubspot => "HubSpot",
            Self::Queue => "Queues",
            Self::Alarms => "Alarms",
        }
    }

    fn good(self, name: impl Into<String>, what: impl Into<String>) -> Check {
        self.check(Status::Good, name, what, None)
    }

    fn doubtful(
        self,
        name: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) -> Check {
        self.check(Status::Doubtful, name, what, Some(fix.into()))
    }

    fn bad(
        self,
        name: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) -> Check {
        self.check(Status::Bad, name, what, Some(fix.into()))
    }

    fn unseen(self, name: impl Into<String>, why: impl Into<String>) -> Check {
        self.check(Status::Unseen, name, why, None)
    }

    fn silent(self, name: impl Into<String>, why: impl Into<String>) -> Check {
        self.check(Status::Silent, name, why, None)
    }

    fn check(
        self,
        status: Status,
        name: impl Into<String>,
        what: impl Into<String>,
        fix: Option<String>,
    ) -> Check {
        Check { area: self, name: name.into(), status, what: what.into(), fix }
    }
}

impl Report {
    fn of(checks: Vec<Check>) -> Self {
        let count = |status| checks.iter().filter(|check| check.status == status).count();
        let (bad, silent) = (count(Status::Bad), count(Status::Silent));
        Self {
            ok: bad + silent == 0,
            good: count(Status::Good),
            doubtful: count(Status::Doubtful),
            bad,
            unseen: count(Status::Unseen),
            silent,
            checks,
        }
    }

    fn text(&self, output: &Output) -> String {
        let mut lines = Vec::new();
        let mut area = None;
        for check in &self.checks {
            if area != Some(check.area) {
                if area.is_some() {
                    lines.push(String::new());
                }
                lines.push(check.area.heading().to_owned());
                area = Some(check.area);
            }
            let Check { name, status, what, fix, .. } = check;
            lines.push(format!("{} {name}: {what}", output.mark(status.mark())));
            lines.extend(fix.iter().map(|fix| format!("    fix: {fix}")));
        }
        let Self { good, doubtful, bad, unseen, silent, .. } = self;
        let mark = match (bad, silent) {
            (0, 0) => Mark::Good,
            (0, _) => Mark::Unseen,
            _ => Mark::Bad,
        };
        lines.push(format!(
            "\n{} {good} right, {doubtful} worth a look, {bad} to fix, {} not seen",
            output.mark(mark),
            unseen + silent,
        ));
        lines.join("\n")
    }
}

impl Status {
    fn mark(self) -> Mark {
        match self {
            Self::Good => Mark::Good,
            Self::Doubtful => Mark::Doubtful,
            Self::Bad => Mark::Bad,
            Self::Unseen | Self::Silent => Mark::Unseen,
        }
    }
}
