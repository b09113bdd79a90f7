//! `milepost serve`: the stack on one machine, against the real HubSpot.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use local::stack::{Crm, StackSettings};
use shared::settings::{self, Process};

use crate::ending::{Ending, Stopped};
use crate::output::Output;
use crate::stack::{self, Log, Ready, Variables, WINDOW_S_MAX};

/// Run the stack on one machine, against the real HubSpot
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Run the stack on one machine, against the real HubSpot: HTTP API, durable queue \
                  and worker in one process, without AWS.\n\n\
                  An event is acknowledged when it is on disk; a crash at any moment loses none. \
                  The data folder is held by one server at a time. Put a TLS proxy before it.",
    after_help = "Example: ENABLE_CRM_PROGRESS=true HUBSPOT_PRIVATE_APP_TOKEN=… \
                  milepost serve --data /var/lib/milepost\n\
                  Before the first start: milepost properties create\n\
                  Read on in docs/settings.md: every variable, and the catalog."
)]
pub(crate) struct Args {
    /// Keep the queue in this folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Address and port of the HTTP API and the console; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS",
          default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 8787)))]
    listen: SocketAddr,

    /// The folder with courses/*.json and pathways/*.json [default: CATALOG_PATH, else catalog]
    #[arg(long, value_name = "DIR")]
    catalog: Option<String>,

    /// Seconds that an event waits for more of the same contact
    #[arg(long, value_name = "SECONDS", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(0..=WINDOW_S_MAX))]
    window: u32,

    /// How much is logged, as JSON lines on standard error [default: LOG_LEVEL, else info]
    #[arg(long, value_name = "LEVEL")]
    log: Option<Log>,
}

/// Runs the command, until it is asked to stop.
///
/// # Errors
/// [`Stopped`], when it can't start.
pub(crate) async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    let variables = Variables::default()
        .typed("CATALOG_PATH", args.catalog)
        .typed("LOG_LEVEL", args.log.map(Log::word));
    let lookup = |name: &str| variables.get(name);
    let process = Process::from_lookup(&lookup)?;
    let settings = StackSettings {
        listen: args.listen,
        crm: Crm::HubSpot,
        data: Some(args.data),
        door: settings::Door::from_lookup(&lookup)?,
        worker: settings::Worker::from_lookup(&lookup)?,
        hubspot: settings::HubSpot::from_lookup(&lookup)?,
        catalog: stack::catalog(&variables, false, output)?,
        coalescing_window: stack::window(args.window),
        console: stack::console_keys(&lookup)?,
    };
    stack::run(settings, &process, output, welcome).await
}

fn welcome(ready: &Ready) -> String {
    let Ready { api, console, data, .. } = ready;
    let data = data.as_deref().unwrap_or_else(|| "memory".as_ref());
    format!(
        "Milepost is ready.\n\
         \n  \
         HTTP API  {api}\n  \
         console   {console}\n  \
         data      in {}\n\
         \n\
         Ctrl-C or SIGTERM stops it.",
        data.display()
    )
}
