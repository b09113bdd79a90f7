//! The demo under `/demo`: a small course to click through, and beside it what the CRM holds.
//!
//! In: a path and a query. Out: a page, its script, the browser client as `client/dist` has it, or
//! the contact as JSON. Events go the same way as any page's: the page loads the client, which posts
//! to `/events/track`, and reads progress from `GET /progress/read`.
//!
//! **Invariant**: it exists beside the simulator only, so it never shows real people's data.

use std::collections::BTreeMap;
use std::sync::Arc;

use maud::{Markup, html};
use shared::catalog::Catalog;
use shared::email::Email;
use simulator::Portal;

/// Loads only what this server serves.
pub const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'";

const CLIENT: &str = include_str!("../../client/dist/milepost.js");
const CLIENT_MAP: &str = include_str!("../../client/dist/milepost.js.map");
const PAGE: &str = include_str!("demo/page.html");
const SCRIPT: &str = include_str!("demo/page.js");
const STYLE: &str = include_str!("demo/page.css");

/// The place of the course in the page.
const COURSE_MARK: &str = "<!-- course -->";

/// The demo.
pub struct Demo {
    portal: Arc<Portal>,
    page: String,
}

/// What the demo serves under a path.
#[derive(Debug, PartialEq, Eq)]
pub struct Served {
    /// Its content type.
    pub content_type: &'static str,
    /// Its text.
    pub body: String,
}

impl Demo {
    /// A demo of the smallest pathway in the catalog that can be completed; without one, the page says
    /// so.
    pub fn new(portal: Arc<Portal>, catalog: &Catalog) -> Self {
        let course = match smallest_pathway(catalog) {
            Some((pathway, courses)) => course_list(pathway, courses, catalog),
            None => html! { p.note { "The catalog has no pathway that can be completed." } },
        };
        Self { portal, page: PAGE.replacen(COURSE_MARK, &course.into_string(), 1) }
    }

    /// What is under a path; `None` if nothing is.
    pub fn serve(&self, path: &str, query: &BTreeMap<String, String>) -> Option<Served> {
        let text = |content_type, body: &str| Some(Served { content_type, body: body.to_owned() });
        match path {
            "/demo" | "/demo/" => text("text/html; charset=utf-8", &self.page),
            "/demo/page.css" => text("text/css; charset=utf-8", STYLE),
            "/demo/page.js" => text("text/javascript; charset=utf-8", SCRIPT),
            "/demo/milepost.js" => text("text/javascript; charset=utf-8", CLIENT),
            "/demo/milepost.js.map" => text("application/json", CLIENT_MAP),
            "/demo/contact" => {
                let email = query.get("email").and_then(|email| Email::parse(email).ok());
                let contact = email.and_then(|email| self.portal.contact_by_email(email.as_str()));
                let body = serde_json::to_string(&contact).unwrap_or_else(|_| "null".into());
                Some(Served { content_type: "application/json", body })
            }
            _ => None,
        }
    }
}

/// The pathway with the fewest modules, among those in which every course has modules.
fn smallest_pathway(catalog: &Catalog) -> Option<(&str, &[String])> {
    let modules = |courses: &[String]| -> Option<usize> {
        let counts = courses
            .iter()
            .map(|course| catalog.courses.get(course).map(Vec::len).filter(|modules| *modules > 0));
        counts.sum::<Option<usize>>().filter(|modules| *modules > 0)
    };
    catalog
        .pathways
        .iter()
        .filter_map(|(slug, courses)| Some((modules(courses)?, slug, courses)))
        .min()
        .map(|(_, slug, courses)| (slug.as_str(), courses.as_slice()))
}

fn course_list(pathway: &str, courses: &[String], catalog: &Catalog) -> Markup {
    html! {
        @for course in courses {
            article.course data-pathway=(pathway) data-course=(course) {
                header {
                    h2 { (title(course)) }
                    p.note { "in " (title(pathway)) }
                    button type="button" data-call="enroll" { "Enroll" }
                }
                ol {
                    @for module in catalog.courses.get(course).into_iter().flatten() {
                        (module_item(module))
                    }
                }
            }
        }
    }
}

