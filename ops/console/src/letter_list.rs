//! The dead letters on the page, by reason; and the page of a dry run, whose button replays.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use shared::state::instant;

use crate::access::Visitor;
use crate::html::{Count, END, Escaped, begin};
use crate::letter_box::{Chosen, LOOK_MAX, Look, RATE, Told};
use dead_letters::letter::Letter;
use dead_letters::reasons::explained;
use dead_letters::report::Report;

/// How many letters of a reason are shown, and of a dry run.
const SHOWN_MAX: usize = 10;
const DRY_SHOWN_MAX: usize = 50;

/// Writes what there is to tell of the last replay.
pub(crate) fn write_told(page: &mut String, told: Option<&Told>) {
    let Some(told) = told else { return };
    let (mood, state) = match (told.is_over, told.is_well) {
        (false, _) => ("", "under way"),
        (true, true) => (" good", "done"),
        (true, false) => (" bad", "ended"),
    };
    // Writing to a `String` can't fail, here and below.
    let _written = write!(
        page,
        "<p class=\"told{mood}\"><strong>Replay of {}, {state}:</strong> {}</p>",
        Escaped(&told.chosen.words()),
        Escaped(&told.text)
    );
}

/// Writes the letters, by reason.
pub(crate) fn write(page: &mut String, look: Option<&Look>, total: u64) {
    page.push_str("<h2>Dead letters</h2>");
    let Some(look) = look else {
        page.push_str("<p class=\"told bad\">The queue of dead letters does not answer.</p>");
        return;
    };
    if total == 0 {
        page.push_str("<p class=\"note\">None.</p>");
        return;
    }
    let mut by_reason: BTreeMap<&str, Vec<&Letter>> = BTreeMap::new();
    for letter in &look.letters {
        by_reason.entry(&letter.reason).or_default().push(letter);
    }
    let mut by_reason: Vec<_> = by_reason.into_iter().collect();
    by_reason.sort_by_key(|(_, letters)| std::cmp::Reverse(letters.len()));
    for (reason, letters) in by_reason {
        let explained = explained(reason);
        let _written = write!(
            page,
            "<article class=\"reason\"><header><h3>{reason} <span class=\"count\">{count}</span></h3>\
             <a class=\"button\" id=\"replay-{reason}\" href=\"/console/replay?reason={reason}\" \
             aria-label=\"Replay all with {reason}…\">Replay all…</a></header>\
             <p>{what}. <strong>Mend:</strong> {mend}.</p><ul class=\"letters\">",
            reason = Escaped(&word(reason)),
            count = Count(letters.len() as u64),
            what = capital(explained.what),
            mend = explained.mend,
        );
        for letter in letters.iter().take(SHOWN_MAX) {
            page.push_str("<li>");
            write_letter(page, letter);
            let _written = write!(
                page,
                "<a class=\"button small\" id=\"replay-{id}\" href=\"/console/replay?id={id}\" \
                 aria-label=\"Replay letter {id}…\">Replay…</a></li>",
                id = Escaped(letter.shown().id),
            );
        }
        page.push_str("</ul>");
        if letters.len() > SHOWN_MAX {
            let _written = write!(page, "<p class=\"note\">The newest {SHOWN_MAX} are shown.</p>");
        }
        page.push_str("</article>");
    }
    if look.letters.is_empty() {
        page.push_str("<p class=\"note\">They are in other hands just now.</p>");
    } else if look.letters.len() == LOOK_MAX || look.unseen.behind > 0 {
        let _written = write!(
            page,
            "<p class=\"note\">{} of {} were looked at. <code>milepost dlq list</code> counts all; a \
             replay takes all.</p>",
            Count(look.letters.len() as u64),
            Count(total)
        );
    }
}

fn write_letter(page: &mut String, letter: &Letter) {
    let shown = letter.shown();
    let event = shown.event.as_ref();
    let what = event.map(|event| event.name).or(shown.repair).unwrap_or("unreadable");
    let subject = event.and_then(|event| event.module.or(event.course).or(event.pathway));
    let _written = write!(
        page,
        "<div><strong>{}</strong>{}<small>letter <code>{}</code>, contact <code>{}</code>, died {}, \
         received {}</small>",
        Escaped(what),
        subject.map(|subject| format!(" {}", Escaped(subject))).unwrap_or_default(),
        Escaped(shown.id),
        Escaped(shown.contact.get(..12).unwrap_or(shown.contact)),
        letter.failed_at.format("%Y-%m-%d %H:%M:%S UTC"),
        match shown.attempts {
            Some("1") | None => "once".to_owned(),
            Some(attempts) => format!("{} times", Escaped(attempts)),
        },
    );
    if let Some(detail) = shown.detail {
        let _written = write!(page, "<small class=\"detail\">{}</small>", Escaped(detail));
    }
    page.push_str("</div>");
}

/// The page of a dry run.
pub(crate) fn dry_run_page(
    chosen: &Chosen,
    report: &Report,
    look: Option<&Look>,
    until: DateTime<Utc>,
    visitor: &Visitor,
) -> String {
    let mut page = begin("Replay – Milepost", "");
    let count = report.matched();
    let _written = write!(
        page,
        "<main class=\"narrow\"><p><a href=\"/\">Back to the console</a></p><h1>Replay {}?</h1>",
        Escaped(&chosen.words())
    );
    if count == 0 {
        page.push_str(
            "<p>There is no such letter now: it was replayed, or is in other hands for a moment.</p>",
        );
        page.push_str("</main>");
        page.push_str(END);
        return page;
    }
    let _written = write!(
        page,
        "<p>This was a dry run: nothing has changed. <strong>{} {}</strong> would go back to the \
         events queue, {RATE} a second{}. An event that was applied before counts once; what dies \
         again is a dead letter again.</p>",
        Count(count),
        if count == 1 { "letter" } else { "letters" },
        match report.behind {
            0 => String::new(),
            behind => format!(
                ", and those that are meant among {} more, which stand behind others of their \
                 contact",
                Count(behind)
            ),
        },
    );
    if let Chosen::Reason(reason) = chosen {
        let _written =
            write!(page, "<p><strong>Mend this first:</strong> {}.</p>", explained(reason).mend);
    }
    let names: std::collections::BTreeSet<&str> = report.names().collect();
    let letters = look.map(|look| look.letters.as_slice()).unwrap_or_default();
    let meant = letters.iter().filter(|letter| names.contains(letter.shown().id));
    page.push_str("<ul class=\"letters\">");
    for letter in meant.take(DRY_SHOWN_MAX) {
        page.push_str("<li>");
        write_letter(&mut page, letter);
        page.push_str("</li>");
    }
    page.push_str("</ul>");
    let (name, value) = match chosen {
        Chosen::Reason(reason) => ("reason", reason),
        Chosen::Letter(id) => ("id", id),
    };
    let _written = write!(
        page,
        "<form method=\"post\" action=\"/console/replay\"><input type=\"hidden\" name=\"word\" \
         value=\"{}\"><input type=\"hidden\" name=\"until\" value=\"{}\"><input type=\"hidden\" \
         name=\"{name}\" value=\"{}\"><button class=\"button main\" id=\"send\">Replay {} {}\
         </button> <a class=\"button\" href=\"/\">Cancel</a></form></main>",
        Escaped(&visitor.word),
        instant(until),
        Escaped(value),
        Count(count),
        if count == 1 { "letter" } else { "letters" },
    );
    page.push_str(END);
    page
}

/// A reason as an address and an id take it; a newer worker's has no other characters either.
fn word(reason: &str) -> String {
    reason.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
