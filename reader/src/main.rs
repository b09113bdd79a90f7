//! The reader function: wires the answers to HubSpot and to the Lambda runtime.

use std::process::ExitCode;
use std::sync::Arc;

use host::clock::SystemClock;
use host::entropy::SystemEntropy;
use host::environment::{lookup, stop_with};
use host::output::{self, Output};
use hubspot::Client;
use hubspot::pace::Pace;
use hubspot::transport::Dial;
use reader::Reader;
use shared::ports::{Clock, Entropy, Journal};
use shared::settings::{Door, HubSpot, Process, WrongSetting};

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
    let settings = HubSpot::from_lookup(&lookup)?;

    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::seeded()?);
    let journal: Arc<dyn Journal> =
        Arc::new(Output::stdout(&process, "reader", Arc::clone(&clock)));
    output::journal_panics(Arc::clone(&journal));
    let share = reader::share(&settings);
    let pace = Pace::with_a_first_call(share, Arc::clone(&clock), Arc::clone(&entropy));
    let pace = Arc::new(pace.map_err(|_| WrongSetting {
        name: "HUBSPOT_HEADROOM",
        problem: "leaves the reader no call",
        should: "0.1 or more: the reader lives on the share that the workers leave",
    })?);
    let token =
        signed::token_source(&settings.token, &lookup, Arc::clone(&clock), Arc::clone(&entropy));
    let hubspot = Arc::new(Client::new(
        Arc::new(Dial::new(&settings.base_url)?),
        Arc::new(token),
        pace,
        Arc::clone(&clock),
        settings.api_version.parse()?,
    ));
    let reader = Reader::new(door, hubspot, clock, entropy, journal);
    host::lambda::serve_http(async |request| reader.answer(request).await).await
}
