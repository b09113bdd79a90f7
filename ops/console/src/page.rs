//! The page, put together: sections that the script can replace one by one.

use std::fmt::Write as _;

use axum::http::StatusCode;
use axum::response::Response;

use crate::access::Visitor;
use crate::figures::Figures;
use crate::html::{END, Escaped, begin};
use crate::{Console, HTML, Watched, contacts, fault_list, finish, letter_list};

/// How often the page looks again, in seconds: at its own process, and at SQS, where a look costs.
const EVERY_S: u32 = 2;
const EVERY_S_ELSEWHERE: u32 = 5;
/// How often it does without a script, which loads all of it again.
const RELOAD_S: u32 = 15;

impl Console {
    /// The page as it stands now.
    pub(crate) async fn page(&self, visitor: &Visitor) -> Response {
        let Watched { queues, portal, place, embedded, .. } = &self.watched;
        let figures = Figures::gather(&self.watched, &self.not_empty).await;
        let dead = figures.dead_letters.map(|depth| depth.total()).unwrap_or_default();
        let look = self.letters.look(dead).await.ok();

        let reload =
            format!("<noscript><meta http-equiv=\"refresh\" content=\"{RELOAD_S}\"></noscript>");
        let mut page =
            begin("Milepost", &format!("{reload}<script src=\"/console/page.js\" defer></script>"));
        let every_s = if embedded.is_some() { EVERY_S } else { EVERY_S_ELSEWHERE };
        // Writing to a `String` can't fail, here and below.
        let _written = write!(
            page,
            "<header class=\"top\"><div><h1>Milepost</h1><p>{}</p></div><div class=\"tools\" \
             id=\"tools\" data-every=\"{every_s}\">",
            Escaped(place)
        );
        if self.access.asks_for_token() {
            let _written = write!(
                page,
                "<form method=\"post\" action=\"/console/logout\"><input type=\"hidden\" \
                 name=\"word\" value=\"{}\"><button class=\"button\">Log out</button></form>",
                Escaped(&visitor.word)
            );
        }
        page.push_str("</div></header><main>");
        let (sentence, is_bad) = figures.sentence();
        let mood = if is_bad { " bad" } else { "" };
        live(&mut page, "standing", "p", &format!("standing{mood}"), |page| {
            page.push_str(&sentence);
        });
        live(&mut page, "figures", "div", "", |page| figures.write(page));
        page.push_str("<div id=\"replay\" data-live tabindex=\"-1\" role=\"status\">");
        letter_list::write_told(&mut page, self.letters.told().as_ref());
        page.push_str("</div>");
        live(&mut page, "letters", "section", "", |page| {
            letter_list::write(page, look.as_deref(), dead);
        });
        if let Some(portal) = portal {
            live(&mut page, "faults", "section", "", |page| {
                fault_list::write(page, portal, visitor);
            });
        }
        live(&mut page, "contacts", "section", "", |page| {
            contacts::write(page, &self.watched, &figures);
        });
        if let Some(portal) = portal {
            live(&mut page, "calls", "section", "", |page| {
                contacts::write_calls(page, portal, queues.clock.now());
            });
        }
        page.push_str("</main>");
        page.push_str(END);
        finish(StatusCode::OK, HTML, page)
    }
}

/// A part of the page that the script replaces when it has changed.
fn live(page: &mut String, id: &str, tag: &str, class: &str, write: impl FnOnce(&mut String)) {
    let _written = write!(page, "<{tag} id=\"{id}\" class=\"{class}\" data-live>");
    write(page);
    let _written = write!(page, "</{tag}>");
}

/// The page of whoever has to log in.
pub(crate) fn log_in(wrong: Option<&str>) -> String {
    let mut page = begin("Log in – Milepost", "");
    page.push_str("<main class=\"narrow\"><h1>Milepost</h1>");
    if let Some(wrong) = wrong {
        let _written = write!(page, "<p class=\"told bad\" role=\"alert\">{wrong}</p>");
    }
    page.push_str(
        "<form method=\"post\" action=\"/console/login\" class=\"login\"><label for=\"token\">Console \
         token</label><input id=\"token\" name=\"token\" type=\"password\" required \
         autocomplete=\"current-password\" autofocus><button class=\"button main\">Log in</button>\
         </form><p class=\"note\">It is what MILEPOST_CONSOLE_TOKEN is set to on the server.</p></main>",
    );
    page.push_str(END);
    page
}
