//! The whole path in one process: front door, embedded queue, worker, reader, and, for `local`,
//! the HubSpot simulator beside them.
//!
//! The core is the deployed one; only the ports differ. A data folder is held by one stack at a
//! time.

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hubspot::Client;
use hubspot::pace::{NoShare, Pace, PaceSettings};
use hubspot::token::TokenSource;
use hubspot::transport::{Dial, Transport};
use hubspot::version::ApiVersion;
use ingest::Ingest;
use reader::Reader;
use shared::catalog::Catalog;
use shared::ports::{Clock, Entropy, Journal, QueueFault};
use shared::settings::{self, Token};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use worker::{Worker, WorkerParts};

use crate::demo::Demo;
use crate::pump::Pump;
use crate::server::{self, Doors};
use console::access::{Access, Keys};
use console::recent_stats::journal::StatsJournal;
use console::{Console, Watched};
use dead_letters::Queues;
use simulator::Portal;
use simulator::inner_door::InnerDoor;
use sqlite::{OpenError, QueueSettings, SqliteQueues};

/// How long a stop waits for the batches in hand, and then for the open requests.
const DRAIN_MAX: Duration = Duration::from_secs(3);
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// What HubSpot's own `startedAt` and `completedAt` of batch calls lie apart, in recorded answers.
const LIFELIKE_LATENCY_MS: (u64, u64) = (35, 90);

/// What to start.
#[derive(Debug)]
pub struct StackSettings {
    /// Where the HTTP API and the console listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Which HubSpot.
    pub crm: Crm,
    /// Where queue and simulator are kept; `None` keeps them in memory.
    pub data: Option<PathBuf>,
    /// What every door needs.
    pub door: settings::Door,
    /// What the worker works by.
    pub worker: settings::Worker,
    /// How to reach HubSpot, and how much of it is ours.
    pub hubspot: settings::HubSpot,
    /// Courses and pathways.
    pub catalog: Catalog,
    /// How long events wait for more of the same contact.
    pub coalescing_window: Duration,
    /// What the console is locked with.
    pub console: Keys,
}

/// Which HubSpot the stack writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crm {
    /// The simulator, in this process; its HTTP door listens here.
    Simulated {
        /// Port 0 picks a free one.
        listen: SocketAddr,
    },
    /// The real one.
    HubSpot,
}

/// Where the stack can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urls {
    /// The HTTP API; the console is its `/`.
    pub api: String,
    /// The simulator's HTTP door.
    pub portal: Option<String>,
}

