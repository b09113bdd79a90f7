//! The figures on top of the page: the queue, the work, what HubSpot leaves us; and the one
//! sentence that says how things stand.
//!
//! What a process can't know is left out, and the page says where it is to be found.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shared::ports::{Clock, Depth};

use crate::Watched;
use crate::html::{Count, Escaped, Span};
use crate::lately::{Seen, Trend};

/// An event that waits longer than this with a worker at work is worth a look.
const OLD: Duration = Duration::from_secs(60);
/// The height of the trend's tallest bar, and the width of each.
const BAR_HEIGHT: u64 = 40;
const BAR_WIDTH: usize = 10;

/// How things stand.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) events: Option<Depth>,
    pub(crate) dead_letters: Option<Depth>,
    age: Option<Age>,
    pub(crate) seen: Option<Seen>,
    /// Why nobody knows what the workers did.
    unknown: Option<String>,
}

/// How long events have been waiting.
#[derive(Debug, Clone, Copy)]
enum Age {
    /// The oldest event's age.
    Oldest(Duration),
    /// The queue was never seen empty for so long: the most that its port lets one know.
    NotEmpty(Duration),
}

/// Since when the queue was not seen empty.
#[derive(Debug, Default)]
pub(crate) struct NotEmpty(Mutex<Option<Duration>>);

impl NotEmpty {
    fn look(&self, depth: Depth, now: Duration) -> Duration {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if depth.total() == 0 {
            *since = None;
            return Duration::ZERO;
        }
        now.saturating_sub(*since.get_or_insert(now))
    }
}

impl Figures {
    /// Asks everybody who knows.
    pub(crate) async fn gather(watched: &Watched, not_empty: &NotEmpty) -> Self {
        let clock: &dyn Clock = &*watched.queues.clock;
        let events = watched.queues.events.depth().await.ok();
        let (seen, unknown) = match &watched.lately {
            Some(lately) => match lately.seen().await {
                Ok(seen) => (Some(seen), None),
                Err(why) => (None, Some(why)),
            },
            None => (None, None),
        };
        let told = seen.as_ref().and_then(|seen| seen.oldest);
        let age = match (&watched.embedded, events) {
            (Some(queues), Some(_)) => match queues.oldest_event().await {
                Ok(oldest) => Some(Age::Oldest(
                    oldest.and_then(|at| (clock.now() - at).to_std().ok()).unwrap_or_default(),
                )),
                Err(_) => None,
            },
            (None, Some(depth)) => {
                let not_empty = not_empty.look(depth, clock.uptime());
                Some(told.map_or(Age::NotEmpty(not_empty), Age::Oldest))
            }
            (_, None) => None,
        };
        Self {
            events,
            dead_letters: watched.queues.dead_letters.depth().await.ok(),
            age,
            seen,
            unknown,
        }
    }

    /// How things stand, in a sentence; and whether a person should look.
    pub(crate) fn sentence(&self) -> (String, bool) {
        let (Some(events), Some(dead_letters)) = (self.events, self.dead_letters) else {
            return ("The queue does not answer.".into(), true);
        };
        let seen = self.seen.clone().unwrap_or_default();
        let waiting = events.total();
        if seen.parked > 0 {
            let text = format!(
                "HubSpot takes no writes: {} events wait, and none is lost. The log says why.",
                Count(waiting)
            );
            return (text, true);
        }
        let dead = match dead_letters.total() {
            0 => String::new(),
            1 => " 1 dead letter wants a look.".to_owned(),
            count => format!(" {} dead letters want a look.", Count(count)),
        };
        let is_old = match self.age {
            Some(Age::Oldest(age) | Age::NotEmpty(age)) => age > OLD,
            None => false,
        };
        let text = match waiting {
            0 => "Nothing waits.".to_owned(),
            1 => "1 event is on its way.".to_owned(),
            _ => format!("{} events are on their way.", Count(waiting)),
        };
        (text + &dead, is_old || dead_letters.total() > 0)
    }

