//! The figures at the top of the page: the queue, the work, and what is left of HubSpot's limits; and
//! the sentence that sums them up.
//!
//! The page leaves out what this process can't know, and says where to find it.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use maud::{Markup, html};
use shared::ports::{Clock, Depth};

use crate::Watched;
use crate::format::{Count, Span};
use crate::recent_stats::{RecentStats, Trend};

/// An event that waits longer than this needs attention.
const OLD: Duration = Duration::from_secs(60);
/// The height of the trend's tallest bar, and the width of each.
const BAR_HEIGHT: u64 = 40;
const BAR_WIDTH: usize = 10;
/// What is shown for an unknown figure.
const UNKNOWN: &str = "–";

/// The present figures.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) events: Option<Depth>,
    pub(crate) dead_letters: Option<Depth>,
    age: Option<Age>,
    pub(crate) recent: Option<RecentStats>,
    /// Why it is unknown what the workers did.
    unknown: Option<String>,
}

/// How long events have been waiting.
#[derive(Debug, Clone, Copy)]
enum Age {
    /// The oldest event's age.
    Oldest(Duration),
    /// How long this console has not seen the queue empty. The port tells no more.
    NotEmpty(Duration),
}

/// Since when this console has not seen the queue empty.
#[derive(Debug, Default)]
pub(crate) struct NotEmpty(Mutex<Option<Duration>>);

impl NotEmpty {
    fn observe(&self, depth: Depth, now: Duration) -> Duration {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if depth.total() == 0 {
            *since = None;
            return Duration::ZERO;
        }
        now.saturating_sub(*since.get_or_insert(now))
    }
}

impl Figures {
    /// Asks the queues and the source of recent figures.
    pub(crate) async fn gather(watched: &Watched, not_empty: &NotEmpty) -> Self {
        let clock: &dyn Clock = &*watched.queues.clock;
        let events = watched.queues.events.depth().await.ok();
        let (recent, unknown) = match &watched.stats {
            Some(stats) => match stats.recent_stats().await {
                Ok(recent) => (Some(recent), None),
                Err(why) => (None, Some(why)),
            },
            None => (None, None),
        };
        let oldest = recent.as_ref().and_then(|recent| recent.oldest);
        let age = match (&watched.embedded, events) {
            (Some(queues), Some(_)) => match queues.oldest_event().await {
                Ok(oldest) => Some(Age::Oldest(
                    oldest.and_then(|at| (clock.now() - at).to_std().ok()).unwrap_or_default(),
                )),
                Err(_) => None,
            },
            (None, Some(depth)) => {
                let not_empty = not_empty.observe(depth, clock.uptime());
                Some(oldest.map_or(Age::NotEmpty(not_empty), Age::Oldest))
            }
            (_, None) => None,
        };
        Self {
            events,
            dead_letters: watched.queues.dead_letters.depth().await.ok(),
            age,
            recent,
            unknown,
        }
    }

