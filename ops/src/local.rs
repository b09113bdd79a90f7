//! `milepost local`: the whole stack in one process, with a HubSpot simulator beside it.
//!
//! No variable is needed, and no account: progress is switched on, and whatever HubSpot token the
//! environment has stays unused. Nothing leaves the machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use local::stack::{Crm, StackSettings};
use shared::settings::{self, Process};
use simulator::LOCAL_TOKEN;

use crate::ending::{Ending, Stopped};
use crate::output::Output;
use crate::stack::{self, Log, Ready, Variables, WINDOW_S_MAX};

/// Where the simulator listens unless told otherwise.
const PORTAL_PORT: u16 = 8788;

/// Run the whole stack on this machine, with a simulated HubSpot
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Run the whole stack on this machine: HTTP API and console, durable queue, worker, \
                  and a HubSpot simulator instead of HubSpot. No account is needed and nothing \
                  leaves the machine.\n\n\
                  It is the deployed core over other ports, so what works here works there: try a \
                  page against it, watch the contacts change, switch faults on at the simulator.",
    after_help = "Example: milepost local --data ./milepost-data\n\
                  Then, in a second terminal: milepost track examples/events.jsonl\n\
                  Read on in docs/start.md, and in docs/portal.md for the simulator."
)]
pub(crate) struct Args {
    /// Port of the HTTP API and the console; 0 picks free ports, the simulator's too
    #[arg(long, value_name = "PORT", default_value_t = 8787)]
    port: u16,

    /// Port of the HubSpot simulator [default: 8788]
    #[arg(long, value_name = "PORT")]
    portal_port: Option<u16>,

    /// Address to listen on; others can reach what is not on loopback
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,

    /// Keep queue and simulator in this folder [default: in memory, gone at the end]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// The folder with courses/*.json and pathways/*.json [default: CATALOG_PATH, else catalog]
    #[arg(long, value_name = "DIR")]
    catalog: Option<String>,

    /// Seconds that an event waits for more of the same contact
    #[arg(long, value_name = "SECONDS", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(0..=WINDOW_S_MAX))]
    window: u32,

    /// How much is logged, as JSON lines on standard error [default: LOG_LEVEL, else warn]
    #[arg(long, value_name = "LEVEL")]
    log: Option<Log>,
}

/// Runs the command, until it is asked to stop.
///
/// # Errors
/// [`Stopped`], when it can't start.
pub(crate) async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    let variables = Variables::default()
        .or("ENABLE_CRM_PROGRESS", "true")
        .or("LOG_LEVEL", "warn")
        .typed("CATALOG_PATH", args.catalog)
        .typed("LOG_LEVEL", args.log.map(Log::word))
        // A real token has no business in a simulator, nor has the way to the real HubSpot.
        .typed("HUBSPOT_PRIVATE_APP_TOKEN", Some(LOCAL_TOKEN))
        .typed("HUBSPOT_BASE_URL", Some(settings::HubSpot::BASE_URL));
    let lookup = |name: &str| variables.get(name);
    let portal_port = args.portal_port.unwrap_or(if args.port == 0 { 0 } else { PORTAL_PORT });
    let process = Process::from_lookup(&lookup)?;
    let settings = StackSettings {
        listen: SocketAddr::new(args.host, args.port),
        crm: Crm::Simulated { listen: SocketAddr::new(args.host, portal_port) },
        data: args.data,
        door: settings::Door::from_lookup(&lookup)?,
        worker: settings::Worker::from_lookup(&lookup)?,
        hubspot: settings::HubSpot::from_lookup(&lookup)?,
        catalog: stack::catalog(&variables, true, output)?,
        coalescing_window: stack::window(args.window),
        console: stack::console_keys(&lookup)?,
    };
    stack::run(settings, &process, output, |ready| welcome(ready, args.window)).await
}

/// What to do first, ready to be pasted.
fn welcome(ready: &Ready, window_s: u32) -> String {
    // The coalescing window and two seconds are what the worker promises.
    let within_s = window_s + 2;
    let Ready { api, console, portal, data } = ready;
    let portal = portal.as_deref().unwrap_or_default();
    let data = match data {
        Some(folder) => format!("in {}", folder.display()),
        None => "in memory, gone at the end; --data DIR keeps it".to_owned(),
    };
    format!(
        "Milepost is ready; nothing leaves this machine.\n\
         \n  \
         HTTP API  {api}\n  \
         console   {console}\n  \
         HubSpot   {portal} (simulated)\n  \
         data      {data}\n\
         \n\
         A first event:\n\
         \n\
         curl -sS {api}/events/track -H 'Content-Type: application/json' -d '{FIRST_EVENT}'\n\
         \n\
         Within {within_s} seconds its contact is on the console, and in the simulator:\n\
         \n\
         curl -sS {portal}/_portal/contacts\n\
         \n\
         Ctrl-C stops it."
    )
}

/// The first event of the deployment guide, as of now.
const FIRST_EVENT: &str = concat!(
    r#"{"eventName":"learning_module_started","#,
    r#""contactIdentifier":{"email":"newuser@example.com"},"#,
    r#""payload":{"module_slug":"intro-to-hedgehog","course_slug":"getting-started-101","#,
    r#""pathway_slug":"hedgehog-fundamentals"}}"#,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_event_is_a_valid_one() {
        assert!(shared::submission::read(FIRST_EVENT.as_bytes()).is_ok());
        assert!(!FIRST_EVENT.contains(['\'', '\n']), "it stands in quotes, on one line");
    }
}
