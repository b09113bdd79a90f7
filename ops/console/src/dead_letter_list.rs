//! The dead letters on the page, by reason; and the page of a dry run, whose button replays.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use dead_letters::dead_letter::DeadLetter;
use dead_letters::reasons::explained;
use dead_letters::report::Report;
use maud::{Markup, html};
use shared::state::instant;

use crate::access::Visitor;
use crate::contacts::GROUP_CHARS;
use crate::dead_letter_queue::{Chosen, PEEK_MAX, Peeked, Progress, RATE};
use crate::format::Count;
use crate::page::{csrf_field, document};

/// The maximum number shown for each reason, and on the page of a dry run.
const SHOWN_MAX: usize = 10;
const DRY_SHOWN_MAX: usize = 50;

/// How far the last replay is, or how it ended.
pub(crate) fn progress(progress: &Progress) -> Markup {
    let Progress { chosen, text, is_over, is_well, .. } = progress;
    let state = match (is_over, is_well) {
        (false, _) => "under way",
        (true, true) => "done",
        (true, false) => "ended",
    };
    html! {
        p.told.good[*is_over && *is_well].bad[*is_over && !is_well] {
            strong { "Replay of " (chosen.words()) ", " (state) ":" } " " (text)
        }
    }
}

/// The section of the dead letters, by reason.
pub(crate) fn section(peeked: Option<&Peeked>, total: u64) -> Markup {
    html! {
        h2 { "Dead letters" }
        @match peeked {
            None => p.told.bad { "The dead-letter queue does not answer." },
            Some(_) if total == 0 => p.note { "None." },
            Some(peeked) => (by_reason(peeked, total)),
        }
    }
}

fn by_reason(peeked: &Peeked, total: u64) -> Markup {
    let mut reasons: BTreeMap<&str, Vec<&DeadLetter>> = BTreeMap::new();
    for letter in &peeked.dead_letters {
        reasons.entry(&letter.reason).or_default().push(letter);
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, letters)| Reverse(letters.len()));
    let seen = peeked.dead_letters.len();
    html! {
        @for (reason, letters) in reasons { (article(&safe(reason), &letters)) }
        @if seen == 0 {
            p.note { "Another command holds them at the moment." }
        } @else if seen == PEEK_MAX || peeked.unseen.behind > 0 {
            p.note {
                "These are " (Count(seen as u64)) " of " (Count(total)) ". "
                code { "milepost dlq list" } " counts all; a replay takes all."
            }
        }
    }
}

/// The dead letters of one reason, whose code is safe in an address and an id.
fn article(reason: &str, letters: &[&DeadLetter]) -> Markup {
    let explained = explained(reason);
    html! {
        article.reason {
            header {
                h3 { (reason) " " span.count { (Count(letters.len() as u64)) } }
                a.button id={ "replay-" (reason) } href={ "/console/replay?reason=" (reason) }
                    aria-label={ "Replay all with " (reason) "…" } { "Replay all…" }
            }
            p { (capitalized(explained.what)) ". " strong { "Fix:" } " " (explained.fix) "." }
            ul.letters {
                @for letter in letters.iter().take(SHOWN_MAX) {
                    li {
                        (one(letter))
                        a.button.small id={ "replay-" (letter.id) }
                            href={ "/console/replay?id=" (letter.id) }
                            aria-label={ "Replay dead letter " (letter.id) "…" } { "Replay…" }
                    }
                }
            }
            @if letters.len() > SHOWN_MAX {
                p.note { "The newest " (SHOWN_MAX) " are shown." }
            }
        }
    }
}

fn one(letter: &DeadLetter) -> Markup {
    let shown = letter.shown();
    let event = shown.event.as_ref();
    let subject = event.and_then(|event| event.module.or(event.course).or(event.pathway));
    html! {
        div {
            strong { (event.map(|event| event.name).or(shown.repair).unwrap_or("unreadable")) }
            @if let Some(subject) = subject { " " (subject) }
            small {
                "dead letter " code { (shown.id) } ", contact "
                code { (shown.contact.get(..GROUP_CHARS).unwrap_or(shown.contact)) }
                ", died " (letter.failed_at.format("%Y-%m-%d %H:%M:%S UTC")) ", received "
                @match shown.attempts {
                    Some("1") | None => "once",
                    Some(attempts) => { (attempts) " times" },
                }
            }
            @if let Some(detail) = shown.detail { small.detail { (detail) } }
        }
    }
}

/// The page of a dry run.
pub(crate) fn dry_run_page(
    chosen: &Chosen,
    report: &Report,
    peeked: Option<&Peeked>,
    until: DateTime<Utc>,
    visitor: &Visitor,
) -> Markup {
    let body = html! {
        main.narrow {
            p { a href="/" { "Back to the console" } }
            h1 { "Replay " (chosen.words()) "?" }
            @if report.matched() == 0 {
                p {
                    "There is no such dead letter now: it was replayed, or another command holds it at \
                     the moment."
                }
            } @else {
                (dry_run(chosen, report, peeked))
                (form(chosen, report, until, visitor))
            }
        }
    };
    document("Replay – Milepost", &html! {}, &body)
}

fn dry_run(chosen: &Chosen, report: &Report, peeked: Option<&Peeked>) -> Markup {
    let ids: BTreeSet<&str> = report.ids().collect();
    let letters = peeked.map(|peeked| peeked.dead_letters.as_slice()).unwrap_or_default();
    let matching = letters.iter().filter(|letter| ids.contains(letter.id.as_str()));
    html! {
        p {
            "This was a dry run: nothing has changed. " strong { (count_of(report)) }
            " would go back to the events queue, " (RATE) " a second"
            @if report.behind > 0 {
                ", and those that match among " (Count(report.behind))
                " more, which are hidden behind others of their contact"
            }
            ". An event that was applied before counts once; an event that fails again is a dead \
             letter again."
        }
        @if let Chosen::Reason(reason) = chosen {
            p { strong { "Fix this first:" } " " (explained(reason).fix) "." }
        }
        ul.letters {
            @for letter in matching.take(DRY_SHOWN_MAX) { li { (one(letter)) } }
        }
    }
}

fn form(chosen: &Chosen, report: &Report, until: DateTime<Utc>, visitor: &Visitor) -> Markup {
    let (name, value) = match chosen {
        Chosen::Reason(reason) => ("reason", reason),
        Chosen::Id(id) => ("id", id),
    };
    html! {
        form method="post" action="/console/replay" {
            (csrf_field(visitor))
            input type="hidden" name="until" value=(instant(until));
            input type="hidden" name=(name) value=(value);
            button.button.main #send { "Replay " (count_of(report)) }
            " "
            a.button href="/" { "Cancel" }
        }
    }
}

fn count_of(report: &Report) -> String {
    match report.matched() {
        1 => "1 dead letter".to_owned(),
        count => format!("{} dead letters", Count(count)),
    }
}

/// A reason's code, without characters that an address or an id would have to escape. Codes of newer
/// workers have none either.
fn safe(reason: &str) -> String {
    reason.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
