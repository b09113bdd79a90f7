//! `milepost contact show`: what HubSpot holds of one contact, and what lies dead of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hubspot::contact::Properties;
use serde::Serialize;
use shared::facts::{Course, Enrolment, Module, Pathway, Progress, Reached};
use shared::properties::{PROGRESS_STATE, PROPERTIES};
use shared::state::{self, instant};

use super::named::{self, Names};
use crate::audit::invariants::{Broken, broken};
use crate::crm;
use crate::dlq::dead_letter::{DeadLetter, Shown};
use crate::dlq::note_unseen;
use crate::dlq::scan::{AT_ONCE, Mode, Scan, Unseen};
use crate::ending::{Ending, Stopped};
use crate::output::{Mark, Output};
use crate::queues::{Place, Queues};
use crate::stop::Stop;

/// One contact: its progress as a tree, its milestones, its dead letters
#[derive(Debug, clap::Args)]
#[command(
    long_about = "One contact: its progress as a tree with times, its milestones, and its dead \
                  letters if a queue is named. It changes nothing.\n\n\
                  It prints the record id and the message group, as in the logs, and no address. It \
                  ends with 1 when HubSpot has no such contact.",
    after_help = "Example: milepost contact show ada@example.org\n\
                  Read on in docs/repair.md."
)]
pub(super) struct Args {
    /// The contact's e-mail, any of them, or its record id
    #[arg(value_name = "EMAIL|ID")]
    contact: String,

    #[command(flatten)]
    place: Place,
}

/// What `contact show --json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    found: bool,
    /// The record id.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    /// The message group.
    contact: String,
    /// As it is stored, in canonical form; `null` if there is none, or none that can be read.
    state: Option<&'a Progress>,
    /// The other properties of Milepost that are set.
    milestones: Properties,
    /// What `audit` would say.
    broken: Vec<Broken>,
    /// `null` if no queue is named.
    dead_letters: Option<Vec<Shown<'a>>>,
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`].
pub(super) async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    let crm = crm::from_environment()?;
    let queues = args.place.is_named().then(|| args.place.open()).transpose()?;
    let known = named::look_up(&crm, &args.contact).await?;
    let (letters, unseen) = match &queues {
        Some(queues) => letters(queues, &known.names).await?,
        None => (Vec::new(), Unseen::default()),
    };
    let held = known.contact.as_ref().map(|contact| &contact.properties);
    let read = held.map(|held| state::read(held.get(PROGRESS_STATE).map(String::as_str)));
    let progress = read.and_then(Result::ok);
    let is_ours = |name: &str| PROPERTIES.iter().any(|p| p.name == name) && name != PROGRESS_STATE;
    let milestones = held.into_iter().flatten().filter(|(name, _)| is_ours(name));
    let document = Document {
        found: known.contact.is_some(),
        id: known.contact.as_ref().map(|contact| contact.id.as_str()),
        contact: known.names.canonical.group(),
        state: progress.as_ref().filter(|_| has_state(held)),
        milestones: milestones.map(|(name, value)| (name.clone(), value.clone())).collect(),
        broken: held.map(broken).unwrap_or_default(),
        dead_letters: queues.is_some().then(|| letters.iter().map(DeadLetter::shown).collect()),
    };
    output.result(&document, || document.text(output))?;
    if queues.is_none() {
        output.note(
            "note: no queue is named, so dead letters were not looked for; hint: set QUEUE_URL and \
             DLQ_URL, or name a data folder with --data",
        );
    }
    note_unseen(unseen, output);
    Ok(if document.found { Ending::Done } else { Ending::Found })
}

fn has_state(held: Option<&Properties>) -> bool {
    held.is_some_and(|held| held.contains_key(PROGRESS_STATE))
}

async fn letters(queues: &Queues, names: &Names) -> Result<(Vec<DeadLetter>, Unseen), Stopped> {
    let stop = Stop::listen();
    let mut scan = Scan::new(queues, stop.signal(), Mode::Peek);
    let mut letters = Vec::new();
    loop {
        let seen = scan.next(AT_ONCE).await?;
        if seen.is_empty() {
            break;
        }
        letters.extend(seen.into_iter().filter(|letter| names.are_in(letter)));
    }
    let unseen = scan.unseen;
    scan.hand_back().await;
    Ok((letters, unseen))
}

impl Document<'_> {
    fn text(&self, output: &Output) -> String {
        let mut text = match self.id {
            Some(id) => format!("contact {id}, group {}", self.contact),
            None => format!("HubSpot has no such contact; group {}", self.contact),
        };
        match self.state {
            Some(progress) => tree(progress, &mut text),
            None => text.push_str("\nno state that can be read"),
        }
        for (name, value) in &self.milestones {
            // Writing to a `String` can't fail.
            let _written = write!(text, "\n{name:<24} {value}");
        }
        for Broken { invariant, why } in &self.broken {
            let _written = write!(text, "\n{} {invariant}: {why}", output.mark(Mark::Bad));
        }
        for letter in self.dead_letters.iter().flatten() {
            let _written = write!(text, "\ndead letter {}", letter.in_short());
        }
        text
    }
}

/// The state, a line for each pathway, course and module, indented by where it stands.
fn tree(progress: &Progress, text: &mut String) {
    for (slug, pathway) in progress.pathways.iter() {
        let Pathway { enrolled, started, completed, courses: within, modules: flat, .. } = pathway;
        line(text, 0, "pathway", slug, enrolled.as_ref(), *started, *completed);
        courses(text, 1, within);
        modules(text, 1, flat);
    }
    courses(text, 0, &progress.courses);
}

fn courses(text: &mut String, depth: usize, all: &BTreeMap<String, Course>) {
    for (slug, Course { enrolled, started, completed, modules: within, .. }) in all.iter() {
        line(text, depth, "course", slug, enrolled.as_ref(), *started, *completed);
        modules(text, depth + 1, within);
    }
}

fn modules(text: &mut String, depth: usize, all: &BTreeMap<String, Module>) {
    for (slug, Module { started, completed, .. }) in all.iter() {
        line(text, depth, "module", slug, None, *started, *completed);
    }
}

fn line(
    text: &mut String,
    depth: usize,
    kind: &str,
    slug: &str,
    enrolled: Option<&Enrolment>,
    started: Option<Reached>,
    completed: Option<Reached>,
) {
    let _written = write!(text, "\n{:indent$}{kind} {slug}", "", indent = depth * 2 + 2);
    let enrolment = enrolled.map(|enrolled| ("enrolled", Reached { at: enrolled.at }));
    let reached = started.map(|at| ("started", at)).into_iter();
    let reached = reached.chain(completed.map(|at| ("completed", at)));
    for (word, Reached { at }) in enrolment.into_iter().chain(reached) {
        let at = at.map_or_else(|| "at no known time".to_owned(), instant);
        let _written = write!(text, ", {word} {at}");
        if let Some(source) =
            enrolled.and_then(|e| e.source.as_ref()).filter(|_| word == "enrolled")
        {
            let _written = write!(text, " by {source}");
        }
    }
}
