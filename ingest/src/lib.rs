//! Ingest: an event comes in over HTTP, and stands on the queue before the answer goes out.
//!
//! [`Ingest::answer`] is the pass: route → body → whether progress is kept at all → whose event it
//! is → queue → answer. [`enqueue`] sends, [`answer`] words what comes of it, and `story` tells the
//! journal about it.
//!
//! **Invariant**: `persisted` is said of no event that the queue has not stored, and an accepted
//! event that it did not store stands in the journal. No CRM is called: this crate knows of none.

pub mod answer;
pub mod enqueue;
pub mod story;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use shared::envelope::{Content, Envelope};
use shared::event::SentEvent;
use shared::facts::Happening;
use shared::http::{Request, Response, Route};
use shared::identity::{self, InvalidToken, Person};
use shared::ids;
use shared::ports::{Clock, Entropy, Journal, Outgoing, Queue};
use shared::settings::Door;
use shared::submission::{self, Submission, Submitted};

use answer::Refused;
use story::Story;

/// The front door.
pub struct Ingest {
    door: Door,
    queue: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    journal: Arc<dyn Journal>,
}

/// What became of the valid events of a request.
#[derive(Default)]
struct Sorted {
    /// Those that have somebody to be about, with their places in the request.
    about: Vec<(usize, Envelope)>,
    /// Those that nobody can be found for, by place.
    anonymous: Vec<usize>,
}

impl Ingest {
    /// A door to this queue.
    pub fn new(
        door: Door,
        queue: Arc<dyn Queue>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        journal: Arc<dyn Journal>,
    ) -> Self {
        Self { door, queue, clock, entropy, journal }
    }

    /// Answers one request. It takes at most [`enqueue::SEND_TIME_MAX`] and never fails: what goes
    /// wrong is an answer too.
    pub async fn answer(&self, request: Request) -> Response {
        let mut story = Story::begin(&request, &*self.clock, &*self.entropy);
        let response = match request.route() {
            Err(response) => response,
            Ok(route) => {
                story.route(route);
                match route {
                    Route::Track => self.track(&request, &mut story).await,
                    Route::Health => Response::health(self.clock.now()),
                    // The reader's. This function is asked for them only if the routes are wrong.
                    Route::ProgressRead | Route::ProgressAggregate | Route::EnrollmentsList => {
                        Response::error(404, "Not found")
                    }
                }
            }
        };
        story.end(response.status, &*self.clock, &*self.journal);
        self.door.cors.apply(request.header("origin"), response.to(&request))
    }

    async fn track(&self, request: &Request, story: &mut Story) -> Response {
        let Submission { token, events } = match submission::read(&request.body) {
            Ok(submission) => submission,
            Err(rejection) => {
                story.rejected(None, &rejection);
                return answer::invalid(&rejection);
            }
        };
        let (events, is_batch) = match events {
            Submitted::Single(event) => (vec![Ok(*event)], false),
            Submitted::Batch(events) => (events, true),
        };
        let mut refused = Vec::new();
        let mut valid = Vec::with_capacity(events.len());
        for (index, event) in events.into_iter().enumerate() {
            match event {
                Ok(event) => valid.push((index, event)),
                Err(rejection) => {
                    story.rejected(Some(index), &rejection);
                    refused.push(Refused::invalid(index, rejection));
                }
            }
        }
        if valid.is_empty() {
            return answer::none_valid(&refused);
        }
        if !self.door.is_enabled {
            story.anonymous(valid.len());
            return answer::anonymous();
        }

        let bearer = request.header("authorization").and_then(identity::bearer);
        let token = bearer.or(token.as_deref());
        let Ok(Sorted { about, anonymous }) = self.sort(valid, token, story) else {
            return answer::invalid_token();
        };
        story.anonymous(anonymous.len());
        if about.is_empty() {
            return answer::anonymous();
        }
        refused.extend(anonymous.into_iter().map(Refused::no_identity));

        let messages: Vec<Outgoing> = about.iter().map(|(_, envelope)| envelope.seal()).collect();
        story.event_ids_reused(ids_reused(&about));
        let results = enqueue::send(&*self.queue, &*self.clock, &*self.entropy, messages).await;
        let mut accepted = Vec::with_capacity(about.len());
        for ((index, envelope), result) in about.into_iter().zip(results) {
            match result {
                Ok(()) => accepted.push(envelope),
                Err(fault) => {
                    story.fallback(&envelope, &fault, &*self.journal);
                    refused.push(Refused::fallback(index));
                }
            }
        }
        story.accepted(accepted.len());
        match accepted.as_slice() {
            [] => answer::fallback(),
            [envelope] if !is_batch => answer::queued(envelope, self.door.backend),
            accepted => answer::batch(accepted, refused, self.door.backend),
        }
    }

    /// Finds out whom each event is about.
    fn sort(
        &self,
        events: Vec<(usize, SentEvent)>,
        token: Option<&str>,
        story: &mut Story,
    ) -> Result<Sorted, InvalidToken> {
        let now = self.clock.now();
        let mut sorted = Sorted { about: Vec::with_capacity(events.len()), ..Sorted::default() };
        for (index, event) in events {
            let settings = &self.door.identity;
            let secret = settings.jwt_secret.as_deref();
            match identity::identify(settings.policy, secret, token, event.contact.as_ref(), now)? {
                Some(person) => {
                    story.person(&person);
                    sorted.about.push((index, self.envelope(event, person, now, story)));
                }
                None => sorted.anonymous.push(index),
            }
        }
        Ok(sorted)
    }

    fn envelope(
        &self,
        sent: SentEvent,
        person: Person,
        now: DateTime<Utc>,
        story: &mut Story,
    ) -> Envelope {
        let SentEvent { event, id, ts, .. } = sent;
        let when = ts.when(now);
        story.time(when);
        Envelope {
            id: id.unwrap_or_else(|| ids::uuid_v7(now, &*self.entropy)),
            correlation_id: story.correlation_id().to_owned(),
            accepted_at: now,
            person,
            content: Content::Event(Happening { at: when.at, event }),
            hopped: false,
        }
    }
}

/// How many ids two different events of one person have. Each event is kept; that they share an id
/// is a fault of the page.
fn ids_reused(about: &[(usize, Envelope)]) -> usize {
    let mut by_id: BTreeMap<(&Person, &str), BTreeSet<String>> = BTreeMap::new();
    for (_, envelope) in about {
        let key = (&envelope.person, envelope.id.as_str());
        by_id.entry(key).or_default().insert(envelope.unique_id());
    }
    by_id.values().filter(|events| events.len() > 1).count()
}
