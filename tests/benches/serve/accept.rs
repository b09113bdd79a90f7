//! Events per second over 1 to 64 connections, beside the queue without HTTP and SQLite with a
//! commit for each event; and how soon events are answered at half load.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use host::entropy::SystemEntropy;
use rusqlite::Connection;
use shared::ports::{Clock, Outgoing};
use sqlite::{FILE_NAME, QueueSettings, SqliteQueues};
use tests::plot::{Axis, Plot, Series};
use tests::runtime_api;
use tokio::task::JoinSet;

use crate::load::{self, Load, Pace};
use crate::server::Server;
use crate::{at, holds, slow_disk};

/// What the queue does without HTTP is what group commit allows; this share of it must be left over
/// HTTP, where most connections are used. docs/performance.md has what is measured.
const SHARE_LEAST: f64 = 0.4;
/// How many connections the bound and the half load are taken at.
const CONNECTIONS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
const CONNECTIONS_SHORT: [usize; 2] = [1, 64];
/// As a page sends them that has several to tell, and `milepost track`.
const MANY: usize = 10;
/// Long enough that no worker sees any of these events.
const WINDOW_S: u32 = 900;

/// All of them, on one disk.
struct Rivals {
    clock: Arc<dyn Clock>,
    server: Server,
    /// Another one, so that requests of many events don't fill the queue of the first.
    server_of_many: Server,
    queues: SqliteQueues,
    sqlite: Arc<std::sync::Mutex<Connection>>,
    time: Duration,
}

/// Measures and prints; whether the bounds hold.
pub(crate) async fn measure(clock: &Arc<dyn Clock>, is_short: bool) -> bool {
    let (connections, rounds, time) = if is_short {
        (CONNECTIONS_SHORT.as_slice(), 3, Duration::from_millis(600))
    } else {
        (CONNECTIONS.as_slice(), 5, Duration::from_secs(1))
    };
    // Beside cargo's own files, so that it is a disk and no memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let rivals = Rivals::start(folder.path(), clock, time).await;
    let mut rows = Vec::new();
    println!(
        "| connections | a commit for each | the queue | over HTTP | of the queue | processor, µs an event | the queue's | {MANY} in a request |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for &count in connections {
        let mut found = [const { Vec::new() }; 6];
        for _ in 0..rounds {
            let (queue, queue_us) = rivals.queue(count).await;
            let (http, http_us) = rivals.http(&rivals.server, count, 1).await;
            let (many, _) = rivals.http(&rivals.server_of_many, count, MANY).await;
            let all = [rivals.commit_each().await, queue, http, queue_us, http_us, many];
            found.iter_mut().zip(all).for_each(|(found, one)| found.push(one));
        }
        let [each, queue, http, queue_us, http_us, many] =
            found.map(|mut found| at(&mut found, 0.5));
        let share = 100.0 * http / queue;
        println!(
            "| {count} | {each:.0} | {queue:.0} | {http:.0} | {share:.0} % | {http_us:.0} | {queue_us:.0} | {many:.0} |"
        );
        rows.push((count as f64, [each, queue, http, many]));
    }
    let Some(&(busiest, [_, queue, http, _])) = rows.last() else { return false };
    rivals.half_load(http / 2.0, busiest as usize).await;
    if !is_short {
        let line = |name: &str, of: usize| {
            Series::new(name, rows.iter().map(|(count, rates)| (*count, rates[of])))
        };
        let plot = Plot {
            title: "Events accepted durably".into(),
            x: Axis::log("connections", 2.0),
            y: Axis::linear("events per second"),
            series: vec![
                line("queue without HTTP", 1),
                line("serve over HTTP", 2),
                line("ten in a request", 3),
                line("a commit for each event", 0),
            ],
        };
        let name = slow_disk::variable().map_or("serve-accept", |_| "serve-accept-slow-disk");
        println!("{}", plot.write(name).unwrap().display());
    }
    rivals.server.stop().await;
    rivals.server_of_many.stop().await;
    holds("over HTTP, of what the queue does without", http / queue, SHARE_LEAST)
}

