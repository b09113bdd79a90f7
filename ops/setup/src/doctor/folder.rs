//! The data folder of a `serve` or `local`: its queue, and whether somebody serves it.
//!
//! The embedded queue has no attributes to set wrong: they stand in the program.

use command::queues::{self, Place};

use std::fs::{File, TryLockError};
use std::path::Path;

use super::{Area, Check, queue};

const AREA: Area = Area::Queue;

/// Looks at the folder.
pub(super) async fn checks(folder: &Path, place: Place) -> Vec<Check> {
    let queues = match place.open() {
        Ok(queues) => queues,
        Err(stopped) => {
            let told = stopped.to_string();
            let (what, fix) = told.split_once("; hint: ").unwrap_or((&told, "milepost serve"));
            return vec![AREA.bad("queue", what, fix)];
        }
    };
    let mut checks = vec![served(folder)];
    match queues.events.depth().await {
        Ok(depth) => checks.push(AREA.good("queue", format!("opens, and holds {}", depth.total()))),
        Err(fault) => checks.push(AREA.silent("queue", queues::stopped(&fault).to_string())),
    }
    checks.push(queue::dead(queues.dead_letters.depth().await));
    checks
}

/// A server holds a lock on the folder for as long as it lives.
fn served(folder: &Path) -> Check {
    let name = "server";
    let lock = folder.join("lock");
    let file = match File::open(&lock) {
        Ok(file) => file,
        Err(error) => {
            return AREA.unseen(name, format!("{} can't be opened: {error}", lock.display()));
        }
    };
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => AREA.good(name, "one serves this folder"),
        Ok(()) => AREA.bad(
            name,
            "none serves this folder: what is on the queue waits",
            format!("milepost serve --data {}", folder.display()),
        ),
        Err(TryLockError::Error(error)) => AREA.unseen(name, format!("can't be told: {error}")),
    }
}
