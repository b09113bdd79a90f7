//! The dead-letter queue as the console uses it: it peeks now and then, and replays in the
//! background, one replay at a time.
//!
//! To peek, it receives dead letters and hands them back ([`Scan`]), which hides them from others
//! for a moment. So it peeks when their number has changed, and once a minute otherwise.
//!
//! **Invariant**: peeking and dry runs change nothing. A replay sends what its dry run showed, and
//! nothing that died later.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use shared::ports::QueueFault;
use tokio::sync::{Mutex as Turn, watch};

use dead_letters::Queues;
use dead_letters::dead_letter::DeadLetter;
use dead_letters::filter::Filter;
use dead_letters::replay::{Order, Replayed, Step, replay};
use dead_letters::report::Report;
use dead_letters::scan::{AT_ONCE, Mode, Scan, Unseen};

/// The maximum number of dead letters that a peek receives; the command line receives all.
pub(crate) const PEEK_MAX: usize = 500;
/// A peek is reused for this long in any case, and for this long if the number stays the same.
const FRESH: Duration = Duration::from_secs(3);
const STALE: Duration = Duration::from_secs(60);
/// How fast the console replays, in dead letters per second, and how long it waits for the worker:
/// the defaults of the command line.
pub(crate) const RATE: u32 = 100;
const FOLLOW_MAX: Duration = Duration::from_secs(60);
/// How long the page shows how a replay ended.
const SHOW_END_FOR: Duration = Duration::from_secs(10 * 60);

/// The dead-letter queue, with the last peek and the last replay.
#[derive(Clone)]
pub(crate) struct DeadLetterQueue {
    queues: Queues,
    stop: watch::Receiver<bool>,
    /// Held by the task that receives dead letters.
    turn: Arc<Turn<()>>,
    peeked: Arc<Mutex<Option<Arc<Peeked>>>>,
    progress: Arc<Mutex<Option<Progress>>>,
}

/// What a peek saw.
#[derive(Debug, Default)]
pub(crate) struct Peeked {
    /// The dead letters, newest first, at most [`PEEK_MAX`].
    pub(crate) dead_letters: Vec<DeadLetter>,
    /// How many there were in all.
    pub(crate) total: u64,
    /// What it could not see.
    pub(crate) unseen: Unseen,
    at: Duration,
}

/// Which dead letters a form is about: all with a reason, or one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// By the reason's code.
    Reason(String),
    /// By its id.
    Id(String),
}

/// How far the last replay is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    /// What it replays.
    pub(crate) chosen: Chosen,
    /// How far it is, or how it ended, in words.
    pub(crate) text: String,
    /// Whether it has ended.
    pub(crate) is_over: bool,
    /// Whether it ended well.
    pub(crate) is_well: bool,
    /// When this was so, as uptime.
    at: Duration,
}

/// Another replay is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

impl Chosen {
    /// In words.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Reason(reason) => format!("all dead letters with {reason}"),
            Self::Id(id) => format!("dead letter {id}"),
        }
    }

    fn filter(&self, until: DateTime<Utc>) -> Filter {
        match self {
            Self::Reason(reason) => Filter { reasons: vec![reason.clone()], ..Filter::default() },
            Self::Id(id) => Filter::by_id(id.clone()),
        }
        .died_before(until)
    }
}

impl DeadLetterQueue {
    pub(crate) fn new(queues: Queues, stop: watch::Receiver<bool>) -> Self {
        Self {
            queues,
            stop,
            turn: Arc::default(),
            peeked: Arc::default(),
            progress: Arc::default(),
        }
    }

    /// What the last peek saw, or a new one if the queue now has another number of dead letters.
    pub(crate) async fn peek(&self, total: u64) -> Result<Arc<Peeked>, QueueFault> {
        let known = lock(&self.peeked).clone();
        if total == 0 {
            return Ok(Arc::default());
        }
        if let Some(known) = known.filter(|known| self.is_fresh(known, total)) {
            return Ok(known);
        }
        // While a replay holds the dead letters, only the last peek can be shown.
        if self.is_replaying() {
            return Ok(lock(&self.peeked).clone().unwrap_or_default());
        }
        let _turn = self.turn.lock().await;
        let known = lock(&self.peeked).clone();
        if let Some(known) = known.filter(|known| self.is_fresh(known, total)) {
            return Ok(known);
        }
        let peeked = Arc::new(self.peek_again().await?);
        *lock(&self.peeked) = Some(peeked.clone());
        Ok(peeked)
    }

