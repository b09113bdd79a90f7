//! The dead letters as the console has them: looked at now and then, and replayed in the
//! background, one thing at a time.
//!
//! A look receives letters and hands them back ([`Walk`]), which hides them from others for a
//! moment; so it is taken when their number changed, and once a minute otherwise.
//!
//! **Invariant**: a look and a dry run change nothing; a replay is of what its dry run showed, and
//! not of what died later.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use shared::ports::QueueFault;
use tokio::sync::{Mutex as Turn, watch};

use dead_letters::Queues;
use dead_letters::letter::Letter;
use dead_letters::meant::Meant;
use dead_letters::replay::{Order, Replayed, Step, replay};
use dead_letters::report::Report;
use dead_letters::walk::{AT_ONCE, Manner, Unseen, Walk};

/// How many letters a look takes in; the command line sees all.
pub(crate) const LOOK_MAX: usize = 500;
/// A look is good for so long whatever happens, and for so long if nothing does.
const FRESH: Duration = Duration::from_secs(3);
const STALE: Duration = Duration::from_secs(60);
/// How fast the console replays, in letters a second, and how long it waits for the worker: what
/// the command line does unless told otherwise.
pub(crate) const RATE: u32 = 100;
/// How long it is told how a replay ended.
const TOLD_FOR: Duration = Duration::from_secs(10 * 60);
const FOLLOW_MAX: Duration = Duration::from_secs(60);

/// The dead letters, and whoever works with them.
#[derive(Clone)]
pub(crate) struct LetterBox {
    queues: Queues,
    stop: watch::Receiver<bool>,
    /// Held by whoever receives letters.
    turn: Arc<Turn<()>>,
    looked: Arc<Mutex<Option<Arc<Look>>>>,
    told: Arc<Mutex<Option<Told>>>,
}

/// What a look saw.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// The letters, at most [`LOOK_MAX`].
    pub(crate) letters: Vec<Letter>,
    /// How many there were in all.
    pub(crate) total: u64,
    /// What it could not see.
    pub(crate) unseen: Unseen,
    at: Duration,
}

/// Which letters a form is about: those of a reason, or one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// By the reason's word.
    Reason(String),
    /// By its name.
    Letter(String),
}

/// What is told of the last replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// What was chosen.
    pub(crate) chosen: Chosen,
    /// How far it is, or how it ended.
    pub(crate) text: String,
    /// Whether it is at its end.
    pub(crate) is_over: bool,
    /// Whether it ended well.
    pub(crate) is_well: bool,
    /// When that was told, as uptime.
    at: Duration,
}

/// Somebody replays already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

impl Chosen {
    /// In words.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Reason(reason) => format!("all letters with {reason}"),
            Self::Letter(id) => format!("letter {id}"),
        }
    }

    fn meant(&self, until: DateTime<Utc>) -> Meant {
        match self {
            Self::Reason(reason) => Meant { reasons: vec![reason.clone()], ..Meant::default() },
            Self::Letter(id) => Meant::named(id.clone()),
        }
        .that_died_before(until)
    }
}

impl LetterBox {
    pub(crate) fn new(queues: Queues, stop: watch::Receiver<bool>) -> Self {
        Self { queues, stop, turn: Arc::default(), looked: Arc::default(), told: Arc::default() }
    }

    /// What the last look saw, or a new one if the queue now has another number of letters.
    pub(crate) async fn look(&self, total: u64) -> Result<Arc<Look>, QueueFault> {
        let known = lock(&self.looked).clone();
        if total == 0 {
            return Ok(Arc::default());
        }
        if let Some(known) = known.filter(|known| self.is_good(known, total)) {
            return Ok(known);
        }
        // While a replay has the letters, there is nothing to be seen but the last look.
        if lock(&self.told).as_ref().is_some_and(|told| !told.is_over) {
            return Ok(lock(&self.looked).clone().unwrap_or_default());
        }
        let _turn = self.turn.lock().await;
        let known = lock(&self.looked).clone();
        if let Some(known) = known.filter(|known| self.is_good(known, total)) {
            return Ok(known);
        }
        let look = Arc::new(self.look_again().await?);
        *lock(&self.looked) = Some(look.clone());
        Ok(look)
    }

    fn is_good(&self, look: &Look, total: u64) -> bool {
        let age = self.queues.clock.uptime().saturating_sub(look.at);
        age < FRESH || (look.total == total && age < STALE)
    }

    async fn look_again(&self) -> Result<Look, QueueFault> {
        let mut walk = Walk::new(&self.queues, &self.stop, Manner::Looks);
        let total = walk.total().await?;
        let mut letters = Vec::new();
        while letters.len() < LOOK_MAX {
            let seen = walk.next(AT_ONCE).await?;
            if seen.is_empty() {
                break;
            }
            letters.extend(seen);
        }
        let unseen = walk.unseen;
        walk.hand_back().await;
        letters.truncate(LOOK_MAX);
        letters.sort_by_key(|letter| std::cmp::Reverse(letter.failed_at));
        Ok(Look { letters, total, unseen, at: self.queues.clock.uptime() })
    }

    /// What a replay of these letters would do by now.
    pub(crate) async fn dry_run(&self, chosen: &Chosen) -> Result<Report, QueueFault> {
        let _turn = self.turn.lock().await;
        let order = order(chosen.meant(self.queues.clock.now()), true);
        let Replayed { report, fault } =
            replay(&self.queues, &order, &self.stop, &mut |_step| {}).await;
        fault.map_or(Ok(report), Err)
    }

    /// Replays in the background the letters that died before `until`.
    pub(crate) fn start(&self, chosen: Chosen, until: DateTime<Utc>) -> Result<(), Busy> {
        let mut told = lock(&self.told);
        if told.as_ref().is_some_and(|told| !told.is_over) {
            return Err(Busy);
        }
        let text = "begins".to_owned();
        let at = self.queues.clock.uptime();
        *told = Some(Told { chosen: chosen.clone(), text, is_over: false, is_well: true, at });
        let letters = self.clone();
        // It is not waited for at the end of the process: whatever it holds comes back by itself.
        tokio::spawn(async move {
            let order = order(chosen.meant(until), false);
            let _turn = letters.turn.lock().await;
            let mut tell = |step: Step| {
                if let Some(told) = lock(&letters.told).as_mut() {
                    told.text = words(step);
                }
            };
            let replayed = replay(&letters.queues, &order, &letters.stop, &mut tell).await;
            *lock(&letters.looked) = None;
            if let Some(told) = lock(&letters.told).as_mut() {
                told.is_over = true;
                told.at = letters.queues.clock.uptime();
                told.is_well = replayed.fault.is_none() && replayed.report.is_all_well();
                told.text = ended(&replayed);
            }
        });
        Ok(())
    }

    /// What there is to tell of the last replay.
    pub(crate) fn told(&self) -> Option<Told> {
        let now = self.queues.clock.uptime();
        let is_news = |told: &Told| !told.is_over || now.saturating_sub(told.at) < TOLD_FOR;
        lock(&self.told).clone().filter(is_news)
    }
}

fn order(meant: Meant, is_dry_run: bool) -> Order {
    Order { meant, rate: RATE, is_dry_run, follow_max: FOLLOW_MAX }
}

fn words(step: Step) -> String {
    match step {
        Step::Begun { total } => format!("looks through {total} letters"),
        Step::Walked { seen, sent, .. } => format!("{sent} sent, {seen} looked through"),
        Step::Following { depth } => {
            format!("all are sent; waits for the worker, {depth} events are on the queue")
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