    /// The figures in a sentence; and whether they need attention.
    pub(crate) fn sentence(&self) -> (String, bool) {
        let (Some(events), Some(dead_letters)) = (self.events, self.dead_letters) else {
            return ("The queue does not answer.".into(), true);
        };
        let parked = self.recent.as_ref().map_or(0, |recent| recent.parked);
        let waiting = events.total();
        if parked > 0 {
            let text = format!(
                "HubSpot takes no writes: {} events wait, and none is lost. The log says why.",
                Count(waiting)
            );
            return (text, true);
        }
        let dead = match dead_letters.total() {
            0 => String::new(),
            1 => " 1 dead letter needs attention.".to_owned(),
            count => format!(" {} dead letters need attention.", Count(count)),
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

    /// The figures and the trend.
    pub(crate) fn html(&self) -> Markup {
        html! {
            div.groups {
                (group("Queue", self.of_queue()))
                @if let Some(recent) = &self.recent {
                    (group(&format!("Worker, last {}", time_of(recent)), of_worker(recent)))
                    (group("HubSpot", of_hubspot(recent)))
                }
            }
            @match (&self.recent, &self.unknown) {
                (Some(recent), _) => (trend(recent)),
                (None, Some(why)) => p.note {
                    "The workers' metrics (CloudWatch, namespace Milepost) can't be read: " (why)
                    ". So this page knows the queues only."
                },
                (None, None) => p.note {
                    "Throughput, coalescing and HubSpot's quota are on the console of the process that \
                     works on these queues; this one sees the queues only."
                },
            }
        }
    }

    fn of_queue(&self) -> Vec<Markup> {
        let mut figures = match self.events {
            Some(Depth { visible, in_flight, delayed }) => vec![
                figure("Waiting", Count(visible), false),
                figure("Coalescing", Count(delayed), false),
                figure("In hand", Count(in_flight), false),
            ],
            None => vec![figure("Events", "no answer", true)],
        };
        figures.extend(self.age.map(|age| match age {
            Age::Oldest(age) => figure("Oldest event", Span(age), age > OLD),
            Age::NotEmpty(age) => figure("Not empty for", Span(age), age > OLD),
        }));
        figures.push(match self.dead_letters.map(|depth| depth.total()) {
            Some(total) => figure("Dead letters", Count(total), total > 0),
            None => figure("Dead letters", "no answer", true),
        });
        figures
    }
}

fn of_worker(recent: &RecentStats) -> Vec<Markup> {
    let ratio = recent.ratio.map_or_else(|| UNKNOWN.to_owned(), |ratio| format!("{ratio:.1}"));
    vec![
        figure("Accepted", Count(recent.accepted), false),
        figure("Applied", Count(recent.applied), false),
        figure("Parked", Count(recent.parked), recent.parked > 0),
        figure("Quarantined", Count(recent.quarantined), false),
        figure("Per contact", ratio, false),
    ]
}

fn of_hubspot(recent: &RecentStats) -> Vec<Markup> {
    let left = |left: Option<(u64, Duration)>| {
        left.map_or_else(|| UNKNOWN.to_owned(), |(left, _)| Count(left).to_string())
    };
    vec![
        figure("Burst left", left(recent.burst_left), false),
        figure("Day left", left(recent.day_left), false),
        figure("Throttled", Count(recent.throttled), recent.throttled > 0),
    ]
}

fn group(name: &str, figures: Vec<Markup>) -> Markup {
    html! {
        section.group {
            h2 { (name) }
            dl.figures { @for figure in figures { (figure) } }
        }
    }
}

fn figure(name: &str, value: impl Display, is_bad: bool) -> Markup {
    html! { div.bad[is_bad] { dt { (name) } dd { (value) } } }
}

/// The time that the counts cover, in words.
fn time_of(recent: &RecentStats) -> String {
    match recent.over.as_secs() {
        60 => "minute".to_owned(),
        _ => Span(recent.over).to_string(),
    }
}

/// The chart of events applied.
fn trend(recent: &RecentStats) -> Markup {
    let Trend { every, counts: bars } = &recent.trend;
    let over = Span(*every * u32::try_from(bars.len()).unwrap_or(u32::MAX));
    let total = Count(bars.iter().sum());
    let most = bars.iter().copied().max().unwrap_or_default();
    let width = bars.len() * BAR_WIDTH;
    html! {
        figure.trend {
            svg viewBox={ "0 0 " (width) " " (BAR_HEIGHT) } preserveAspectRatio="none" role="img"
                aria-label={ "Events applied in " (over) ": " (total) } {
                @for (at, count) in bars.iter().enumerate().filter(|(_, count)| **count > 0) {
                    @let height = (count * BAR_HEIGHT).div_ceil(most);
                    rect x=(at * BAR_WIDTH + 1) y=(BAR_HEIGHT - height) width=(BAR_WIDTH - 2)
                        height=(height) {}
                }
            }
            figcaption {
                "Applied in the last " (over) ": " (total) ", at most " (Count(most)) " in "
                (Span(*every)) "."
                @if let Some((_, ago)) = recent.burst_left {
                    " What HubSpot leaves us is as of " (Span(ago)) " ago."
                }
            }
        }
    }
}