    fn is_fresh(&self, peeked: &Peeked, total: u64) -> bool {
        let age = self.queues.clock.uptime().saturating_sub(peeked.at);
        age < FRESH || (peeked.total == total && age < STALE)
    }

    async fn peek_again(&self) -> Result<Peeked, QueueFault> {
        let mut scan = Scan::new(&self.queues, &self.stop, Mode::Peek);
        let total = scan.total().await?;
        let mut dead_letters = Vec::new();
        while dead_letters.len() < PEEK_MAX {
            let seen = scan.next(AT_ONCE).await?;
            if seen.is_empty() {
                break;
            }
            dead_letters.extend(seen);
        }
        let unseen = scan.unseen;
        scan.hand_back().await;
        dead_letters.truncate(PEEK_MAX);
        dead_letters.sort_by_key(|letter| std::cmp::Reverse(letter.failed_at));
        Ok(Peeked { dead_letters, total, unseen, at: self.queues.clock.uptime() })
    }

    /// What a replay of these dead letters would do now.
    pub(crate) async fn dry_run(&self, chosen: &Chosen) -> Result<Report, QueueFault> {
        let _turn = self.turn.lock().await;
        let order = order(chosen.filter(self.queues.clock.now()), true);
        let Replayed { report, fault } =
            replay(&self.queues, &order, &self.stop, &mut |_step| {}).await;
        fault.map_or(Ok(report), Err)
    }

    /// Replays in the background what died before `until`.
    pub(crate) fn start(&self, chosen: Chosen, until: DateTime<Utc>) -> Result<(), Busy> {
        let mut progress = lock(&self.progress);
        if progress.as_ref().is_some_and(|progress| !progress.is_over) {
            return Err(Busy);
        }
        let text = "begins".to_owned();
        let at = self.queues.clock.uptime();
        *progress =
            Some(Progress { chosen: chosen.clone(), text, is_over: false, is_well: true, at });
        let queue = self.clone();
        // The process does not wait for it at its end: what it holds is visible again after its hold.
        tokio::spawn(async move {
            let order = order(chosen.filter(until), false);
            let _turn = queue.turn.lock().await;
            let mut tell = |step: Step| {
                if let Some(progress) = lock(&queue.progress).as_mut() {
                    progress.text = words(step);
                }
            };
            let replayed = replay(&queue.queues, &order, &queue.stop, &mut tell).await;
            *lock(&queue.peeked) = None;
            if let Some(progress) = lock(&queue.progress).as_mut() {
                progress.is_over = true;
                progress.at = queue.queues.clock.uptime();
                progress.is_well = replayed.fault.is_none() && replayed.report.is_all_well();
                progress.text = ended(&replayed);
            }
        });
        Ok(())
    }

    /// How far the last replay is; `None` if there is none, or if it ended a while ago.
    pub(crate) fn progress(&self) -> Option<Progress> {
        let now = self.queues.clock.uptime();
        let is_shown = |progress: &Progress| {
            !progress.is_over || now.saturating_sub(progress.at) < SHOW_END_FOR
        };
        lock(&self.progress).clone().filter(is_shown)
    }

    fn is_replaying(&self) -> bool {
        lock(&self.progress).as_ref().is_some_and(|progress| !progress.is_over)
    }
}

fn order(filter: Filter, is_dry_run: bool) -> Order {
    Order { filter, rate: RATE, is_dry_run, follow_max: FOLLOW_MAX }
}

fn words(step: Step) -> String {
    match step {
        Step::Begun { total } => format!("looks through {total} dead letters"),
        Step::Scanned { seen, sent, .. } => format!("{sent} sent, {seen} looked through"),
        Step::Following { depth } => {
            format!("everything is sent; waits for the worker, {depth} events on the queue")
        }
    }
}

fn ended(replayed: &Replayed) -> String {
    let document = replayed.report.document();
    let again: u64 = document.dead_again.values().sum();
    let parts = [
        (document.applied, "applied"),
        (again, "dead again"),
        (document.under_way, "still under way"),
        (document.sent, "sent"),
        (document.left, "left"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let mut text = if parts.is_empty() { "nothing was sent".to_owned() } else { parts.join(", ") };
    if let Some(fault) = &replayed.fault {
        text.push_str(&format!("; it ended early: {fault}"));
    } else if replayed.report.is_unfinished() {
        text.push_str("; some are left, replay again");
    }
    text
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
