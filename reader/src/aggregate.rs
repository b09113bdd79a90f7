//! The answer of `GET /progress/aggregate`: how much of one pathway or course is started and
//! completed.

use chrono::{DateTime, Utc};
use hubspot::contact::Contact;
use serde_json::json;
use shared::facts::{Course, Enrolment, Pathway, Progress, Reached};
use shared::http::Response;
use shared::state::instant;

use crate::progress::progress_of;
use crate::query::Kind;

/// What is known of one pathway or course.
#[derive(Debug, Default, PartialEq, Eq)]
struct Aggregate {
    started: usize,
    completed: usize,
    is_enrolled: bool,
    enrolled_at: Option<DateTime<Utc>>,
}

/// The counts for a contact; of what it has nothing of, zeros.
pub fn answer(contact: &Contact, of: Kind, slug: &str) -> Response {
    let Aggregate { started, completed, is_enrolled, enrolled_at } =
        aggregate(&progress_of(contact), of, slug);
    let body = json!({
        "mode": "authenticated",
        "started": started,
        "completed": completed,
        "enrolled": is_enrolled,
        "enrolled_at": enrolled_at.map(instant),
    });
    Response::json(200, &body)
}

fn aggregate(progress: &Progress, of: Kind, slug: &str) -> Aggregate {
    match of {
        Kind::Pathway => progress.pathways.get(slug).map(of_pathway),
        Kind::Course => {
            let in_pathways = || progress.pathways.values().find_map(|p| p.courses.get(slug));
            progress.courses.get(slug).or_else(in_pathways).map(of_course)
        }
    }
    .unwrap_or_default()
}

fn of_pathway(pathway: &Pathway) -> Aggregate {
    let enrolled = pathway.enrolled.as_ref();
    if pathway.courses.is_empty() {
        counted(enrolled, pathway.modules.values().map(|module| (module.started, module.completed)))
    } else {
        counted(enrolled, pathway.courses.values().map(|course| (course.started, course.completed)))
    }
}

fn of_course(course: &Course) -> Aggregate {
    let modules = course.modules.values().map(|module| (module.started, module.completed));
    counted(course.enrolled.as_ref(), modules)
}

fn counted(
    enrolled: Option<&Enrolment>,
    parts: impl Iterator<Item = (Option<Reached>, Option<Reached>)>,
) -> Aggregate {
    let (mut started, mut completed) = (0, 0);
    for (start, completion) in parts {
        started += usize::from(start.is_some());
        completed += usize::from(completion.is_some());
    }
    let enrolled_at = enrolled.and_then(|enrolment| enrolment.at);
    Aggregate { started, completed, is_enrolled: enrolled.is_some(), enrolled_at }
}
