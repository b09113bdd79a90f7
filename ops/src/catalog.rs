//! `milepost catalog check`: what is wrong or missing in the catalog.
//!
//! The judgement is [`Catalog::read`]'s. Errors make the catalog unusable, and the command ends
//! with 1; the rest is worth a look, and it ends with 0.

use std::path::PathBuf;

use clap::Subcommand;
use host::catalog_folder::{self, CatalogFolderFault};
use serde::Serialize;
use shared::catalog::{Catalog, CatalogFault};

use crate::ending::{Ending, Stopped};
use crate::output::{Mark, Output};

/// Look after the catalog of courses and pathways
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Look after the catalog of courses and pathways.\n\n\
                  The catalog says which modules a course has and which courses a pathway has. \
                  Completion follows from it: a course that it does not know is never completed.",
    after_help = "Example: milepost catalog check\n\
                  Read on in docs/settings.md."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say what is wrong or missing in CATALOG_PATH
    #[command(
        long_about = "Say what is wrong or missing in the catalog: files that are no JSON, slugs \
                      that break the lists, courses that a pathway names and no file defines.\n\n\
                      Run it before a deployment: a worker does not start on a broken catalog.",
        after_help = "Example: milepost catalog check --catalog ./catalog\n\
                      Read on in docs/settings.md."
    )]
    Check(CheckArgs),
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// The folder with courses/*.json and pathways/*.json [default: CATALOG_PATH, else catalog]
    #[arg(long, value_name = "DIR")]
    catalog: Option<PathBuf>,
}

/// What `check --json` prints.
#[derive(Serialize)]
struct Report<'a> {
    path: String,
    courses: usize,
    pathways: usize,
    errors: usize,
    warnings: usize,
    faults: Vec<Fault<'a>>,
}

#[derive(Serialize)]
struct Fault<'a> {
    severity: &'static str,
    place: &'a str,
    what: &'a str,
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`], when there is no catalog at all.
pub(crate) fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    let Action::Check(CheckArgs { catalog }) = args.action;
    let folder = catalog.unwrap_or_else(|| {
        shared::settings::catalog_path(&host::environment::lookup, "catalog").into()
    });
    let (catalog, faults) = match catalog_folder::files(&folder) {
        Ok(files) => Catalog::read(&files),
        Err(fault @ CatalogFolderFault::NoCatalog(_)) => {
            return Err(Stopped::Usage(fault.to_string()));
        }
        Err(fault) => {
            let place = folder.display().to_string();
            let what = fault.to_string();
            (Catalog::default(), vec![CatalogFault { place, what, is_error: true }])
        }
    };
    let errors = faults.iter().filter(|fault| fault.is_error).count();
    let report = Report {
        path: folder.display().to_string(),
        courses: catalog.courses.len(),
        pathways: catalog.pathways.len(),
        errors,
        warnings: faults.len() - errors,
        faults: faults.iter().map(Fault::from).collect(),
    };
    output.result(&report, || report.text(output))?;
    Ok(if errors == 0 { Ending::Done } else { Ending::Found })
}

impl Report<'_> {
    fn text(&self, output: &Output) -> String {
        let mut lines: Vec<String> = Vec::new();
        for Fault { severity, place, what } in &self.faults {
            let mark = if *severity == "error" { Mark::Bad } else { Mark::Doubtful };
            lines.push(format!("{} {place}: {what}", output.mark(mark)));
        }
        let mark = if self.errors == 0 { Mark::Good } else { Mark::Bad };
        lines.push(format!(
            "{} {}: {} courses, {} pathways; {} errors, {} warnings",
            output.mark(mark),
            self.path,
            self.courses,
            self.pathways,
            self.errors,
            self.warnings,
        ));
        lines.join("\n")
    }
}

impl<'a> From<&'a CatalogFault> for Fault<'a> {
    fn from(fault: &'a CatalogFault) -> Self {
        let severity = if fault.is_error { "error" } else { "warning" };
        Self { severity, place: &fault.place, what: &fault.what }
    }
}
