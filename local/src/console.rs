//! The page at `/`: contacts with their milestones, the queue's depth, HubSpot's last calls.
//!
//! It is made on the server for each look, so it works without a script; it looks again by itself
//! every two seconds. It only shows: nothing can be done through it.

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use shared::ports::{Clock, Depth, Queue};
use shared::properties::{
    COMPLETED_COURSES, ENROLLED_COURSES, LAST_ACTIVITY, PROGRESS_SUMMARY, TOTAL_PROGRESS,
};

use crate::portal::calls::CallSeen;
use crate::portal::{ContactView, Portal};

/// Rows of each table.
const CONTACTS_SHOWN: usize = 50;
const CALLS_SHOWN: usize = 12;

/// What the page shows.
pub struct Console {
    /// The queue of events.
    pub events: Arc<dyn Queue>,
    /// The dead letters.
    pub dead_letters: Arc<dyn Queue>,
    /// The simulator; `None` beside the real HubSpot.
    pub portal: Option<Arc<Portal>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Console {
    /// The page as it stands now.
    pub async fn page(&self) -> String {
        let mut page = String::from(HEAD);
        self.figures(&mut page).await;
        match &self.portal {
            None => page.push_str(
                "<p class=\"note\">Contacts are in your HubSpot portal. This page shows the queue.</p>",
            ),
            Some(portal) => {
                page.push_str("<p class=\"note\"><a href=\"/demo\">A course to click through</a></p>");
                contacts(&mut page, &portal.contacts(CONTACTS_SHOWN, 0), portal.stats().contacts);
                let first = portal.stats().calls.saturating_sub(CALLS_SHOWN as u64);
                calls(&mut page, &portal.calls_since(first), self.clock.now());
            }
        }
        page.push_str("</main></body></html>");
        page
    }

    async fn figures(&self, page: &mut String) {
        page.push_str("<dl class=\"figures\">");
        match self.events.depth().await {
            Ok(Depth { visible, in_flight, delayed }) => {
                figure(page, "Waiting", visible, "");
                figure(page, "Coalescing", delayed, "");
                figure(page, "In hand", in_flight, "");
            }
            Err(_) => figure(page, "Queue", "no answer", "bad"),
        }
        match self.dead_letters.depth().await {
            Ok(depth) => {
                let mood = if depth.total() > 0 { "bad" } else { "" };
                figure(page, "Dead letters", depth.total(), mood);
            }
            Err(_) => figure(page, "Dead letters", "no answer", "bad"),
        }
        if let Some(portal) = &self.portal {
            let stats = portal.stats();
            figure(page, "Contacts", stats.contacts, "");
            figure(page, "HubSpot calls", stats.calls, "");
            figure(page, "Most in 10 s", stats.peak_in_ten_seconds, "");
            figure(
                page,
                "Throttled",
                stats.throttled,
                if stats.throttled > 0 { "bad" } else { "" },
            );
        }
        page.push_str("</dl>");
    }
}

fn figure(page: &mut String, name: &str, value: impl std::fmt::Display, mood: &str) {
    // Writing to a `String` can't fail, here and below.
    let _written = write!(page, "<div class=\"{mood}\"><dt>{name}</dt><dd>{value}</dd></div>");
}

fn contacts(page: &mut String, contacts: &[ContactView], total: usize) {
    page.push_str("<h2>Contacts</h2>");
    if contacts.is_empty() {
        page.push_str(
            "<p class=\"note\">None yet. Send an event to <code>/events/track</code>, or a whole day \
             of them with <code>milepost track examples/events.jsonl</code>.</p>",
        );
        return;
    }
    page.push_str(
        "<div class=\"wide\"><table><thead><tr><th>Contact</th><th>Progress</th>\
         <th class=\"n\">Modules</th><th>Enrolled</th><th>Completed</th><th>Last activity</th></tr>\
         </thead><tbody>",
    );
    for contact in contacts {
        let held = |name: &str| contact.properties.get(name).map_or("", String::as_str);
        let name = contact.email.as_deref().unwrap_or("no e-mail");
        let _written = write!(
            page,
            "<tr><td>{}<small>id {}</small></td><td>{}</td><td class=\"n\">{}</td><td>{}</td>\
             <td>{}</td><td class=\"t\">{}</td></tr>",
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
    if total > contacts.len() {
        let _written =
            write!(page, "<p class=\"note\">The first {} of {total}.</p>", contacts.len());
    }
}

fn calls(page: &mut String, calls: &[CallSeen], now: DateTime<Utc>) {
    page.push_str("<h2>Last calls to HubSpot</h2>");
    if calls.is_empty() {
        page.push_str("<p class=\"note\">None yet.</p>");
        return;
    }
    page.push_str(
        "<div class=\"wide\"><table><thead><tr><th class=\"n\">Seconds ago</th><th>Call</th>\
         <th class=\"n\">Inputs</th><th class=\"n\">Written</th><th class=\"n\">Status</th></tr>\
         </thead><tbody>",
    );
    for call in calls.iter().rev() {
        let ago_s = (now - call.at).num_milliseconds().max(0) as f64 / 1_000.0;
        let (mood, status) = match call.status {
            Some(status) if status < 300 => ("", status.to_string()),
            Some(status) => ("bad", status.to_string()),
            None => ("bad", "cut".into()),
        };
        let _written = write!(
            page,
            "<tr><td class=\"n\">{ago_s:.1}</td><td><code>{} {}</code></td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n {mood}\">{status}</td></tr>",
            Escaped(&call.method),
            Escaped(&call.path),
            call.inputs,
            call.written.len(),
        );
    }
    page.push_str("</tbody></table></div>");
}

/// Text that can't be taken for HTML.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A list of slugs, each on its own.
struct Slugs<'a>(&'a str);

impl std::fmt::Display for Slugs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0
            .split(';')
            .filter(|slug| !slug.is_empty())
            .try_for_each(|slug| write!(f, "<span>{}</span>", Escaped(slug)))
    }
}

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="2">
<title>Milepost</title>
<style>
:root { color-scheme: light dark; --ink: #1d2733; --paper: #fbfaf7; --line: #dcd8cf; --soft: #6b7480;
  --tint: #efece4; --good: #1f6f54; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e4de; --paper: #16191d; --line: #343a42;
  --soft: #98a1ab; --tint: #21262c; --good: #6fc7a6; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.35rem; margin: 0; letter-spacing: -.01em; }
h1 small { font-weight: 400; font-size: .9rem; color: var(--soft); margin-left: .6rem; }
h2 { font-size: 1rem; margin: 2rem 0 .6rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: 1px;
  margin: 1.2rem 0 0; background: var(--line); border: 1px solid var(--line); border-radius: .5rem;
  overflow: hidden; }
.figures div { background: var(--paper); padding: .7rem .9rem; }
dt { color: var(--soft); font-size: .8rem; }
dd { margin: 0; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.bad dd, td.bad { color: var(--bad); font-weight: 600; }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; min-width: 40rem; }
th { text-align: left; font-size: .8rem; font-weight: 600; color: var(--soft); background: var(--tint); }
th, td { padding: .45rem .8rem; vertical-align: top; border-bottom: 1px solid var(--line); }
tr:last-child td { border-bottom: 0; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
.t, th { white-space: nowrap; font-variant-numeric: tabular-nums; }
td small { display: block; color: var(--soft); }
td span { display: inline-block; white-space: nowrap; background: var(--tint); border-radius: .3rem; padding: 0 .4rem;
  margin: 0 .25rem .2rem 0; font-size: .85rem; }
.note { color: var(--soft); }
a { color: var(--good); }
code { font-family: ui-monospace, "SFMono-Regular", Menlo, "DejaVu Sans Mono", monospace; font-size: .88em; }
</style>
</head>
<body>
<main>
<h1>Milepost <small>from the learning site to HubSpot</small></h1>
"#;
