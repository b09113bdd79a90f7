//! `milepost quota`: how much of HubSpot's limits is used, and how long the backlog takes.
//!
//! HubSpot is asked for its figures, the queue for its depth; `forecast` reckons.

mod forecast;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use command::crm::{self, Crm};
use command::ending::{Ending, Stopped};
use command::output::{Mark, Output};
use command::queues::{self, Place};
use host::environment;
use hubspot::account::DailyUsage;
use hubspot::fault::{CallFault, LimitPolicy, PortalFault};
use hubspot::pace::{Pace, PaceSettings};
use serde::Serialize;
use shared::ports::Depth;
use shared::settings::{HubSpot, Worker};
use shared::state::instant;

use forecast::{Day, Forecast, lasting};

/// Say how much of HubSpot's limits is used, and how long the backlog takes
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Say how much of HubSpot's limits is used, and how long the backlog takes at the \
                  pace of the settings. It makes one call to HubSpot, or two, and looks at the queue if \
                  one is named: by QUEUE_URL and DLQ_URL, or by --data.\n\n\
                  HubSpot's figure for the day is some minutes old; what is left is what its last \
                  answer says. It ends with 1 when the day does not do for the backlog.",
    after_help = "Example: milepost quota\n\
                  Example: milepost quota --data /var/lib/milepost --json\n\
                  Read on in docs/cli.md, quota."
)]
pub struct Args {
    #[command(flatten)]
    place: Place,
}

/// What `quota --json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    burst: Burst,
    daily: Daily,
    /// `None` when no queue is named.
    backlog: Option<Backlog>,
}

/// Calls in a rolling 10 s.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Burst {
    /// By the settings.
    limit: u32,
    /// By HubSpot's answer.
    portal_limit: Option<u32>,
    /// The part of it that is left to others.
    headroom: f64,
    workers: u32,
    /// What all workers make together, at most.
    share: u32,
    /// What HubSpot's answer says is left just now.
    remaining: Option<u32>,
}

/// Calls in the portal's day.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Daily {
    limit: Option<u64>,
    /// HubSpot's figure, minutes old.
    used: Option<u64>,
    /// By HubSpot's last answer.
    remaining: Option<u64>,
    resets_at: Option<String>,
    resets_in_s: Option<i64>,
}

