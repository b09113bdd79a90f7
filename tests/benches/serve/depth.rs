//! A long queue: what it costs in memory and on disk, and whether a message still comes and goes as
//! fast as on a short one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use host::entropy::SystemEntropy;
use shared::ports::{Clock, Queue, Receipt, ReceiveRequest};
use sqlite::{FILE_NAME, QueueSettings, SqliteQueues};
use tests::plot::{Axis, Plot, Series};

use crate::accept::message;
use crate::load::{self, Load, Pace};
use crate::server::Server;
use crate::{at, holds};

const DEPTHS: [u64; 3] = [10_000, 100_000, 1_000_000];
const DEPTHS_SHORT: [u64; 2] = [2_000, 50_000];
/// Memory and speed at the least depth, by that at the greatest. Flat is 1.
const FLAT_LEAST: f64 = 0.4;
/// How many messages one call sends while the queue is filled.
const FILL: u64 = 5_000;
/// How often sending and receiving ten is timed.
const ROUNDS: usize = 200;
/// How long the server runs before its memory is read.
const RUN: Duration = Duration::from_secs(3);

/// What one depth costs.
struct Found {
    depth: u64,
    memory: f64,
    disk: f64,
    send_us: f64,
    receive_us: f64,
}

/// Measures and prints; whether the bounds hold.
pub(crate) async fn measure(clock: &Arc<dyn Clock>, is_short: bool) -> bool {
    let depths = if is_short { DEPTHS_SHORT.as_slice() } else { DEPTHS.as_slice() };
    let mut all = Vec::new();
    println!(
        "| queued | memory of `serve`, MB | on disk, MB | send, µs | receive and delete, µs |"
    );
    println!("|---|---|---|---|---|");
    for &depth in depths {
        let found = at_depth(depth, clock).await;
        let Found { memory, disk, send_us, receive_us, .. } = &found;
        println!("| {depth} | {memory:.1} | {disk:.1} | {send_us:.0} | {receive_us:.0} |");
        all.push(found);
    }
    let (Some(least), Some(most)) = (all.first(), all.last()) else { return false };
    let is_good = [
        holds("memory, flat", least.memory / most.memory, FLAT_LEAST),
        holds("sending, flat", least.send_us / most.send_us, FLAT_LEAST),
        holds("receiving, flat", least.receive_us / most.receive_us, FLAT_LEAST),
    ];
    if !is_short {
        let line = |name: &str, of: fn(&Found) -> f64| {
            Series::new(name, all.iter().map(|found| (found.depth as f64, of(found))))
        };
        let plot = Plot {
            title: "A message on a long queue".into(),
            x: Axis::log("messages queued", 10.0),
            y: Axis::linear("µs per message, in calls of ten"),
            series: vec![
                line("receive and delete", |found| found.receive_us),
                line("send", |found| found.send_us),
            ],
        };
        println!("{}", plot.write("serve-depth").unwrap().display());
    }
    is_good.into_iter().all(|is_good| is_good)
}

async fn at_depth(depth: u64, clock: &Arc<dyn Clock>) -> Found {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (send_us, receive_us) = filled(folder.path(), depth, clock).await;
    let disk = std::fs::metadata(folder.path().join(FILE_NAME)).unwrap().len();
    let server = Server::start(folder.path(), 0).await;
    let load = Load { connections: 4, events: 1, pace: Pace::Closed, time: RUN };
    load::post(&server.address, load, clock).await;
    let memory = server.memory() as f64 / 1e6;
    server.stop().await;
    Found { depth, memory, disk: disk as f64 / 1e6, send_us, receive_us }
}

/// Fills the queue; how long a message takes to come, and to go, in microseconds.
async fn filled(folder: &Path, depth: u64, clock: &Arc<dyn Clock>) -> (f64, f64) {
    let settings = QueueSettings { delay: Duration::ZERO, ..QueueSettings::default() };
    let entropy = Arc::new(SystemEntropy::seeded().unwrap());
    let queues =
        SqliteQueues::open(&folder.join(FILE_NAME), clock.clone(), entropy, settings).unwrap();
    let queue = queues.events();
    for _ in 0..depth / FILL {
        send(&*queue, FILL).await;
    }
    send(&*queue, depth % FILL).await;
    assert_eq!(queue.depth().await.unwrap().visible, depth);
    let (mut sends, mut receives) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let begun_at = clock.uptime();
        send(&*queue, 10).await;
        let sent_at = clock.uptime();
        let request = ReceiveRequest {
            messages_max: 10,
            visibility: Duration::from_secs(60),
            wait: Duration::ZERO,
            attempt_id: round.to_string(),
        };
        let received = queue.receive(request).await.unwrap();
        assert_eq!(received.len(), 10);
        let undeleted = queue.delete(received.into_iter().map(Receipt::from).collect()).await;
        assert!(undeleted.is_empty(), "{undeleted:?}");
        sends.push((sent_at - begun_at).as_secs_f64() * 1e5);
        receives.push((clock.uptime() - sent_at).as_secs_f64() * 1e5);
    }
    queues.close();
    (at(&mut sends, 0.5), at(&mut receives, 0.5))
}

async fn send(queue: &dyn Queue, count: u64) {
    let messages = (0..count).map(|_| message(load::next())).collect();
    let sent = queue.send(messages).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
}
