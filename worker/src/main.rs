//! The worker function: wires the pass to SQS, HubSpot and the Lambda runtime.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use host::clock::SystemClock;
use host::entropy::SystemEntropy;
use host::environment::{lookup, stop_with};
use host::lambda::{Error, Invocation};
use host::output::{self, Output};
use host::{catalog_folder, lambda};
use hubspot::Client;
use hubspot::pace::{Pace, PaceSettings};
use hubspot::transport::Dial;
use shared::journal::{Line, LogLevel};
use shared::ports::{Clock, Entropy, Journal};
use shared::settings::{self, Process, QueueUrls, catalog_path};
use sqs::client::{ClientSettings, Trust};
use sqs::event;
use sqs::queue::SqsQueue;
use worker::{Worker, WorkerParts};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => stop_with(&problem),
    }
}

async fn run() -> Result<(), Error> {
    lambda::check(&lookup)?;
    let process = Process::from_lookup(&lookup)?;
    let urls = QueueUrls::from_lookup(&lookup)?;
    let hubspot = settings::HubSpot::from_lookup(&lookup)?;
    let worker = settings::Worker::from_lookup(&lookup)?;
    let mut sqs = ClientSettings::from_lookup(&lookup)?;
    sqs.trust = Trust::Public;
    let folder = catalog_path(&lookup, "/opt/catalog");
    let (catalog, warnings) = catalog_folder::load(Path::new(&folder))?;

    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::seeded()?);
    let journal: Arc<dyn Journal> = Arc::new(Output::stdout(&process, "worker", clock.clone()));
    output::journal_panics(journal.clone());
    for warning in warnings {
        let line = Line::new(LogLevel::Warn, "The catalog has a gap");
        journal.line(line.with("place", warning.place).with("what", warning.what));
    }
    let share = PaceSettings::of(&hubspot, worker.concurrency);
    let pace = Arc::new(Pace::new(share, clock.clone(), entropy.clone())?);
    let dial = Arc::new(Dial::new(&hubspot.base_url)?);
    let token =
        Arc::new(signed::token_source(&hubspot.token, &lookup, clock.clone(), entropy.clone()));
    let version = hubspot.api_version.parse()?;
    let worker = Worker::new(WorkerParts {
        events: Arc::new(SqsQueue::new(&sqs, &urls.events)),
        dead_letters: Arc::new(SqsQueue::new(&sqs, &urls.dead_letters)),
        client: Client::new(dial, token, pace, clock.clone(), version),
        clock: clock.clone(),
        entropy,
        journal,
        catalog,
        settings: worker,
    });
    lambda::serve_queue(&*clock, async |event, Invocation { deadline, .. }| {
        let time_left = deadline.saturating_sub(worker.parts.clock.uptime());
        let handled = worker.handle(event::deliveries(event)?, time_left).await;
        Ok::<_, Error>(event::batch_response(handled.failed))
    })
    .await
}
