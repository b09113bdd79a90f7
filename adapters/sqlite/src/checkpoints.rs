//! How committed pages come from the log into the file itself: a thread of its own copies them while
//! the writer goes on.
//!
//! SQLite alone copies at the end of a commit, and whoever waits for that commit waits for two syncs
//! more. Here the writer has to do so only when the log is full: the log begins anew when all of it
//! is copied, which the thread, always a few commits behind, does not reach while more come. Only
//! then does SQLite sync the file; the thread does after each copy, so that little is left for the
//! one that the writer, and all who ask it, wait for.

use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;

use crate::OpenError;
use crate::schema::{self, LOG_BYTES_MAX};

/// So many pages that only the log has are worth two syncs. SQLite's own figure.
const COPIED_FROM: i32 = 1_000;
/// A log of so many pages is full. The more it takes, the rarer are the writer's own copies.
const PAGES_MAX: i64 = LOG_BYTES_MAX / PAGE_BYTES;
/// SQLite's own figure, which the file is made with.
const PAGE_BYTES: i64 = 4_096;

/// The handle on the thread.
pub(crate) struct Checkpoints {
    copier: Arc<Copier>,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread, with a connection of its own. The writer's must not copy by itself.
    pub(crate) fn start(path: &Path) -> Result<Checkpoints, OpenError> {
        let connection = Mutex::new(schema::open(path)?);
        let copier = Arc::new(Copier { connection, file: File::open(path)? });
        let (wake, woken) = sync_channel(1);
        let thread = std::thread::Builder::new().name("queue-checkpoints".to_owned()).spawn({
            let copier = copier.clone();
            move || woken.iter().for_each(|()| copier.work_ahead())
        })?;
        Ok(Checkpoints { copier, wake: Some(wake), thread: Some(thread) })
    }

    /// Keeps the log short. For the writer, when nobody waits for what it committed.
    pub(crate) fn follow(&self, writer: &Connection) {
        let Some(log) = Log::of(writer) else { return };
        if i64::from(log.pages) >= PAGES_MAX {
            self.copier.copy_from(1);
        } else if log.rest >= COPIED_FROM
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

/// The connection that copies, whichever thread does.
struct Copier {
    connection: Mutex<Connection>,
    /// For syncs. Closing it gives up whatever locks the process has on the file: it goes after the
    /// queue's connections, the writer's and the one above.
    file: File,
}

impl Copier {
    /// Copies as soon as it is worth it, and syncs what was copied, while the writer goes on.
    fn work_ahead(&self) {
        self.copy_from(COPIED_FROM);
        // Before the log begins anew SQLite syncs by itself, and heeds how that ends.
        let _ = self.file.sync_data();
    }

    /// Copies, if the log has so many pages to copy: the writer may have asked again while the last
    /// copy was under way. Where the disk refuses, the log only grows, and the next commit brings
    /// another try.
    fn copy_from(&self, pages: i32) {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if Log::of(&connection).is_some_and(|log| log.rest >= pages) {
            let _ = connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE);
        }
    }
}

/// The log at a moment.
struct Log {
    pages: i32,
    /// How many of them are not in the file yet.
    rest: i32,
}

impl Log {
    fn of(connection: &Connection) -> Option<Log> {
        let (pages, copied) =
            connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::NOOP).ok()?;
        Some(Log { pages, rest: pages - copied })
    }
}