/// What is on the queue.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Backlog {
    events: u64,
    visible: u64,
    in_flight: u64,
    delayed: u64,
    #[serde(flatten)]
    forecast: Forecast,
    /// Whether the day's calls do, at best.
    fits_in_day: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`].
pub async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    let hubspot = HubSpot::from_lookup(&environment::lookup)?;
    let worker = Worker::from_lookup(&environment::lookup)?;
    let crm = crm::from_environment()?;
    // One process is all the workers of a `serve`, and has their whole share.
    let processes = if args.place.folder().is_some() { 1 } else { worker.concurrency };
    let queues = args.place.is_named().then(|| args.place.open()).transpose()?;

    let daily = Daily::ask(&crm).await?;
    let burst = Burst::of(&crm, &hubspot, worker.concurrency, processes)?;
    let backlog = match &queues {
        None => None,
        Some(queues) => {
            let depth = queues.events.depth().await.map_err(|fault| queues::stopped(&fault))?;
            Some(Backlog::of(depth, &worker, &burst, &daily))
        }
    };
    let report = Report { burst, daily, backlog };
    output.result(&report, || report.text(output))?;
    Ok(if report.is_well() { Ending::Done } else { Ending::Found })
}

impl Burst {
    fn of(crm: &Crm, hubspot: &HubSpot, workers: u32, processes: u32) -> Result<Self, Stopped> {
        let seen = crm.pace.snapshot();
        // Workers take the smaller of the two limits.
        let mut paced = hubspot.clone();
        paced.burst_limit = seen.window_limit.unwrap_or(u32::MAX).min(hubspot.burst_limit);
        let pace = Pace::new(
            PaceSettings::of(&paced, processes),
            Arc::clone(&crm.clock),
            Arc::clone(&crm.entropy),
        );
        let pace = pace.map_err(|no_share| Stopped::Usage(no_share.to_string()))?;
        Ok(Self {
            limit: hubspot.burst_limit,
            portal_limit: seen.window_limit,
            headroom: hubspot.headroom,
            workers,
            share: pace.snapshot().share * processes,
            remaining: seen.window_remaining,
        })
    }
}

impl Daily {
    async fn ask(crm: &Crm) -> Result<Self, Stopped> {
        let usage = match crm.client.daily_usage().await {
            Ok(usage) => usage.into_iter().next(),
            // It has said the most important thing.
            Err(CallFault::Throttled { policy: LimitPolicy::Daily, .. }) => {
                return Ok(Self {
                    limit: None,
                    used: None,
                    remaining: Some(0),
                    resets_at: None,
                    resets_in_s: None,
                });
            }
            Err(CallFault::Portal(PortalFault::MissingScope(_))) => None,
            Err(fault) => return Err(crm::stopped(&fault)),
        };
        let now = crm.clock.now();
        // HubSpot's figures are old at times, and then name a midnight that was.
        let told = usage.as_ref().and_then(|usage| usage.resets_at).filter(|at| *at > now);
        let resets_at = match told {
            Some(at) => Some(at),
            None => crm.client.account_details().await.ok().map(|of| of.next_midnight(now)),
        };
        Ok(Self::of(usage, crm.pace.snapshot().daily_remaining, resets_at, now))
    }

    fn of(
        usage: Option<DailyUsage>,
        remaining: Option<u64>,
        resets_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Self {
        let limit = usage.as_ref().and_then(|usage| usage.usage_limit);
        let used = usage.and_then(|usage| usage.current_usage);
        Self {
            limit,
            used,
            remaining: remaining.or_else(|| Some(limit?.saturating_sub(used?))),
            resets_at: resets_at.map(instant),
            resets_in_s: resets_at.map(|at| (at - now).num_seconds()),
        }
    }

    fn day(&self) -> Option<Day> {
        let remaining = self.remaining?;
        Some(Day {
            remaining,
            limit: self.limit.unwrap_or(remaining).max(1),
            resets_in_s: u64::try_from(self.resets_in_s?).ok()?,
        })
    }
}

impl Backlog {
    fn of(depth: Depth, worker: &Worker, burst: &Burst, daily: &Daily) -> Self {
        let forecast =
            Forecast::of(depth.total(), worker.backend, f64::from(burst.share), daily.day());
        let Depth { visible, in_flight, delayed } = depth;
        Self {
            events: depth.total(),
            visible,
            in_flight,
            delayed,
            fits_in_day: daily.remaining.is_none_or(|left| forecast.calls_at_least <= left),
            forecast,
        }
    }
}

impl Report {
    fn is_well(&self) -> bool {
        let is_spent = self.daily.remaining == Some(0);
        !is_spent && self.backlog.as_ref().is_none_or(|backlog| backlog.fits_in_day)
    }

    fn text(&self, output: &Output) -> String {
        let Burst { limit, portal_limit, headroom, workers, share, remaining } = &self.burst;
        let mark = |is_good| output.mark(if is_good { Mark::Good } else { Mark::Bad });
        let is_within = portal_limit.is_none_or(|portal| portal >= *limit);
        let mut lines = vec![
            format!(
                "{} burst: {limit} calls in 10 s by the settings, {} by HubSpot; {} left just now",
                mark(is_within),
                or_unknown(*portal_limit),
                or_unknown(*remaining),
            ),
            format!(
                "  ours: {share} calls in 10 s, of {workers} workers together; {:.0} % is left to \
                 others",
                headroom * 100.0
            ),
        ];
        let Daily { limit, used, remaining, resets_at, resets_in_s } = &self.daily;
        lines.push(format!(
            "{} day: {} of {} calls used, {} left; it begins anew {}",
            mark(*remaining != Some(0)),
            or_unknown(*used),
            or_unknown(*limit),
            or_unknown(*remaining),
            match (resets_at, resets_in_s.and_then(|s| u64::try_from(s).ok())) {
                (Some(at), Some(in_s)) => format!("at {at}, in {}", lasting(in_s)),
                _ => "at the portal's midnight".to_owned(),
            }
        ));
        lines.push(match &self.backlog {
            None => "– backlog: no queue is named; hint: set QUEUE_URL and DLQ_URL, or name a \
                     folder with --data"
                .to_owned(),
            Some(Backlog { events: 0, .. }) => format!("{} backlog: none", mark(true)),
            Some(backlog) => backlog.text(mark(backlog.fits_in_day)),
        });
        lines.join("\n")
    }
}

impl Backlog {
    fn text(&self, mark: &str) -> String {
        let Self { events, forecast, .. } = self;
        let Forecast { calls_at_least, calls_at_most, seconds_at_least, seconds_at_most, .. } =
            forecast;
        let Forecast { contacts_per_call_at_most: most, contacts_per_call_at_least: least, .. } =
            forecast;
        let mut text = format!(
            "{mark} backlog: {events} events, gone in {} to {}\n  \
             {calls_at_least} to {calls_at_most} calls: {most} contacts a call when passes are \
             full, {least} when each comes alone; events of one contact go together",
            lasting(*seconds_at_least),
            lasting(*seconds_at_most),
        );
        if !self.fits_in_day {
            text.push_str("\n  the day's calls do not do: what is left waits for the next");
        }
        text
    }
}

fn or_unknown(figure: Option<impl ToString>) -> String {
    figure.map_or_else(|| "unknown".to_owned(), |figure| figure.to_string())
}
