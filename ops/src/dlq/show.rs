//! `milepost dlq show`: one dead letter, why it died, and the fix.

use dead_letters::filter::Filter;
use serde::Serialize;

use super::dead_letter::{DeadLetter, Shown};
use super::note_unseen;
use super::reasons::explained;
use super::scan::{AT_ONCE, Mode, Scan};
use crate::ending::{Ending, Stopped};
use crate::output::Output;
use crate::queues::Place;
use crate::stop::Stop;

/// One dead letter: why it died, and the fix
#[derive(Debug, clap::Args)]
#[command(
    long_about = "One dead letter: what happened, why it died, and the fix. It changes nothing.\n\n\
                  It shows the contact's message group, as in the logs, and not who it is. With \
                  --who it shows e-mail, contact id, and the event id, which the client made.",
    after_help = "Example: milepost dlq show 3f9a0c17\n\
                  Read on in docs/queue.md, Reasons."
)]
pub(super) struct Args {
    /// The dead letter's id as `list` shows it, its first six characters or more, or its event id
    #[arg(value_name = "ID")]
    id: String,

    /// Show who it is about, too
    #[arg(long)]
    who: bool,

    #[command(flatten)]
    place: Place,
}

/// What `dlq show --json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(flatten)]
    letter: Shown<'a>,
    what: &'static str,
    fix: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<Who<'a>>,
}

/// Who a dead letter is about.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Who<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_id: Option<&'a str>,
    event_id: &'a str,
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`]; [`Stopped::Usage`], when no dead letter or more than one has this id.
pub(super) async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    let queues = args.place.open()?;
    let filter = Filter::by_id(args.id);
    let stop = Stop::listen();
    let mut scan = Scan::new(&queues, stop.signal(), Mode::Peek);
    let mut found: Vec<DeadLetter> = Vec::new();
    loop {
        let seen = scan.next(AT_ONCE).await?;
        if seen.is_empty() {
            break;
        }
        found.extend(seen.into_iter().filter(|letter| filter.matches(letter)));
    }
    let unseen = scan.unseen;
    scan.hand_back().await;
    // The same event can have died twice; then show the later one.
    found.sort_by(|a, b| (&a.id, b.failed_at).cmp(&(&b.id, a.failed_at)));
    found.dedup_by(|later, first| later.id == first.id);
    let letter = match found.as_slice() {
        [letter] => letter,
        [] => {
            note_unseen(unseen, output);
            return Err(Stopped::Usage(
                "no dead letter has this id; hint: `milepost dlq list --json` lists all".into(),
            ));
        }
        several => {
            return Err(Stopped::Usage(format!(
                "{} dead letters have an id that begins like this; hint: type more of it",
                several.len()
            )));
        }
    };
    let explained = explained(&letter.reason);
    let who = letter.envelope.as_ref().filter(|_| args.who).map(|envelope| Who {
        email: envelope.person.email(),
        contact_id: envelope.person.contact_id(),
        event_id: &envelope.id,
    });
    let document =
        Document { letter: letter.shown(), what: explained.what, fix: explained.fix, who };
    output.result(&document, || text(&document))?;
    Ok(Ending::Done)
}

fn text(document: &Document<'_>) -> String {
    let Document { letter, what, fix, who } = document;
    let event = letter.event.as_ref();
    let who = who.as_ref();
    let body = format!("{} bytes", letter.body_bytes);
    let rows = [
        ("reason", Some(letter.reason)),
        ("what", Some(*what)),
        ("detail", letter.detail),
        ("fix", Some(*fix)),
        ("died", Some(letter.failed_at.as_str())),
        ("attempts", letter.attempts),
        ("correlation", letter.correlation_id),
        ("contact", Some(letter.contact)),
        ("e-mail", who.and_then(|who| who.email)),
        ("contact id", who.and_then(|who| who.contact_id)),
        ("event id", who.map(|who| who.event_id)),
        ("event", event.map(|event| event.name)),
        ("repair", letter.repair),
        ("at", event.map(|event| event.at.as_str())),
        ("pathway", event.and_then(|event| event.pathway)),
        ("course", event.and_then(|event| event.course)),
        ("module", event.and_then(|event| event.module)),
        ("body", Some(body.as_str())),
    ];
    let rows = rows.iter().filter_map(|(name, value)| Some(format!("{name:<12} {}", (*value)?)));
    rows.collect::<Vec<_>>().join("\n")
}
