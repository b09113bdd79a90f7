//! The ingest function: wires the front door to SQS and to the Lambda runtime.

use std::process::ExitCode;
use std::sync::Arc;

use host::clock::SystemClock;
use host::entropy::SystemEntropy;
use host::environment::{lookup, stop_with};
use host::output::{self, Output};
use ingest::Ingest;
use ingest::enqueue::{CONNECT_TIMEOUT, SEND_ATTEMPT_TIMEOUT, SEND_TIME_MAX};
use shared::ports::{Clock, Journal};
use shared::settings::{Door, Process, QueueUrls};
use sqs::client::{ClientSettings, Timeouts, Trust};
use sqs::queue::SqsQueue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => stop_with(&problem),
    }
}

async fn run() -> Result<(), host::lambda::Error> {
    host::lambda::check(&lookup)?;
    let process = Process::from_lookup(&lookup)?;
    let door = Door::from_lookup(&lookup)?;
    let queue_url = QueueUrls::events_from_lookup(&lookup)?;
    let mut client = ClientSettings::from_lookup(&lookup)?;
    client.timeouts = Timeouts {
        connect: CONNECT_TIMEOUT,
        attempt: SEND_ATTEMPT_TIMEOUT,
        operation: SEND_TIME_MAX,
    };
    client.trust = Trust::Public;

    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let journal: Arc<dyn Journal> =
        Arc::new(Output::stdout(&process, "ingest", Arc::clone(&clock)));
    output::journal_panics(Arc::clone(&journal));
    let ingest = Ingest::new(
        door,
        Arc::new(SqsQueue::new(&client, &queue_url)),
        clock,
        Arc::new(SystemEntropy::seeded()?),
        journal,
    );
    host::lambda::serve_http(async |request| ingest.answer(request).await).await
}