    /// The figures, and the trend.
    pub(crate) fn write(&self, page: &mut String) {
        page.push_str("<div class=\"groups\">");
        group(page, "Queue", |page| {
            match self.events {
                Some(Depth { visible, in_flight, delayed }) => {
                    figure(page, "Waiting", Count(visible), false);
                    figure(page, "Coalescing", Count(delayed), false);
                    figure(page, "In hand", Count(in_flight), false);
                }
                None => figure(page, "Events", "no answer", true),
            }
            match self.age {
                Some(Age::Oldest(age)) => figure(page, "Oldest event", Span(age), age > OLD),
                Some(Age::NotEmpty(age)) => figure(page, "Not empty for", Span(age), age > OLD),
                None => {}
            }
            match self.dead_letters {
                Some(depth) => {
                    figure(page, "Dead letters", Count(depth.total()), depth.total() > 0);
                }
                None => figure(page, "Dead letters", "no answer", true),
            }
        });
        if let Some(seen) = &self.seen {
            let over = match seen.over.as_secs() {
                60 => "minute".to_owned(),
                _ => Span(seen.over).to_string(),
            };
            group(page, &format!("Worker, last {over}"), |page| {
                figure(page, "Accepted", Count(seen.accepted), false);
                figure(page, "Applied", Count(seen.applied), false);
                figure(page, "Parked", Count(seen.parked), seen.parked > 0);
                figure(page, "Quarantined", Count(seen.quarantined), false);
                match seen.ratio {
                    Some(ratio) => {
                        figure(page, "Per contact", format_args!("{ratio:.1}"), false);
                    }
                    None => figure(page, "Per contact", "–", false),
                }
            });
            group(page, "HubSpot", |page| {
                let left = |left: Option<(u64, Duration)>| {
                    left.map_or_else(|| "–".to_owned(), |(left, _)| Count(left).to_string())
                };
                figure(page, "Burst left", left(seen.burst_left), false);
                figure(page, "Day left", left(seen.day_left), false);
                figure(page, "Throttled", Count(seen.throttled), seen.throttled > 0);
            });
        }
        page.push_str("</div>");
        match (&self.seen, &self.unknown) {
            (Some(seen), _) => trend(page, seen),
            (None, Some(why)) => {
                let _written = write!(
                    page,
                    "<p class=\"note\">The workers' metrics (CloudWatch, namespace Milepost) can't be \
                     had: {}. So this page knows the queues only.</p>",
                    Escaped(why)
                );
            }
            (None, None) => page.push_str(
                "<p class=\"note\">Throughput, coalescing and HubSpot's quota are on the console of \
                 the process that works on these queues; this one sees the queues only.</p>",
            ),
        }
    }
}

fn group(page: &mut String, name: &str, figures: impl FnOnce(&mut String)) {
    // Writing to a `String` can't fail, here and below.
    let _written = write!(page, "<section class=\"group\"><h2>{name}</h2><dl class=\"figures\">");
    figures(page);
    page.push_str("</dl></section>");
}

fn figure(page: &mut String, name: &str, value: impl std::fmt::Display, is_bad: bool) {
    let mood = if is_bad { " class=\"bad\"" } else { "" };
    let _written = write!(page, "<div{mood}><dt>{name}</dt><dd>{value}</dd></div>");
}

/// Events applied, part by part of the time.
fn trend(page: &mut String, seen: &Seen) {
    let Trend { every, counts: bars } = &seen.trend;
    let over = Span(*every * u32::try_from(bars.len()).unwrap_or(u32::MAX));
    let most = bars.iter().copied().max().unwrap_or_default();
    let width = bars.len() * BAR_WIDTH;
    let _written = write!(
        page,
        "<figure class=\"trend\"><svg viewBox=\"0 0 {width} {BAR_HEIGHT}\" preserveAspectRatio=\"none\" \
         role=\"img\" aria-label=\"Events applied in {over}: {}\">",
        Count(bars.iter().sum())
    );
    for (at, count) in bars.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = (count * BAR_HEIGHT).div_ceil(most);
        let _written = write!(
            page,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{height}\"/>",
            at * BAR_WIDTH + 1,
            BAR_HEIGHT - height,
            BAR_WIDTH - 2,
        );
    }
    let _written = write!(
        page,
        "</svg><figcaption>Applied in the last {over}: {}, at most {} in {}.",
        Count(bars.iter().sum()),
        Count(most),
        Span(*every)
    );
    if let Some((_, ago)) = seen.burst_left {
        let _written = write!(page, " What HubSpot leaves us is as of {} ago.", Span(ago));
    }
    page.push_str("</figcaption></figure>");
}
