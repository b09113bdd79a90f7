//! The contacts on the page: the simulator's, with their progress; beside the real HubSpot, those
//! that this process wrote recently, named as in the log. And the simulator's last calls.

use std::time::Duration;

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use shared::journal::ContactWritten;
use shared::properties::{
    COMPLETED_COURSES, ENROLLED_COURSES, LAST_ACTIVITY, PROGRESS_SUMMARY, TOTAL_PROGRESS,
};
use simulator::Portal;

use crate::Watched;
use crate::figures::Figures;
use crate::format::{Count, Span};
use crate::recent_stats::RecentStats;

/// The maximum number of rows in each table.
const CONTACTS_SHOWN: usize = 50;
const CALLS_SHOWN: usize = 12;
/// How much of a message group is shown, in characters.
pub(crate) const GROUP_CHARS: usize = 12;

/// The section of the contacts, as far as this process knows them.
pub(crate) fn section(watched: &Watched, figures: &Figures) -> Markup {
    html! {
        h2 { "Contacts" }
        @match (&watched.portal, &figures.recent) {
            (Some(portal), _) => (simulated(portal)),
            (None, Some(RecentStats { written: Some(written), .. })) => (recent(written)),
            (None, _) => p.note {
                "Contacts are in HubSpot, and the workers' log says what was written to them. "
                code { "milepost contact show" } " shows one."
            },
        }
    }
}

fn simulated(portal: &Portal) -> Markup {
    let total = portal.stats().contacts;
    let contacts = portal.contacts(CONTACTS_SHOWN, total.saturating_sub(CONTACTS_SHOWN));
    if contacts.is_empty() {
        return html! {
            p.note {
                "None yet. Send an event to " code { "/events/track" } ", click through "
                a href="/demo" { "a course" } ", or send a whole day of events with "
                code { "milepost track examples/events.jsonl" } "."
            }
        };
    }
    let columns = ["Contact", "Progress", "#Modules", "Enrolled", "Completed", "Last activity"];
    let rows = html! {
        @for contact in contacts.iter().rev() {
            @let held = |name: &str| contact.properties.get(name).map_or("", String::as_str);
            tr {
                th scope="row" {
                    (contact.email.as_deref().unwrap_or("no e-mail"))
                    small { "id " (contact.id) }
                }
                td { (held(PROGRESS_SUMMARY)) }
                td.n { (held(TOTAL_PROGRESS)) }
                td { (slugs(held(ENROLLED_COURSES))) }
                td { (slugs(held(COMPLETED_COURSES))) }
                td.t { (held(LAST_ACTIVITY)) }
            }
        }
    };
    html! {
        (table("Contacts", &columns, &rows))
        p.note {
            @if total > contacts.len() {
                "The newest " (contacts.len()) " of " (Count(total as u64)) ". "
            }
            "They are the simulator's. " a href="/demo" { "A course to click through" }
        }
    }
}

fn recent(written: &[(ContactWritten, Duration)]) -> Markup {
    if written.is_empty() {
        return html! { p.note { "No contact was written since this process started." } };
    }
    let rows = html! {
        @for (contact, ago) in written {
            @let group = contact.group.as_deref().unwrap_or_default();
            tr {
                th scope="row" {
                    (contact.record_id)
                    @if contact.is_new { small { "new" } }
                }
                td { code { (group.get(..GROUP_CHARS).unwrap_or(group)) } }
                td.n { (Count(contact.events as u64)) }
                td { (contact.properties.join(", ")) }
                td.t { (Span(*ago)) }
            }
        }
    };
    let columns = ["Record", "Group", "#Events", "Properties written", "Ago"];
    html! {
        (table("Contacts written recently", &columns, &rows))
        p.note {
            "The last twenty contacts written, named as in the log. "
            code { "milepost contact show" } " shows one."
        }
    }
}

/// The section of the simulator's last calls.
pub(crate) fn calls(portal: &Portal, now: DateTime<Utc>) -> Markup {
    const TITLE: &str = "Last calls to HubSpot";
    let stats = portal.stats();
    let calls = portal.calls_since(stats.calls.saturating_sub(CALLS_SHOWN as u64));
    if calls.is_empty() {
        return html! { h2 { (TITLE) } p.note { "None yet." } };
    }
    let rows = html! {
        @for call in calls.iter().rev() {
            tr {
                td { code { (call.method) " " (call.path) } }
                td.n { (call.inputs) }
                td.n { (call.written.len()) }
                @match call.status {
                    Some(status) => td.n.bad[status >= 300] { (status) },
                    None => td.n.bad { "cut" },
                }
                td.n { (Span((now - call.at).to_std().unwrap_or_default())) }
            }
        }
    };
    html! {
        h2 { (TITLE) }
        (table(TITLE, &["Call", "#Inputs", "#Written", "#Status", "#Ago"], &rows))
        p.note {
            (Count(stats.calls)) " calls in all, " (Count(stats.throttled))
            " of them throttled; at most " (stats.peak_in_ten_seconds) " in ten seconds."
        }
    }
}

/// A table that scrolls if it does not fit. A column that begins with `#` holds numbers.
fn table(name: &str, columns: &[&str], rows: &Markup) -> Markup {
    html! {
        div.wide role="region" aria-label=(name) tabindex="0" {
            table {
                thead {
                    tr {
                        @for column in columns {
                            @match column.strip_prefix('#') {
                                Some(column) => th.n scope="col" { (column) },
                                None => th scope="col" { (column) },
                            }
                        }
                    }
                }
                tbody { (rows) }
            }
        }
    }
}

/// A list of slugs, each in an element of its own.
fn slugs(list: &str) -> Markup {
    html! {
        @for slug in list.split(';').filter(|slug| !slug.is_empty()) {
            span.slug { (slug) } " "
        }
    }
}
