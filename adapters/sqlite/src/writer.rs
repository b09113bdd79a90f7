//! The one thread that works on the tables. It gathers what many callers ask into one transaction,
//! so that one sync to disk serves them all.
//!
//! In: jobs, each with somebody waiting. Out: their answers, after the commit. While a commit
//! syncs, the next jobs collect by themselves: the busier the queue, the more a sync carries. Those
//! who were answered are about to ask again, and on a slow disk the next one waits for them a little:
//! without that it carries half of all callers, and the other half waits for the one after. On a
//! quick disk that costs less than their way back, and the thread and its callers work side by side.
//!
//! **Invariant**: no job is answered with success before the commit that holds it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use shared::ports::QueueFault;
use tokio::sync::{Notify, oneshot};

use crate::checkpoints::Checkpoints;
use crate::store::Store;

/// How many jobs one transaction takes, so that nobody waits for an endless one.
const JOBS_MAX: usize = 512;
/// A transaction waits until all who ask lately have asked, but for no longer than this part of the
/// time that the last one took, and never longer than this.
const GATHER_PART: u32 = 4;
const GATHER_MAX: Duration = Duration::from_millis(2);
/// Nor does it wait where a commit has been quicker than this. Callers over HTTP need some 40 µs of
/// processor each to be back: for 25 of them, waiting takes as long as the commit that it saves.
const GATHER_FROM: Duration = Duration::from_millis(1);

/// The handle on the thread.
pub(crate) struct Writer {
    /// Unbounded, yet it holds no more than there are callers: each waits for its answer.
    jobs: Sender<Option<Box<dyn Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread. `wakes` are notified when their queue may have something to give. A queue
    /// in memory has no log, and no `checkpoints`.
    pub(crate) fn start(
        store: Store,
        checkpoints: Option<Checkpoints>,
        wakes: [Arc<Notify>; 2],
    ) -> io::Result<Writer> {
        let (jobs, asked) = channel();
        let thread = std::thread::Builder::new()
            .name("queue".to_owned())
            .spawn(move || serve(store, checkpoints.as_ref(), &asked, &wakes))?;
        Ok(Writer { jobs, thread: Mutex::new(Some(thread)) })
    }

    /// Has the work done in the next transaction and waits until that is on disk.
    pub(crate) async fn ask<T, W>(&self, work: W) -> Result<T, QueueFault>
    where
        T: Send + 'static,
        W: FnOnce(&mut Store) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let ask = Ask { work: Some(work), done: None, reply };
        let closed = || QueueFault::Unavailable("the queue is closed".to_owned());
        self.jobs.send(Some(Box::new(ask))).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Lets the thread finish what was asked before, and joins it.
    pub(crate) fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // Neither can fail in a way that matters: a thread that is gone is closed as well.
            let _ = self.jobs.send(None);
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

/// Work with somebody waiting for it.
trait Job: Send {
    fn run(&mut self, store: &mut Store) -> rusqlite::Result<()>;
    fn answer(self: Box<Self>, committed: Result<(), QueueFault>);
}

struct Ask<T, W> {
    work: Option<W>,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, QueueFault>>,
}

impl<T, W> Job for Ask<T, W>
where
    T: Send,
    W: FnOnce(&mut Store) -> rusqlite::Result<T> + Send,
{
    fn run(&mut self, store: &mut Store) -> rusqlite::Result<()> {
        if let Some(work) = self.work.take() {
            self.done = Some(work(store)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), QueueFault>) {
        let Ask { done, reply, .. } = *self;
        let not_run = || QueueFault::Unavailable("the queue did not come to it".to_owned());
        // A caller that went away no longer wants to know.
        let _ = reply.send(committed.and_then(|()| done.ok_or_else(not_run)));
    }
}

type Jobs = Vec<Box<dyn Job>>;

/// What the transactions so far say of the next one.
#[derive(Default)]
struct Lately {
    /// Who was in the last one, and who asked while it ran: all who ask lately.
    callers: usize,
    /// How long the last one took.
    took: Duration,
    /// The least that one took which wrote and is on disk: the disk's share of any of them.
    quickest: Option<Duration>,
}

impl Lately {
    /// How long the next one may wait for callers.
    fn patience(&self) -> Duration {
        match self.quickest {
            Some(quickest) if quickest >= GATHER_FROM => GATHER_MAX.min(self.took / GATHER_PART),
            _ => Duration::ZERO,
        }
    }
}

fn serve(
    mut store: Store,
    checkpoints: Option<&Checkpoints>,
    asked: &Receiver<Option<Box<dyn Job>>>,
    wakes: &[Arc<Notify>; 2],
) {
    let mut lately = Lately::default();
    let mut next = Jobs::new();
    let mut open = true;
    while open || !next.is_empty() {
        if next.is_empty() {
            let Ok(Some(first)) = asked.recv() else { return };
            next.push(first);
        }
        if open {
            open = gather(&mut next, asked, &lately, &store);
        }
        let mut jobs = std::mem::take(&mut next);
        let (begun_at, changes) = (store.clock.uptime(), store.connection.total_changes());
        let committed = commit(&mut store, &mut jobs);
        let took = store.clock.uptime().saturating_sub(begun_at);
        // Before anybody is answered: whoever is here now asked meanwhile.
        if open {
            open = take_asked(&mut next, asked);
        }
        lately.callers = jobs.len() + next.len();
        lately.took = took;
        if committed.is_ok() && store.connection.total_changes() > changes {
            lately.quickest = Some(lately.quickest.map_or(took, |quickest| quickest.min(took)));
        }
        for (wake, stirred) in wakes.iter().zip(store.take_stirred()) {
            if stirred && committed.is_ok() {
                wake.notify_waiters();
            }
        }
        for job in jobs {
            job.answer(committed.clone());
        }
        if let Some(checkpoints) = checkpoints {
            checkpoints.follow(&store.connection);
        }
    }
}

/// Takes what was asked by now, and what is worth waiting for; whether more can come after it.
fn gather(
    jobs: &mut Jobs,
    asked: &Receiver<Option<Box<dyn Job>>>,
    lately: &Lately,
    store: &Store,
) -> bool {
    let until = store.clock.uptime() + lately.patience();
    while take_asked(jobs, asked) {
        if jobs.len() >= lately.callers.min(JOBS_MAX) {
            return true;
        }
        match asked.recv_timeout(until.saturating_sub(store.clock.uptime())) {
            Ok(Some(job)) => jobs.push(job),
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
    false
}

/// Takes what was asked by now; whether more can come after it.
fn take_asked(jobs: &mut Jobs, asked: &Receiver<Option<Box<dyn Job>>>) -> bool {
    while jobs.len() < JOBS_MAX {
        match asked.try_recv() {
            Ok(Some(job)) => jobs.push(job),
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
    true
}

/// Runs the jobs in one transaction: all of them, or none.
fn commit(store: &mut Store, jobs: &mut [Box<dyn Job>]) -> Result<(), QueueFault> {
    // A panic costs this transaction and not the thread, and with it the whole queue.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        store.begin()?;
        for job in jobs {
            job.run(store)?;
        }
        store.commit()
    }));
    let reason = match outcome {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => format!("the queue's file: {error}"),
        Err(_) => "the queue's thread panicked".to_owned(),
    };
    store.roll_back();
    Err(QueueFault::Unavailable(reason))
}