fn module_item(module: &str) -> Markup {
    let title = title(module);
    html! {
        li data-module=(module) {
            div { strong { (title) } small aria-live="polite" { "not started" } }
            button type="button" data-call="startModule" aria-label={ "Start " (title) } { "Start" }
            button type="button" data-call="completeModule" aria-label={ "Complete " (title) } {
                "Complete"
            }
        }
    }
}

/// A slug as a title: `first-vpc` is `First vpc`.
fn title(slug: &str) -> String {
    let words = slug.replace('-', " ");
    let mut rest = words.chars();
    let first: String = rest.next().into_iter().flat_map(char::to_uppercase).collect();
    first + rest.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(courses: &[(&str, &[&str])], pathways: &[(&str, &[&str])]) -> Catalog {
        let owned = |lists: &[(&str, &[&str])]| {
            let owned = |list: &[&str]| list.iter().map(|slug| (*slug).to_owned()).collect();
            lists.iter().map(|(slug, list)| ((*slug).to_owned(), owned(list))).collect()
        };
        Catalog { courses: owned(courses), pathways: owned(pathways) }
    }

    fn demo(catalog: &Catalog) -> Demo {
        Demo::new(Arc::new(Portal::in_memory(7)), catalog)
    }

    #[test]
    fn the_page_has_the_smallest_pathway_that_can_be_completed() {
        let catalog = catalog(
            &[("long", &["m1", "m2", "m3"]), ("short", &["m4"]), ("empty", &[])],
            &[
                ("a-big-one", &["long", "short"]),
                ("b-small-one", &["long"]),
                ("c-empty-one", &["empty", "short"]),
                ("d-unknown-one", &["short", "missing"]),
                ("e-none", &[]),
            ],
        );
        let page = demo(&catalog).serve("/demo", &BTreeMap::new()).unwrap().body;
        assert!(page.contains("data-pathway=\"b-small-one\""));
        assert!(page.contains("data-module=\"m3\""));
        assert!(!page.contains("a-big-one") && !page.contains("data-module=\"m4\""));
        assert!(page.contains("<h2>Long</h2>") && page.contains("in B small one"));
    }

    #[test]
    fn a_slug_can_not_be_taken_for_html() {
        let catalog = catalog(&[("<b>\"c", &["<m"])], &[("p&", &["<b>\"c"])]);
        let page = demo(&catalog).serve("/demo", &BTreeMap::new()).unwrap().body;
        assert!(page.contains("data-course=\"&lt;b&gt;&quot;c\"") && page.contains("&lt;m"));
        assert!(!page.contains("<b>\"c") && !page.contains("<m\""));
    }

    #[test]
    fn a_catalog_without_a_course_makes_a_page_that_says_so() {
        let page = demo(&Catalog::default()).serve("/demo/", &BTreeMap::new()).unwrap().body;
        assert!(page.contains("no pathway that can be completed"));
    }

    #[test]
    fn what_the_page_loads_is_served() {
        let demo = demo(&Catalog::default());
        let page = demo.serve("/demo", &BTreeMap::new()).unwrap().body;
        for path in ["/demo/page.css", "/demo/page.js", "/demo/milepost.js"] {
            assert!(page.contains(&format!("\"{path}\"")), "{path}");
            assert!(!demo.serve(path, &BTreeMap::new()).unwrap().body.is_empty(), "{path}");
        }
        assert!(CLIENT.contains("sourceMappingURL=milepost.js.map"));
        assert!(demo.serve("/demo/milepost.js.map", &BTreeMap::new()).is_some());
        assert_eq!(demo.serve("/demo/other", &BTreeMap::new()), None);
    }

    #[test]
    fn a_contact_is_found_by_its_address() {
        let demo = demo(&Catalog::default());
        let query = |email: &str| BTreeMap::from([("email".to_owned(), email.to_owned())]);
        assert_eq!(demo.serve("/demo/contact", &query("x@example.com")).unwrap().body, "null");
        assert_eq!(demo.serve("/demo/contact", &BTreeMap::new()).unwrap().body, "null");
    }
}
