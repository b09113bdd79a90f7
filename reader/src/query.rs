//! A query → what is asked, and whom it names; or all that is wrong with it.
//!
//! The words are those that the site's own validation used, so pages that show them go on to.
//! Under [`Policy::Signed`] a query names nobody, and what it says of a person is not even looked
//! at.

use std::collections::BTreeMap;

use shared::contact_id::ContactId;
use shared::email::Email;
use shared::http::Route;
use shared::identity::{Person, Policy};
use shared::slug::Slug;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// `GET /progress/read`
    Progress,
    /// `GET /progress/aggregate`
    Aggregate {
        /// `type`
        of: Kind,
        /// `slug`
        slug: Slug,
    },
    /// `GET /enrollments/list`
    Enrollments,
}

/// What an aggregate is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A pathway: its courses are counted.
    Pathway,
    /// A course: its modules are counted.
    Course,
}

/// Reads the query of one of the three reading routes.
///
/// # Errors
/// All that is wrong, a line each. A line may quote what was sent: it is for the answer only.
pub fn read(
    route: Route,
    query: &BTreeMap<String, String>,
    policy: Policy,
) -> Result<(Question, Option<Person>), Vec<String>> {
    let mut complaints = Vec::new();
    let named = match policy {
        Policy::Open => named(query, &mut complaints),
        Policy::Signed => None,
    };
    let question = match route {
        Route::ProgressAggregate => aggregate(query, &mut complaints),
        Route::EnrollmentsList => Some(Question::Enrollments),
        _ => Some(Question::Progress),
    };
    match question {
        Some(question) if complaints.is_empty() => Ok((question, named)),
        _ => Err(complaints),
    }
}

fn named(query: &BTreeMap<String, String>, complaints: &mut Vec<String>) -> Option<Person> {
    let mut told = |name: &str, what: String| complaints.push(format!("{name}: {what}"));
    let email = query.get("email").and_then(|email| {
        Email::parse(email).map_err(|fault| told("email", fault.to_string())).ok()
    });
    let contact_id = query.get("contactId").filter(|id| !id.is_empty()).and_then(|id| {
        ContactId::parse(id).map_err(|fault| told("contactId", fault.to_string())).ok()
    });
    Person::of(email, contact_id)
}

fn aggregate(query: &BTreeMap<String, String>, complaints: &mut Vec<String>) -> Option<Question> {
    let of = match query.get("type").map(String::as_str) {
        Some("pathway") => Some(Kind::Pathway),
        Some("course") => Some(Kind::Course),
        Some(other) => {
            complaints.push(format!(
                "type: Invalid enum value. Expected 'pathway' | 'course', received '{other}'"
            ));
            None
        }
        None => {
            complaints.push("type: Required".to_owned());
            None
        }
    };
    let slug = match query.get("slug").map(|slug| Slug::parse(slug)) {
        Some(Ok(slug)) => Some(slug),
        Some(Err(fault)) => {
            complaints.push(format!("slug: {fault}"));
            None
        }
        None => {
            complaints.push("slug: Required".to_owned());
            None
        }
    };
    Some(Question::Aggregate { of: of?, slug: slug? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        #[track_caller]
        fn check(query: &[(&str, &str)], expected: &[&str]) {
            let query = query.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            let complaints = read(Route::ProgressAggregate, &query, Policy::Open).unwrap_err();
            assert_eq!(complaints, expected);
        }
        check(&[], &["type: Required", "slug: Required"]);
        check(
            &[("type", "x"), ("slug", ""), ("email", "bad")],
            &[
                "email: Invalid email",
                "type: Invalid enum value. Expected 'pathway' | 'course', received 'x'",
                "slug: String must contain at least 1 character(s)",
            ],
        );
        let long = "s".repeat(201);
        check(
            &[("type", "course"), ("slug", &long)],
            &["slug: String must contain at most 200 character(s)"],
        );
    }

    #[test]
    fn under_signed_a_query_names_nobody_and_cannot_be_wrong_about_a_person() {
        let query = BTreeMap::from([("email".to_owned(), "bad".to_owned())]);
        let read = read(Route::ProgressRead, &query, Policy::Signed);
        assert_eq!(read, Ok((Question::Progress, None)));
    }
}
