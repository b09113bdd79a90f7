//! How committed pages come from the log into the file itself: a thread of its own copies them while
//! the writer goes on.
//!
//! SQLite alone copies at the end of a commit, and whoever waits for that commit waits for two syncs
//! more. Here the writer has to do so only when the log is full: the log begins anew when all of it
//! is copied, which the thread, always a few commits behind, does not reach while more come.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;

use super::OpenError;
use super::schema::{self, LOG_BYTES_MAX};

/// So many pages that only the log has are worth two syncs. SQLite's own figure.
const COPIED_FROM: i32 = 1_000;
/// A log of so many pages is full. The more it takes, the rarer are the writer's own copies.
const PAGES_MAX: i64 = LOG_BYTES_MAX / PAGE_BYTES;
/// SQLite's own figure, which the file is made with.
const PAGE_BYTES: i64 = 4_096;

/// The handle on the thread.
pub(super) struct Checkpoints {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread, with a connection of its own. The writer's must not copy by itself.
    pub(super) fn start(path: &Path) -> Result<Checkpoints, OpenError> {
        let connection = schema::open(path)?;
        let (wake, woken) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("queue-checkpoints".to_owned())
            .spawn(move || serve(&connection, &woken))?;
        Ok(Checkpoints { wake: Some(wake), thread: Some(thread) })
    }

    /// Keeps the log short. For the writer, when nobody waits for what it committed.
    pub(super) fn follow(&self, writer: &Connection) {
        let Some(log) = Log::after(writer, CheckpointMode::NOOP) else { return };
        if i64::from(log.pages) >= PAGES_MAX {
            Log::after(writer, CheckpointMode::PASSIVE);
        } else if log.is_worth_copying()
            && let Some(wake) = &self.wake
        {
            // One that stands there already is as good.
            let _ = wake.try_send(());
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(connection: &Connection, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        // The writer may have asked again while the last copy was under way.
        if Log::after(connection, CheckpointMode::NOOP).is_some_and(Log::is_worth_copying) {
            Log::after(connection, CheckpointMode::PASSIVE);
        }
    }
}

/// The log at a moment, in pages.
#[derive(Clone, Copy)]
struct Log {
    pages: i32,
    /// How many of them are in the file as well.
    copied: i32,
}

impl Log {
    /// The log after a checkpoint of this mode; `NOOP` copies nothing. None while somebody else copies, or when the disk
    /// refuses: the log only grows, and the next commit brings another try.
    fn after(connection: &Connection, mode: CheckpointMode) -> Option<Log> {
        let (pages, copied) = connection.wal_checkpoint_v2(None::<&str>, mode).ok()?;
        Some(Log { pages, copied })
    }

    fn is_worth_copying(self) -> bool {
        self.pages - self.copied >= COPIED_FROM
    }
}
