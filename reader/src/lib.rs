//! The reader: what a learner's page asks about progress, answered from HubSpot.
//!
//! [`Reader::answer`] is the pass: route → whether progress is kept at all → query → whom it is
//! about → contact → answer. [`query`] holds the words of validation; [`progress`], [`aggregate`]
//! and [`enrollments`] make the three answers out of a contact; `story` tells the journal.
//!
//! **Invariant**: nothing is written, nobody waits longer than [`ANSWER_TIME_MAX`], and a HubSpot
//! that is away is an answer that pages know.

pub mod aggregate;
pub mod enrollments;
pub mod progress;
pub mod query;
mod story;

use std::sync::Arc;
use std::time::Duration;

use hubspot::Client;
use hubspot::client::ContactKey;
use hubspot::contact::Contact;
use hubspot::fault::CallFault;
use hubspot::pace::PaceSettings;
use serde_json::json;
use shared::http::{Request, Response, Route};
use shared::identity::{self, Person};
use shared::ports::{Clock, Entropy, Journal};
use shared::properties::{
    LAST_VIEWED_AT, LAST_VIEWED_SLUG, LAST_VIEWED_TYPE, PROGRESS_STATE, PROGRESS_SUMMARY,
    PROGRESS_UPDATED_AT,
};
use shared::settings::{self, Door};

use query::Question;
use story::Story;

/// The longest that a page waits for HubSpot, the wait for a permit included.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(3);

/// The readers' own pace: what the workers leave, and nothing of the workers' share. One process
/// may have it: two reader environments at once would be two of it.
pub fn share(hubspot: &settings::HubSpot) -> PaceSettings {
    PaceSettings {
        burst_limit: hubspot.burst_limit,
        headroom: 1.0 - hubspot.headroom,
        workers: 1,
        day_begins_at: None,
    }
}

/// What the answers are made from.
const PROPERTIES: [&str; 6] = [
    PROGRESS_STATE,
    PROGRESS_UPDATED_AT,
    PROGRESS_SUMMARY,
    LAST_VIEWED_TYPE,
    LAST_VIEWED_SLUG,
    LAST_VIEWED_AT,
];

/// The answers to questions about progress.
pub struct Reader {
    door: Door,
    hubspot: Arc<Client>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    journal: Arc<dyn Journal>,
}

/// What HubSpot has of a person.
pub(crate) enum Looked {
    /// The contact.
    Found(Contact),
    /// There is none.
    Unknown,
    /// It can't be known now.
    Away,
}

impl Reader {
    /// A reader of this portal. The client's pace should be the reader's own small share.
    pub fn new(
        door: Door,
        hubspot: Arc<Client>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        journal: Arc<dyn Journal>,
    ) -> Self {
        Self { door, hubspot, clock, entropy, journal }
    }

    /// Answers one request, within [`ANSWER_TIME_MAX`].
    pub async fn answer(&self, request: Request) -> Response {
        let mut story = Story::begin(&request, &*self.clock, &*self.entropy);
        let response = match request.route() {
            Err(response) => response,
            Ok(route) => {
                story.route(route);
                match route {
                    Route::Health => Response::health(self.clock.now()),
                    // Ingest's. This function is asked for it only if the routes are wrong.
                    Route::Track => Response::error(404, "Not found"),
                    Route::ProgressRead | Route::ProgressAggregate | Route::EnrollmentsList => {
                        self.read(route, &request, &mut story).await
                    }
                }
            }
        };
        story.end(response.status, &*self.clock, &*self.journal);
        self.door.cors.apply(request.header("origin"), response.to(&request))
    }

    async fn read(&self, route: Route, request: &Request, story: &mut Story) -> Response {
        if !self.door.is_enabled {
            return match route {
                Route::EnrollmentsList => Response::error(401, "CRM progress not enabled"),
                _ => anonymous(),
            };
        }
        let settings = &self.door.identity;
        let (question, named) = match query::read(route, &request.query, settings.policy) {
            Ok(read) => read,
            Err(complaints) => {
                story.invalid(&complaints);
                return invalid_query(&complaints);
            }
        };
        let person = identity::identify(
            settings.policy,
            settings.jwt_secret.as_deref(),
            request.header("authorization").and_then(identity::bearer),
            named.as_ref(),
            self.clock.now(),
        );
        let Ok(person) = person else {
            return Response::rejection(401, "Invalid or expired token", "INVALID_TOKEN", &[]);
        };
        let Some(person) = person else {
            return match question {
                Question::Enrollments => {
                    invalid_query(&["root: Either email or contactId is required".to_owned()])
                }
                Question::Progress | Question::Aggregate { .. } => anonymous(),
            };
        };
        story.person(&person);
        let looked = self.look(&person, story).await;
        match (question, looked) {
            (Question::Progress, Looked::Found(contact)) => progress::answer(&contact),
            (Question::Aggregate { of, slug }, Looked::Found(contact)) => {
                aggregate::answer(&contact, of, &slug)
            }
            (Question::Enrollments, Looked::Found(contact)) => enrollments::answer(&contact),
            (Question::Progress | Question::Aggregate { .. }, Looked::Unknown) => anonymous(),
            (Question::Enrollments, Looked::Unknown) => Response::error(404, "Contact not found"),
            (Question::Progress, Looked::Away) => fallback("Unable to read progress"),
            (Question::Aggregate { .. }, Looked::Away) => fallback("Unable to fetch progress"),
            (Question::Enrollments, Looked::Away) => {
                Response::error(500, "Unable to fetch enrollments")
            }
        }
    }

    /// Looks the person up; a record id wins over an e-mail.
    async fn look(&self, person: &Person, story: &mut Story) -> Looked {
        let key = match (person.record_id(), person.email()) {
            (Some(id), _) => ContactKey::Id(id.to_string()),
            (None, Some(email)) => ContactKey::Email(email.to_owned()),
            // An id that HubSpot never gave.
            (None, None) => return Looked::Unknown,
        };
        let contact = tokio::select! {
            biased;
            contact = self.hubspot.get(&key, &PROPERTIES) => contact,
            () = self.clock.sleep(ANSWER_TIME_MAX) => {
                story.late(&*self.journal);
                return Looked::Away;
            }
        };
        match contact {
            Ok(Some(contact)) => Looked::Found(contact),
            Ok(None) => Looked::Unknown,
            // HubSpot refuses the key itself, so no contact has it.
            Err(CallFault::Request(_)) => Looked::Unknown,
            Err(fault) => {
                story.away(&fault, &*self.journal);
                Looked::Away
            }
        }
    }
}

fn anonymous() -> Response {
    Response::json(200, &json!({ "mode": "anonymous" }))
}

fn fallback(error: &str) -> Response {
    Response::json(200, &json!({ "mode": "fallback", "error": error }))
}

fn invalid_query(complaints: &[String]) -> Response {
    Response::rejection(400, "Invalid query parameters", "SCHEMA_VALIDATION_FAILED", complaints)
}
