//! The page: sections that the script can replace one by one, and what surrounds every page.
//!
//! In: what the console watches. Out: HTML, in which maud escapes every value by its type.

use axum::http::StatusCode;
use axum::response::Response;
use maud::{DOCTYPE, Markup, html};

use crate::access::Visitor;
use crate::figures::Figures;
use crate::{CSRF_FIELD, Console, Watched, contacts, dead_letter_list, fault_list, finish_html};

/// How often the page refreshes, in seconds: beside the queue's own process, and over SQS, where
/// each refresh costs calls.
const EVERY_S: u32 = 2;
const EVERY_S_ELSEWHERE: u32 = 5;
/// How often the browser reloads the whole page without a script.
const RELOAD_S: u32 = 15;

impl Console {
    /// The page as of now.
    pub(crate) async fn page(&self, visitor: &Visitor) -> Response {
        let Watched { queues, portal, place, embedded, .. } = &self.watched;
        let figures = Figures::gather(&self.watched, &self.not_empty).await;
        let dead = figures.dead_letters.map(|depth| depth.total()).unwrap_or_default();
        let peeked = self.dead_letters.peek(dead).await.ok();
        let every_s = if embedded.is_some() { EVERY_S } else { EVERY_S_ELSEWHERE };
        let (sentence, is_bad) = figures.sentence();

        let head = html! {
            noscript { meta http-equiv="refresh" content=(RELOAD_S); }
            script src="/console/page.js" defer {}
        };
        let body = html! {
            header.top {
                div { h1 { "Milepost" } p { (place) } }
                div.tools #tools data-every=(every_s) {
                    @if self.access.asks_for_token() {
                        form method="post" action="/console/logout" {
                            (csrf_field(visitor))
                            button.button { "Log out" }
                        }
                    }
                }
            }
            main {
                p.standing.bad[is_bad] #standing data-live { (sentence) }
                div #figures data-live { (figures.html()) }
                div #replay data-live tabindex="-1" role="status" {
                    @if let Some(progress) = self.dead_letters.progress() {
                        (dead_letter_list::progress(&progress))
                    }
                }
                section #letters data-live { (dead_letter_list::section(peeked.as_deref(), dead)) }
                @if let Some(portal) = portal {
                    section #faults data-live { (fault_list::section(portal, visitor)) }
                }
                section #contacts data-live { (contacts::section(&self.watched, &figures)) }
                @if let Some(portal) = portal {
                    section #calls data-live { (contacts::calls(portal, queues.clock.now())) }
                }
            }
        };
        finish_html(StatusCode::OK, document("Milepost", &head, &body))
    }
}

/// The log-in page, with what was wrong with the last try.
pub(crate) fn log_in(wrong: Option<&str>) -> Markup {
    let body = html! {
        main.narrow {
            h1 { "Milepost" }
            @if let Some(wrong) = wrong {
                p.told.bad role="alert" { (wrong) }
            }
            form.login method="post" action="/console/login" {
                label for="token" { "Console token" }
                input #token name="token" type="password" required
                    autocomplete="current-password" autofocus;
                button.button.main { "Log in" }
            }
            p.note { "The token is the server's MILEPOST_CONSOLE_TOKEN." }
        }
    };
    document("Log in – Milepost", &html! {}, &body)
}

/// A whole page. `head` is added to the head that all pages have.
pub(crate) fn document(title: &str, head: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href="/console/page.css";
                link rel="icon" href="data:,";
                (head)
            }
            body { (body) }
        }
    }
}

/// The hidden field without which a form of this visitor does not act.
pub(crate) fn csrf_field(visitor: &Visitor) -> Markup {
    html! { input type="hidden" name=(CSRF_FIELD) value=(visitor.csrf_token); }
}
