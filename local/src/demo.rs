//! The demo under `/demo`: a small course to click through, and beside it what the CRM holds.
//!
//! In: a path and a query; out: a page, its script, the browser client as `client/dist` has it, or
//! the contact as JSON. Events take the same way as any page's: the page has the client and
//! `POST /events/track`, and reads progress back from `GET /progress/read`.
//!
//! **Invariant**: it exists beside the simulator only, so what it shows is nobody's real data.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use shared::catalog::Catalog;
use shared::email::Email;

use console::html::Escaped;
use simulator::Portal;

/// Loads only what this server serves.
pub const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'";

const CLIENT: &str = include_str!("../../client/dist/milepost.js");
const CLIENT_MAP: &str = include_str!("../../client/dist/milepost.js.map");
const PAGE: &str = include_str!("demo/page.html");
const SCRIPT: &str = include_str!("demo/page.js");
const STYLE: &str = include_str!("demo/page.css");

/// Where the page's template takes the course.
const COURSE_MARK: &str = "<!-- course -->";

/// The demo.
pub struct Demo {
    portal: Arc<Portal>,
    page: String,
}

/// What a path of the demo leads to.
#[derive(Debug, PartialEq, Eq)]
pub struct Served {
    /// Its content type.
    pub content_type: &'static str,
    /// Its text.
    pub body: String,
}

impl Demo {
    /// A demo of the smallest pathway of the catalog that can be completed; without one, no course.
    pub fn new(portal: Arc<Portal>, catalog: &Catalog) -> Self {
        let course = match smallest_pathway(catalog) {
            Some((pathway, courses)) => course_list(pathway, courses, catalog),
            None => {
                "<p class=\"note\">The catalog has no pathway that can be completed.</p>".into()
            }
        };
        Self { portal, page: PAGE.replacen(COURSE_MARK, &course, 1) }
    }

    /// What a path leads to; `None` if it leads nowhere.
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

/// The pathway with the fewest modules among those whose every course has some.
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

fn course_list(pathway: &str, courses: &[String], catalog: &Catalog) -> String {
    let mut list = String::new();
    for course in courses {
        // Writing to a `String` can't fail, here and below.
        let _written = write!(
            list,
            "<article class=\"course\" data-pathway=\"{}\" data-course=\"{}\"><header>\
             <h2>{}</h2><p class=\"note\">in {}</p>\
             <button type=\"button\" data-call=\"enroll\">Enroll</button></header><ol>",
            Escaped(pathway),
            Escaped(course),
            Title(course),
            Title(pathway),
        );
        for module in catalog.courses.get(course).into_iter().flatten() {
            let _written = write!(
                list,
                "<li data-module=\"{0}\"><div><strong>{1}</strong><small aria-live=\"polite\">not \
                 started</small></div><button type=\"button\" data-call=\"startModule\" \
                 aria-label=\"Start {1}\">Start</button><button type=\"button\" \
                 data-call=\"completeModule\" aria-label=\"Complete {1}\">Complete</button></li>",
                Escaped(module),
                Title(module),
            );
        }
        list.push_str("</ol></article>");
    }
    list
}

/// A slug as people write it.
struct Title<'a>(&'a str);

impl std::fmt::Display for Title<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = self.0.replace('-', " ");
        let mut letters = words.chars();
        let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
        write!(f, "{}{}", Escaped(&first), Escaped(letters.as_str()))
    }
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
