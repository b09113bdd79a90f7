//! The answer of `GET /enrollments/list`: the pathways and courses that a contact is enrolled in.
//!
//! Pathways by slug; courses by pathway and slug, the standalone ones last.

use hubspot::contact::Contact;
use serde_json::{Value, json};
use shared::facts::Enrolment;
use shared::http::Response;
use shared::state::instant;

use crate::progress::progress_of;

/// The enrolments of a contact.
pub fn answer(contact: &Contact) -> Response {
    let progress = progress_of(contact);
    let pathways: Vec<Value> = progress
        .pathways
        .iter()
        .filter_map(|(slug, pathway)| Some(entry(slug, pathway.enrolled.as_ref()?)))
        .collect();
    let in_pathways = progress.pathways.iter().flat_map(|(pathway, of_pathway)| {
        of_pathway.courses.iter().map(move |(slug, course)| (Some(pathway), slug, course))
    });
    let standalone = progress.courses.iter().map(|(slug, course)| (None, slug, course));
    let courses: Vec<Value> = in_pathways
        .chain(standalone)
        .filter_map(|(pathway, slug, course)| {
            let mut entry = entry(slug, course.enrolled.as_ref()?);
            entry["pathway_slug"] = json!(pathway);
            Some(entry)
        })
        .collect();
    let body = json!({
        "mode": "authenticated",
        "enrollments": { "pathways": pathways, "courses": courses },
    });
    Response::json(200, &body)
}

fn entry(slug: &str, enrolment: &Enrolment) -> Value {
    json!({
        "slug": slug,
        "enrolled_at": enrolment.at.map(instant),
        "enrollment_source": enrolment.source,
    })
}