impl Rivals {
    async fn start(folder: &Path, clock: &Arc<dyn Clock>, time: Duration) -> Rivals {
        let [served, many, direct, plain] =
            ["served", "many", "direct", "plain"].map(|name| folder.join(name));
        for each in [&served, &many, &direct, &plain] {
            std::fs::create_dir(each).unwrap();
        }
        let settings =
            QueueSettings { delay: Duration::from_secs(WINDOW_S.into()), ..Default::default() };
        let entropy = Arc::new(SystemEntropy::seeded().unwrap());
        let queues =
            SqliteQueues::open(&direct.join(FILE_NAME), clock.clone(), entropy, settings).unwrap();
        let sqlite = Connection::open(plain.join("plain.sqlite")).unwrap();
        sqlite
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                 CREATE TABLE event (seq INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;",
            )
            .unwrap();
        Rivals {
            clock: clock.clone(),
            server: Server::start(&served, WINDOW_S).await,
            server_of_many: Server::start(&many, WINDOW_S).await,
            queues,
            sqlite: Arc::new(std::sync::Mutex::new(sqlite)),
            time,
        }
    }

    /// Rows per second, each with a commit of its own.
    async fn commit_each(&self) -> f64 {
        let (sqlite, clock, time) = (self.sqlite.clone(), self.clock.clone(), self.time);
        let count = tokio::task::spawn_blocking(move || {
            let sqlite = sqlite.lock().unwrap();
            let mut insert = sqlite.prepare("INSERT INTO event (body) VALUES (?1)").unwrap();
            let end = clock.uptime() + time;
            let mut count = 0;
            while clock.uptime() < end {
                insert.execute([load::event(load::next())]).unwrap();
                count += 1;
            }
            count
        });
        f64::from(count.await.unwrap()) / self.time.as_secs_f64()
    }

    /// Messages per second from so many senders of one at a time, and what processors spend on
    /// each, in microseconds.
    async fn queue(&self, senders: usize) -> (f64, f64) {
        let spent = runtime_api::cpu(std::process::id()).unwrap();
        let end = self.clock.uptime() + self.time;
        let mut sending = JoinSet::new();
        for _ in 0..senders {
            let (queue, clock) = (self.queues.events(), self.clock.clone());
            sending.spawn(async move {
                let mut count = 0;
                while clock.uptime() < end {
                    let sent = queue.send(vec![message(load::next())]).await;
                    assert_eq!(sent, [Ok(())]);
                    count += 1;
                }
                count
            });
        }
        let count = f64::from(sending.join_all().await.into_iter().sum::<u32>());
        let spent = runtime_api::cpu(std::process::id()).unwrap() - spent;
        (count / self.time.as_secs_f64(), spent.as_secs_f64() * 1e6 / count)
    }

    /// Events per second over so many connections, and what processors spend on each in the server,
    /// in microseconds.
    async fn http(&self, server: &Server, connections: usize, events: usize) -> (f64, f64) {
        let spent = server.cpu();
        let load = Load { connections, events, pace: Pace::Closed, time: self.time };
        let times = load::post(&server.address, load, &self.clock).await;
        let (count, spent) = ((times.len() * events) as f64, server.cpu() - spent);
        (count / self.time.as_secs_f64(), spent.as_secs_f64() * 1e6 / count)
    }

    /// How soon events are answered that come at this rate.
    async fn half_load(&self, rate: f64, connections: usize) {
        let (address, time) = (&self.server.address, self.time * 5);
        let load = Load { connections, events: 1, pace: Pace::PerSecond(rate), time };
        let mut times = load::post(address, load, &self.clock).await;
        let count = times.len();
        let [p50, p99, most] = [0.5, 0.99, 1.0].map(|share| at(&mut times, share) * 1_000.0);
        println!(
            "half load, {rate:.0} events/s over {connections} connections: {count} answers, \
             p50 {p50:.1} ms, p99 {p99:.1} ms, all within {most:.1} ms"
        );
    }
}

/// An event of this number as ingest would put it on the queue.
pub(crate) fn message(n: u64) -> Outgoing {
    Outgoing {
        body: load::event(n),
        group: spread(n % 10_000),
        deduplication_id: spread(n),
        attributes: Default::default(),
    }
}

/// Sixty-four digits that stand as far from those of the next number as a digest's do.
fn spread(n: u64) -> String {
    format!("{:016x}{n:048x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}
