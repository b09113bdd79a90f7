//! The one thread that works on the file. It takes the jobs that are waiting into one transaction,
//! so that one sync to disk serves all of them.
//!
//! In: jobs, each with a caller who waits for it. Out: their answers, after the commit. While a
//! commit syncs, the next jobs collect: the busier the queue, the more each sync carries.
//!
//! **Invariant**: no job is answered with success before the commit that holds it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use shared::ports::QueueFault;
use tokio::sync::{Notify, oneshot};

use crate::store::Store;

/// How many jobs one transaction takes, so that no caller waits for an endless one.
const JOBS_MAX: usize = 512;

/// The handle on the thread.
pub(crate) struct Writer {
    running: Mutex<Option<Running>>,
}

/// The thread while it takes jobs. It ends when the sender goes.
struct Running {
    /// Unbounded, yet it holds no more jobs than there are callers: each waits for its answer.
    jobs: Sender<Box<dyn Job>>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread. It notifies `wakes` when their queue may have something to give.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(store: Store, wakes: [Arc<Notify>; 2]) -> io::Result<Writer> {
        let (jobs, asked) = channel();
        let thread = std::thread::Builder::new()
            .name("queue".to_owned())
            .spawn(move || serve(store, &asked, &wakes))?;
        Ok(Writer { running: Mutex::new(Some(Running { jobs, thread })) })
    }

    /// Does the work in the next transaction, and returns when that is on disk.
    ///
    /// # Errors
    /// [`QueueFault::Unavailable`] when the transaction failed or the queue is closed.
    pub(crate) async fn ask<T, W>(&self, work: W) -> Result<T, QueueFault>
    where
        T: Send + 'static,
        W: FnOnce(&mut Store) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.submit(Box::new(Ask { work: Some(work), done: None, reply }));
        let closed = |_| QueueFault::Unavailable("the queue is closed".to_owned());
        answer.await.map_err(closed)?
    }

    /// Drops the job, and its reply with it, when no thread can run it any more.
    fn submit(&self, job: Box<dyn Job>) {
        if let Some(running) = &*self.running.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = running.jobs.send(job);
        }
    }

    /// Lets the thread finish the jobs that it has, and joins it.
    pub(crate) fn close(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { jobs, thread }) = running {
            drop(jobs);
            // A thread that panicked has ended too.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

/// Work, and the caller who waits for it.
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
        let not_run = || QueueFault::Unavailable("the queue did not run this job".to_owned());
        // A caller that went away no longer wants to know.
        let _ = reply.send(committed.and_then(|()| done.ok_or_else(not_run)));
    }
}

/// Takes what is waiting, commits, answers, and repeats until no job can come any more.
fn serve(mut store: Store, asked: &Receiver<Box<dyn Job>>, wakes: &[Arc<Notify>; 2]) {
    while let Ok(first) = asked.recv() {
        let mut jobs = vec![first];
        jobs.extend(asked.try_iter().take(JOBS_MAX - 1));
        let committed = commit(&mut store, &mut jobs);
        for (wake, to_wake) in wakes.iter().zip(store.take_to_wake()) {
            if to_wake && committed.is_ok() {
                wake.notify_waiters();
            }
        }
        for job in jobs {
            job.answer(committed.clone());
        }
    }
}

/// Runs the jobs in one transaction: all of them, or none.
fn commit(store: &mut Store, jobs: &mut [Box<dyn Job>]) -> Result<(), QueueFault> {
    // A panic costs this transaction, not the thread and the whole queue with it.
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
