//! `milepost properties`: the groups and properties that a portal must define.
//!
//! `create` makes what is missing and leaves what exists; `check` compares, and changes nothing.
//! The table is `shared::properties`, the calls are `hubspot::schema`'s. With `--events` it is the
//! definitions of custom events that are made or checked, in `events`.
//!
//! **Invariant**: no definition is ever changed, save that a list of options gets the ones it
//! lacks.

mod events;

use std::fmt;
use std::time::Duration;

use clap::Subcommand;
use command::crm::{self, Crm};
use command::ending::{Ending, Stopped};
use command::output::{Mark, Output};
use hubspot::fault::CallFault;
use hubspot::schema::{Made, PropertyDefinition, compare};
use serde::Serialize;
use shared::properties::{GROUPS, PROPERTIES, Property};

/// How often it is looked whether a new definition can be seen; HubSpot was observed to take
/// 250 to 700 ms.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LOOKS_MAX: u32 = 20;

/// Make or check the contact properties that Milepost writes
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Make or check the contact properties that Milepost writes.\n\n\
                  HubSpot refuses a whole batch that names one property it does not know: run \
                  `create` once for each portal, before the first event.",
    after_help = "Example: milepost properties create && milepost properties check\n\
                  Read on in docs/hubspot.md."
)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make the groups and properties that the portal lacks
    #[command(
        long_about = "Make the groups and properties that the portal lacks, and the options that a \
                      list lacks. What exists stays as it is, so it can be run again at any time.\n\n\
                      The token needs the scope crm.schemas.contacts.write.",
        after_help = "Example: HUBSPOT_PRIVATE_APP_TOKEN=… milepost properties create\n\
                      Read on in docs/hubspot.md."
    )]
    Create(Which),
    /// Compare the portal's properties with what Milepost writes; changes nothing
    #[command(
        long_about = "Compare type, field and options of the portal's properties with what Milepost \
                      writes; changes nothing. It ends with 1 when something is off.\n\n\
                      Run it when contacts stop changing: somebody may have edited a property.",
        after_help = "Example: HUBSPOT_PRIVATE_APP_TOKEN=… milepost properties check\n\
                      Read on in docs/hubspot.md."
    )]
    Check(Which),
}