/// Why the stack did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// An address is taken, or not ours.
    #[error(
        "can't listen on {address}: {source}; hint: another program may have the port, choose one with --port"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The data folder can't be used.
    #[error(
        "can't use the data folder {path}: {source}; hint: check that it is a folder you may write to"
    )]
    Data {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another stack holds the data folder.
    #[error(
        "the data folder {path} is in use by another milepost; hint: stop that one, or choose another folder with --data"
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The queue's file can't be opened.
    #[error(transparent)]
    Queue(#[from] OpenError),
    /// The queue can't give out again what the last process held.
    #[error("the queue's file can't be used: {0}")]
    Reclaim(QueueFault),
    /// The simulator's file can't be opened.
    #[error(transparent)]
    Portal(#[from] simulator::PortalFault),
    /// The settings leave no call to HubSpot.
    #[error(transparent)]
    Pace(#[from] NoShare),
    /// A setting that only this stack can't serve.
    #[error("{0}")]
    Setting(String),
}

/// A running stack.
pub struct Stack {
    urls: Urls,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
    pumps: Vec<Pump>,
    queues: SqliteQueues,
    portal: Option<Arc<Portal>>,
    clock: Arc<dyn Clock>,
    _lock: Option<File>,
}

impl Stack {
    /// Starts everything; it is ready when this returns.
    ///
    /// # Errors
    /// [`StartFault`]; then nothing is left running.
    pub async fn start(
        settings: StackSettings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        journal: Arc<dyn Journal>,
    ) -> Result<Self, StartFault> {
        let lock = settings.data.as_deref().map(hold).transpose()?;
        let (stop, stopped) = watch::channel(false);
        let queues = open_queues(&settings, &clock, &entropy).await?;
        let hubspot = &settings.hubspot;
        let token = fixed_token(hubspot)?;
        let (transport, simulator) = match settings.crm {
            Crm::Simulated { listen } => {
                let data = settings.data.as_deref();
                let simulator = Simulator::start(data, listen, &token, &clock, &entropy, &stopped);
                let simulator = simulator.await?;
                let door = InnerDoor::new(simulator.portal.clone(), clock.clone());
                (Arc::new(door) as Arc<dyn Transport>, Some(simulator))
            }
            Crm::HubSpot => {
                let dial = Dial::new(&hubspot.base_url)
                    .map_err(|error| StartFault::Setting(error.to_string()))?;
                (Arc::new(dial) as Arc<dyn Transport>, None)
            }
        };
        let version: ApiVersion = hubspot
            .api_version
            .parse()
            .map_err(|_| StartFault::Setting("HUBSPOT_API_VERSION is no version".into()))?;
        let token = Arc::new(TokenSource::fixed(&token));
        let connect = |share: PaceSettings| -> Result<Client, NoShare> {
            let pace = Arc::new(Pace::new(share, clock.clone(), entropy.clone())?);
            let (transport, token) = (transport.clone(), token.clone());
            Ok(Client::new(transport, token, pace, clock.clone(), version))
        };
        // One process has the workers' whole share, however many of them it runs.
        let client = connect(PaceSettings::of(hubspot, 1))?;
        let reading = connect(reader::share(hubspot))?;

        let stats = Arc::new(StatsJournal::new(journal, clock.clone()));
        let journal: Arc<dyn Journal> = stats.clone();
        let ingest = Ingest::new(
            settings.door.clone(),
            queues.events(),
            clock.clone(),
            entropy.clone(),
            journal.clone(),
        );
        let reader = Reader::new(
            settings.door,
            Arc::new(reading),
            clock.clone(),
            entropy.clone(),
            journal.clone(),
        );
        let demo = simulator
            .as_ref()
            .map(|simulator| Demo::new(simulator.portal.clone(), &settings.catalog));
        let concurrency = settings.worker.concurrency;
        let worker = Arc::new(Worker::new(WorkerParts {
            events: queues.events(),
            dead_letters: queues.dead_letters(),
            client,
            clock: clock.clone(),
            entropy: entropy.clone(),
            journal,
            catalog: settings.catalog,
            settings: settings.worker,
        }));
        if settings.crm == Crm::HubSpot {
            // Then a spent day is waited out to its end. Without an answer it is tried every hour.
            let learner = Arc::clone(&worker);
            tokio::spawn(async move { learner.parts.client.learn_day().await });
        }
        let place = match settings.crm {
            Crm::Simulated { .. } => "One machine, with a simulated HubSpot",
            Crm::HubSpot => "One machine, with HubSpot",
        };
        let watched = Watched {
            queues: Queues {
                events: queues.events(),
                dead_letters: queues.dead_letters(),
                clock: clock.clone(),
                entropy,
            },
            embedded: Some(queues.clone()),
            stats: Some(stats),
            portal: simulator.as_ref().map(|simulator| simulator.portal.clone()),
            place: place.into(),
        };
        let access = Access::new(settings.listen.ip(), settings.console);
        let console = Console::new(watched, access, stopped.clone());

        let listener = bind(settings.listen).await?;
        let api = url(&listener, settings.listen)?;
        let doors = Arc::new(Doors { ingest, reader, console, demo });
        let until = until_stopped(&stopped);
        let mut servers = vec![tokio::spawn(server::serve(listener, doors, until))];
        let pumps =
            (0..concurrency).map(|_| Pump::start(worker.clone(), stopped.clone())).collect();
        let mut urls = Urls { api, portal: None };
        let mut portal = None;
        if let Some(simulator) = simulator {
            servers.push(simulator.server);
            urls.portal = Some(simulator.url);
            portal = Some(simulator.portal);
        }
        Ok(Self { urls, stop, servers, pumps, queues, portal, clock, _lock: lock })
    }

    /// Where it can be reached.
    pub fn urls(&self) -> &Urls {
        &self.urls
    }

    /// The queues, to be looked at.
    pub fn queues(&self) -> &SqliteQueues {
        &self.queues
    }

    /// The simulator, if it is part of the stack.
    pub fn portal(&self) -> Option<&Arc<Portal>> {
        self.portal.as_ref()
    }

    /// Takes no more, finishes what is in hand, and closes; within 5 s.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let deadline = self.clock.uptime() + DRAIN_MAX;
        for pump in self.pumps {
            let left = deadline.saturating_sub(self.clock.uptime());
            pump.stopped(&*self.clock, left).await;
        }
        let deadline = self.clock.uptime() + CLOSE_MAX;
        for mut server in self.servers {
            let left = deadline.saturating_sub(self.clock.uptime());
            tokio::select! {
                _ended = &mut server => {}
                () = self.clock.sleep(left) => server.abort(),
            }
        }
        self.queues.close();
    }
}

/// The simulator beside the stack.
struct Simulator {
    portal: Arc<Portal>,
    url: String,
    server: JoinHandle<()>,
}

impl Simulator {
    /// Opens the portal with everything that Milepost needs, and its HTTP door.
    async fn start(
        data: Option<&Path>,
        listen: SocketAddr,
        token: &str,
        clock: &Arc<dyn Clock>,
        entropy: &Arc<dyn Entropy>,
        stopped: &watch::Receiver<bool>,
    ) -> Result<Self, StartFault> {
        let portal = Arc::new(match data {
            Some(folder) => simulator_server::open(folder)?,
            None => Portal::in_memory(entropy.next_u64()),
        });
        portal.define_milepost_properties();
        portal.define_milepost_events();
        portal.set(|settings| settings.latency_ms = LIFELIKE_LATENCY_MS);
        portal.grant(token, &[]);
        let listener = bind(listen).await?;
        let url = url(&listener, listen)?;
        let door = simulator_server::http_door::serve(
            listener,
            portal.clone(),
            clock.clone(),
            until_stopped(stopped),
        );
        let server = tokio::spawn(async move {
            let _ended = door.await;
        });
        Ok(Self { portal, url, server })
    }
}

async fn open_queues(
    settings: &StackSettings,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<SqliteQueues, StartFault> {
    let (clock, entropy) = (clock.clone(), entropy.clone());
    let behavior = QueueSettings { delay: settings.coalescing_window, ..QueueSettings::default() };
    let queues = match &settings.data {
        Some(folder) => {
            SqliteQueues::open(&folder.join(sqlite::FILE_NAME), clock, entropy, behavior)?
        }
        None => SqliteQueues::in_memory(clock, entropy, behavior)?,
    };
    // Whoever held these messages is gone. A write of theirs may still land: they wait for the
    // quarantine as after any write whose outcome is unknown.
    queues.reclaim(settings.worker.quarantine).await.map_err(StartFault::Reclaim)?;
    Ok(queues)
}

fn fixed_token(hubspot: &settings::HubSpot) -> Result<String, StartFault> {
    match &hubspot.token {
        Token::Fixed(token) => Ok(token.clone()),
        Token::Parameter(_) => Err(StartFault::Setting(
            "HUBSPOT_TOKEN_PARAMETER is for Lambda; hint: give one machine its token in \
             HUBSPOT_PRIVATE_APP_TOKEN"
                .into(),
        )),
    }
}

/// Makes the folder if need be, and holds it for this process.
fn hold(folder: &Path) -> Result<File, StartFault> {
    let data = |source| StartFault::Data { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(data)?;
    let file = File::create(folder.join("lock")).map_err(data)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartFault::InUse { path: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(data(source)),
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, StartFault> {
    TcpListener::bind(address).await.map_err(|source| StartFault::Listen { address, source })
}

fn url(listener: &TcpListener, address: SocketAddr) -> Result<String, StartFault> {
    let bound = listener.local_addr().map_err(|source| StartFault::Listen { address, source })?;
    Ok(format!("http://{bound}"))
}

fn until_stopped(stopped: &watch::Receiver<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stopped = stopped.clone();
    async move {
        // The sender lives in the stack: when it is gone, that is a stop too.
        let _stopped = stopped.wait_for(|stopped| *stopped).await;
    }
}
