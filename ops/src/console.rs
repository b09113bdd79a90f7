//! `milepost console`: the console over queues that other processes work on, SQS's above all.
//!
//! It is the page of `local` and `serve`, with what the queues tell and, for a deployment, the
//! workers' metrics.

mod metrics;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use console::access::Access;
use console::recent_stats::StatsSource;
use console::{self, Console, Watched};
use host::clock::SystemClock;
use host::environment;
use serde::Serialize;
use shared::settings::Process;
use sqs::client::ClientSettings;
use tokio::net::TcpListener;

use crate::aws::Aws;
use crate::ending::{Ending, Stopped};
use crate::output::Output;
use crate::queues::Place;
use crate::stack::console_keys;
use crate::stop::Stop;
use metrics::Metrics;

/// Show the queues on a page, and replay dead letters from there
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Serve a page that shows the queues and the dead letters, and that replays them: \
                  first a dry run, then a button.\n\n\
                  On loopback it needs no token. On any other address it needs one, in \
                  MILEPOST_CONSOLE_TOKEN, and a TLS proxy before it. `local` and `serve` have the \
                  page on their own address, and it shows more there.",
    after_help = "Example: QUEUE_URL=… DLQ_URL=… milepost console\n\
                  Read on in docs/console.md."
)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,

    /// Address and port of the page; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS",
          default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 8789)))]
    listen: SocketAddr,
}

/// What is printed once it is ready.
#[derive(Debug, Serialize)]
struct Ready {
    console: String,
}

/// Runs the command until it is asked to stop.
///
/// # Errors
/// [`Stopped`], when it can't start.
pub(crate) async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    let Args { place, listen } = args;
    let keys = console_keys(&environment::lookup)?;
    if keys.token.is_none() && !listen.ip().to_canonical().is_loopback() {
        return Err(Stopped::Usage(
            "others can reach the console here, so it needs a token; hint: set \
             MILEPOST_CONSOLE_TOKEN, or listen on loopback"
                .into(),
        ));
    }
    let url = environment::lookup("QUEUE_URL").unwrap_or_default();
    let (name, stats) = match place.is_typed() {
        true => ("The queue of a data folder".to_owned(), None),
        false => (format!("{} on SQS", named(&url)), metrics_of(named(&url))?),
    };
    let queues = place.open()?;
    let stop = Stop::listen();
    let watched = Watched { queues, embedded: None, stats, portal: None, place: name };
    let access = Access::new(listen.ip(), keys);
    let page = Arc::new(Console::new(watched, access, stop.signal().clone()));
    let taken = |error| {
        Stopped::Usage(format!(
            "can't listen on {listen}: {error}; hint: another program may have the port, choose one \
             with --listen"
        ))
    };
    let listener = TcpListener::bind(listen).await.map_err(taken)?;
    let bound = listener.local_addr().map_err(taken)?;
    let ready = Ready { console: format!("http://{bound}/") };
    output.result(&ready, || format!("The console is at {}\nCtrl-C stops it.", ready.console))?;
    let mut signal = stop.signal().clone();
    let until = async move {
        // The listener for signals lives as long as this command.
        let _stopped = signal.wait_for(|requested| *requested).await;
    };
    tokio::select! {
        served = console::serve(listener, page, until) => {
            served.map_err(|error| Stopped::Usage(format!("the page can't be served: {error}")))?;
        }
        // An open connection of a browser must not keep the command running.
        () = stop.requested() => {}
    }
    Ok(Ending::Done)
}

/// The metrics of `APP_STAGE`, and of the queue of this name.
fn metrics_of(queue: &str) -> Result<Option<Arc<dyn StatsSource>>, Stopped> {
    let Process { stage, .. } = Process::from_lookup(&environment::lookup)
        .map_err(|wrong| Stopped::Usage(wrong.to_string()))?;
    // Without credentials the queues can't be opened either, and that error says what to do.
    let Ok(settings) = ClientSettings::from_lookup(&environment::lookup) else { return Ok(None) };
    let clock = Arc::new(SystemClock::start());
    let aws = Aws::new(settings, clock.clone());
    Ok(Some(Arc::new(Metrics::new(aws, clock, stage, queue.to_owned()))))
}

/// A queue's name: the last part of its URL.
fn named(url: &str) -> &str {
    url.trim_end_matches('/').rsplit('/').next().unwrap_or(url)
}