/// Which table is meant.
#[derive(Debug, clap::Args)]
struct Which {
    /// The custom events that PROGRESS_BACKEND=events sends, in place of the contact properties
    #[arg(
        long,
        long_help = "The custom events that PROGRESS_BACKEND=events sends, in place of the contact \
                     properties.\n\n\
                     The portal needs an Enterprise plan, and the token the scope \
                     behavioral_events.event_definitions.read_write."
    )]
    events: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`], when the environment is wrong or HubSpot can't be asked at all.
pub async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    let crm = crm::from_environment()?;
    match args.action {
        Action::Create(Which { events: false }) => create(&crm, output).await,
        Action::Create(Which { events: true }) => events::create(&crm, output).await,
        Action::Check(Which { events: false }) => check(&crm, output).await,
        Action::Check(Which { events: true }) => events::check(&crm, output).await,
    }
}

/// What became of a group, a property or an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome {
    Created,
    Exists,
    OptionsAdded { options: Vec<&'static str> },
    PropertiesAdded { properties: Vec<&'static str> },
    Failed { reason: String },
}

#[derive(Serialize)]
struct Definition {
    #[serde(skip)]
    kind: Kind,
    name: &'static str,
    label: &'static str,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Clone, Copy)]
enum Kind {
    Group,
    Property,
    Event,
}

/// What `create --json` prints.
#[derive(Serialize)]
struct Created {
    ok: bool,
    groups: Vec<Definition>,
    properties: Vec<Definition>,
}

async fn create(crm: &Crm, output: &Output) -> Result<Ending, Stopped> {
    let mut groups = Vec::new();
    let mut properties = Vec::new();
    output.line("=== HubSpot CRM Properties Setup ===\n")?;
    let there = crm.client.list_groups().await.map_err(|fault| crm::stopped(&fault))?;
    for group in &GROUPS {
        let outcome = if there.iter().any(|name| name == group.name) {
            Outcome::Exists
        } else {
            crm.client.create_group(group).await.into()
        };
        let made = Definition { kind: Kind::Group, name: group.name, label: group.label, outcome };
        output.line(&made.line(output))?;
        groups.push(made);
    }
    wait_for_groups(crm, &made(&groups)).await;

    output.line("\n--- Creating Properties ---\n")?;
    let there = crm.client.list_properties().await.map_err(|fault| crm::stopped(&fault))?;
    for property in &PROPERTIES {
        let outcome = match there.iter().find(|there| there.name == property.name) {
            None => crm.client.create_property(property).await.into(),
            Some(there) => complete(crm, there, property).await,
        };
        let Property { name, label, .. } = *property;
        let made = Definition { kind: Kind::Property, name, label, outcome };
        output.line(&made.line(output))?;
        properties.push(made);
    }
    wait_for_properties(crm, &made(&properties)).await;

    let failed = failures(&groups) + failures(&properties);
    let report = Created { ok: failed == 0, groups, properties };
    output.result(&report, || match failed {
        0 if made(&report.properties).is_empty() => {
            format!("\n{} All properties exist", output.mark(Mark::Good))
        }
        0 => format!("\n{} All properties created successfully!", output.mark(Mark::Good)),
        failed => format!("\n{} {failed} could not be created", output.mark(Mark::Bad)),
    })?;
    Ok(if failed == 0 { Ending::Done } else { Ending::Found })
}

/// Adds the options that an existing property lacks.
async fn complete(crm: &Crm, theirs: &PropertyDefinition, ours: &Property) -> Outcome {
    let has = |value: &str| theirs.options.iter().any(|option| option.value == value);
    let options: Vec<&'static str> =
        ours.options.iter().map(|(value, _)| *value).filter(|value| !has(value)).collect();
    // The options of another type than ours are no options of ours.
    if options.is_empty() || theirs.kind != ours.kind {
        return Outcome::Exists;
    }
    match crm.client.add_options(theirs, ours).await {
        Ok(_) => Outcome::OptionsAdded { options },
        Err(fault) => Outcome::Failed { reason: crm::told(&fault) },
    }
}

/// The names of what is new, and may not be seen yet.
fn made(definitions: &[Definition]) -> Vec<&'static str> {
    let is_new = |definition: &&Definition| definition.outcome == Outcome::Created;
    definitions.iter().filter(is_new).map(|definition| definition.name).collect()
}

fn failures(definitions: &[Definition]) -> usize {
    let is_failed = |definition: &&Definition| matches!(definition.outcome, Outcome::Failed { .. });
    definitions.iter().filter(is_failed).count()
}

/// A property can't be made in a group that the portal does not show yet.
async fn wait_for_groups(crm: &Crm, made: &[&str]) {
    for _ in 0..LOOKS_MAX {
        match crm.client.list_groups().await {
            Ok(names) if made.iter().all(|made| names.iter().any(|name| name == made)) => return,
            Ok(_) => crm.clock.sleep(LOOK_EVERY).await,
            // What comes of it will be said of each property.
            Err(_) => return,
        }
    }
}

/// Whoever writes next must not meet a property that is not there yet.
async fn wait_for_properties(crm: &Crm, made: &[&str]) {
    for _ in 0..LOOKS_MAX {
        match crm.client.list_properties().await {
            Ok(there) if made.iter().all(|made| there.iter().any(|t| t.name == *made)) => return,
            Ok(_) => crm.clock.sleep(LOOK_EVERY).await,
            Err(_) => return,
        }
    }
}

/// What `check --json` prints.
#[derive(Serialize)]
struct Checked {
    ok: bool,
    properties: Vec<CheckedProperty>,
}

#[derive(Serialize)]
struct CheckedProperty {
    name: &'static str,
    differences: Vec<String>,
}

async fn check(crm: &Crm, output: &Output) -> Result<Ending, Stopped> {
    let theirs = crm.client.list_properties().await.map_err(|fault| crm::stopped(&fault))?;
    let differences = compare(&theirs, &PROPERTIES);
    let of = |name: &'static str| CheckedProperty {
        name,
        differences: differences
            .iter()
            .filter(|difference| difference.name() == name)
            .map(ToString::to_string)
            .collect(),
    };
    let report = Checked {
        ok: differences.is_empty(),
        properties: PROPERTIES.iter().map(|property| of(property.name)).collect(),
    };
    output.result(&report, || {
        let lines = report.properties.iter().flat_map(|property| property.lines(output));
        lines.collect::<Vec<_>>().join("\n")
    })?;
    Ok(if report.ok { Ending::Done } else { Ending::Found })
}

impl CheckedProperty {
    fn lines(&self, output: &Output) -> Vec<String> {
        if self.differences.is_empty() {
            return vec![format!("{} Property {} is right", output.mark(Mark::Good), self.name)];
        }
        let bad = output.mark(Mark::Bad);
        self.differences.iter().map(|difference| format!("{bad} Property {difference}")).collect()
    }
}

impl Definition {
    fn line(&self, output: &Output) -> String {
        let Self { kind, name, outcome, .. } = self;
        match outcome {
            Outcome::Failed { .. } => {
                format!("{} {kind} {name}: {outcome}", output.mark(Mark::Bad))
            }
            _ => format!("{} {kind} {name} {outcome}", output.mark(Mark::Good)),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Group => "Property group",
            Self::Property => "Property",
            Self::Event => "Event",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created => f.write_str("created successfully"),
            Self::Exists => f.write_str("exists"),
            Self::OptionsAdded { options } => {
                write!(f, "exists; option {} created successfully", options.join(", "))
            }
            Self::PropertiesAdded { properties } => {
                write!(f, "exists; property {} created successfully", properties.join(", "))
            }
            Self::Failed { reason } => f.write_str(reason),
        }
    }
}

impl From<Result<Made, CallFault>> for Outcome {
    fn from(made: Result<Made, CallFault>) -> Self {
        match made {
            Ok(Made::Created) => Self::Created,
            Ok(Made::Exists) => Self::Exists,
            Err(fault) => Self::Failed { reason: crm::told(&fault) },
        }
    }
}
