//! Contacts: from the simulator with their progress; beside the real HubSpot those that were
//! written lately, as the log names them.

use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use shared::properties::{
    COMPLETED_COURSES, ENROLLED_COURSES, LAST_ACTIVITY, PROGRESS_SUMMARY, TOTAL_PROGRESS,
};

use crate::Watched;
use crate::figures::Figures;
use crate::html::{Count, Escaped, Slugs, Span};
use crate::lately::{Seen, Written};
use simulator::Portal;

/// Rows of each table.
const CONTACTS_SHOWN: usize = 50;
const CALLS_SHOWN: usize = 12;

/// Writes the contacts, as far as this process knows them.
pub(crate) fn write(page: &mut String, watched: &Watched, figures: &Figures) {
    page.push_str("<h2>Contacts</h2>");
    match (&watched.portal, &figures.seen) {
        (Some(portal), _) => simulated(page, portal),
        (None, Some(Seen { written: Some(written), .. })) => lately(page, written),
        (None, _) => page.push_str(
            "<p class=\"note\">Contacts are in HubSpot, and what was written to them in the workers' \
             log. <code>milepost contact show</code> shows one.</p>",
        ),
    }
}

fn simulated(page: &mut String, portal: &Portal) {
    let total = portal.stats().contacts;
    let contacts = portal.contacts(CONTACTS_SHOWN, total.saturating_sub(CONTACTS_SHOWN));
    if contacts.is_empty() {
        page.push_str(
            "<p class=\"note\">None yet. Send an event to <code>/events/track</code>, click through \
             <a href=\"/demo\">a course</a>, or send a whole day of events with \
             <code>milepost track examples/events.jsonl</code>.</p>",
        );
        return;
    }
    begin_table(
        page,
        "Contacts",
        &["Contact", "Progress", "#Modules", "Enrolled", "Completed", "Last activity"],
    );
    for contact in contacts.iter().rev() {
        let held = |name: &str| contact.properties.get(name).map_or("", String::as_str);
        let name = contact.email.as_deref().unwrap_or("no e-mail");
        // Writing to a `String` can't fail, here and below.
        let _written = write!(
            page,
            "<tr><th scope=\"row\">{}<small>id {}</small></th><td>{}</td><td class=\"n\">{}</td>\
             <td>{}</td><td>{}</td><td class=\"t\">{}</td></tr>",
            Escaped(name),
            contact.id,
            Escaped(held(PROGRESS_SUMMARY)),
            Escaped(held(TOTAL_PROGRESS)),
            Slugs(held(ENROLLED_COURSES)),
            Slugs(held(COMPLETED_COURSES)),
            Escaped(held(LAST_ACTIVITY)),
        );
    }
    page.push_str("</tbody></table></div>");
    let shown = if total > contacts.len() {
        format!("The newest {} of {}. ", contacts.len(), Count(total as u64))
    } else {
        String::new()
    };
    let _written = write!(
        page,
        "<p class=\"note\">{shown}They are the simulator's. <a href=\"/demo\">A course to click \
         through</a></p>"
    );
}

fn lately(page: &mut String, written: &[(Written, Duration)]) {
    if written.is_empty() {
        page.push_str("<p class=\"note\">None was written since this process started.</p>");
        return;
    }
    begin_table(
        page,
        "Contacts written lately",
        &["Record", "Group", "#Events", "What was written", "Ago"],
    );
    for (written, ago) in written {
        let group = written.contact.get(..12).unwrap_or(&written.contact);
        let properties = written.properties.replace(',', ", ");
        let _written = write!(
            page,
            "<tr><th scope=\"row\">{}{}</th><td><code>{}</code></td><td class=\"n\">{}</td>\
             <td>{}</td><td class=\"t\">{}</td></tr>",
            Escaped(&written.record),
            if written.is_new { "<small>new</small>" } else { "" },
            Escaped(group),
            Count(written.events),
            Escaped(&properties),
            Span(*ago),
        );
    }
    page.push_str(
        "</tbody></table></div><p class=\"note\">The last twenty that were written, as the log names \
         them. <code>milepost contact show</code> shows one.</p>",
    );
}

/// Writes the simulator's last calls.
pub(crate) fn write_calls(page: &mut String, portal: &Portal, now: DateTime<Utc>) {
    let stats = portal.stats();
    page.push_str("<h2>Last calls to HubSpot</h2>");
    let calls = portal.calls_since(stats.calls.saturating_sub(CALLS_SHOWN as u64));
    if calls.is_empty() {
        page.push_str("<p class=\"note\">None yet.</p>");
        return;
    }
    begin_table(page, "Last calls to HubSpot", &["Call", "#Inputs", "#Written", "#Status", "#Ago"]);
    for call in calls.iter().rev() {
        let ago = (now - call.at).to_std().unwrap_or_default();
        let (mood, status) = match call.status {
            Some(status) if status < 300 => ("", status.to_string()),
            Some(status) => (" bad", status.to_string()),
            None => (" bad", "cut".into()),
        };
        let _written = write!(
            page,
            "<tr><td><code>{} {}</code></td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n{mood}\">{status}</td><td class=\"n\">{}</td></tr>",
            Escaped(&call.method),
            Escaped(&call.path),
            call.inputs,
            call.written.len(),
            Span(ago),
        );
    }
    let _written = write!(
        page,
        "</tbody></table></div><p class=\"note\">{} calls in all, {} of them throttled; at most {} in \
         ten seconds.</p>",
        Count(stats.calls),
        Count(stats.throttled),
        stats.peak_in_ten_seconds
    );
}

/// A table that scrolls where it does not fit. A column that begins with `#` has numbers.
fn begin_table(page: &mut String, name: &str, columns: &[&str]) {
    let _written = write!(
        page,
        "<div class=\"wide\" role=\"region\" aria-label=\"{name}\" tabindex=\"0\"><table><thead><tr>"
    );
    for column in columns {
        let _written = match column.strip_prefix('#') {
            Some(column) => write!(page, "<th scope=\"col\" class=\"n\">{column}</th>"),
            None => write!(page, "<th scope=\"col\">{column}</th>"),
        };
    }
    page.push_str("</tr></thead><tbody>");
}
