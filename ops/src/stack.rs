//! What `local` and `serve` have in common: settings and catalog in, a running stack until it is
//! asked to stop.
//!
//! Variables come from the environment; [`Variables`] lays the command's own defaults under them,
//! and what was typed over them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use console::access::Keys;
use host::catalog_folder::{self, CatalogFolderFault};
use host::clock::SystemClock;
use host::entropy::SystemEntropy;
use host::{entropy, environment};
use local::stack::{Stack, StackSettings, Urls};
use serde::Serialize;
use shared::catalog::{Catalog, CatalogFault};
use shared::journal::{Figure, Line, LogLevel};
use shared::ports::Journal;
use shared::settings::{self, Lookup, Process};

use crate::ending::{Ending, Stopped};
use crate::example_catalog;
use crate::output::Output;

/// The longest coalescing window, in seconds: SQS delays no message longer.
pub(crate) const WINDOW_S_MAX: i64 = 900;

/// How much is logged: `--log`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Log {
    /// A person is needed
    Error,
    /// Nothing is lost, but look
    Warn,
    /// One line a request and a contact
    Info,
    /// Every call
    Debug,
}

/// The environment, with what a command puts under and over it.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    defaults: Vec<(&'static str, &'static str)>,
    typed: Vec<(&'static str, String)>,
}

/// What a stack says of itself when it is ready.
#[derive(Debug, Serialize)]
pub(crate) struct Ready {
    /// The HTTP API.
    pub(crate) api: String,
    /// The page that shows what is going on.
    pub(crate) console: String,
    /// The simulator, if there is one.
    pub(crate) portal: Option<String>,
    /// Where queue and simulator are kept; `None` is in memory.
    pub(crate) data: Option<PathBuf>,
}

impl Log {
    /// The word that `LOG_LEVEL` has for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

impl Variables {
    /// Takes `value` where the environment has nothing.
    #[must_use]
    pub(crate) fn or(mut self, name: &'static str, value: &'static str) -> Self {
        self.defaults.push((name, value));
        self
    }

    /// Takes `value`, whatever the environment has.
    #[must_use]
    pub(crate) fn typed(mut self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        self.typed.extend(value.map(|value| (name, value.into())));
        self
    }

    /// A variable's value.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let typed = self.typed.iter().find(|(typed, _)| *typed == name);
        let default = self.defaults.iter().find(|(default, _)| *default == name);
        typed
            .map(|(_, value)| value.clone())
            .or_else(|| environment::lookup(name).filter(|value| !value.trim().is_empty()))
            .or_else(|| default.map(|(_, value)| (*value).to_owned()))
    }
}

/// Reads the catalog of `CATALOG_PATH`. Where nothing names a folder and the usual one is missing,
/// the example catalog may stand in.
///
/// # Errors
/// [`Stopped::Usage`], for a catalog that is wrong or not there.
pub(crate) fn catalog(
    variables: &Variables,
    example_may_stand_in: bool,
    output: &Output,
) -> Result<Catalog, Stopped> {
    let named = variables.get("CATALOG_PATH");
    let folder = named.as_deref().unwrap_or("catalog");
    let (catalog, warnings) = match catalog_folder::load(Path::new(folder)) {
        Ok(loaded) => loaded,
        Err(CatalogFolderFault::NoCatalog(_)) if named.is_none() && example_may_stand_in => {
            output.note("note: no folder `catalog` here: the example catalog stands in for it");
            Catalog::read(&example_catalog::files())
        }
        Err(fault) => return Err(Stopped::Usage(fault.to_string())),
    };
    for CatalogFault { place, what, .. } in warnings {
        output.note(format!("warning: catalog: {place}: {what}"));
    }
    Ok(catalog)
}

/// Starts a stack, says that it is ready, and stops it when the process is asked to stop.
///
/// # Errors
/// [`Stopped`], when it can't be started.
pub(crate) async fn run(
    settings: StackSettings,
    process: &Process,
    output: &Output,
    text: impl FnOnce(&Ready) -> String,
) -> Result<Ending, Stopped> {
    let clock = Arc::new(SystemClock::start());
    let entropy =
        SystemEntropy::seeded().map_err(|no_entropy| Stopped::Usage(no_entropy.to_string()))?;
    let journal: Arc<dyn Journal> = Arc::new(Terminal {
        lines: host::output::Output::to(
            Box::new(std::io::stderr()),
            process,
            "milepost",
            clock.clone(),
        ),
        has_figures: process.log_level >= LogLevel::Info,
    });
    host::output::journal_panics(journal.clone());

    if !settings.door.is_enabled {
        output.note(
            "warning: ENABLE_CRM_PROGRESS is not true: events are answered as anonymous and \
             nothing is kept; hint: set it to true",
        );
    }
    if settings.console.token.is_none() && !settings.listen.ip().to_canonical().is_loopback() {
        output.note(
            "note: the console is closed, for others can reach it here; hint: set \
             MILEPOST_CONSOLE_TOKEN to open it with a token",
        );
    }
    // From the first poll on a signal is caught: it may come as soon as `Ready` is read.
    let mut stop_requested = std::pin::pin!(host::shutdown::requested());
    let data = settings.data.clone();
    let stack = tokio::select! {
        biased;
        () = &mut stop_requested => return Ok(Ending::Done),
        started = Stack::start(settings, clock, Arc::new(entropy), journal) => {
            started.map_err(|fault| Stopped::Usage(fault.to_string()))?
        }
    };
    let Urls { api, portal } = stack.urls().clone();
    let ready = Ready { console: format!("{api}/"), api, portal, data };
    if let Err(stopped @ Stopped::Output(_)) = output.result(&ready, || text(&ready)) {
        stack.stop().await;
        return Err(stopped);
    }
    stop_requested.await;
    output.note("stopping");
    stack.stop().await;
    Ok(Ending::Done)
}

/// What the console is locked with: `MILEPOST_CONSOLE_TOKEN`, if it is set.
///
/// # Errors
/// [`Stopped::Usage`], for a token that keeps nobody out.
pub(crate) fn console_keys(lookup: Lookup<'_>) -> Result<Keys, Stopped> {
    let token = settings::console_token(lookup)?;
    let secret = entropy::secret().map_err(|no_entropy| Stopped::Usage(no_entropy.to_string()))?;
    Ok(Keys { token, secret })
}

/// A window of so many seconds.
pub(crate) fn window(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}

/// The journal of a stack in the foreground: figures are lines for a collector, and somebody who
/// asked for warnings only has none.
struct Terminal {
    lines: host::output::Output,
    has_figures: bool,
}

impl Journal for Terminal {
    fn line(&self, line: Line) {
        self.lines.line(line);
    }

    fn figures(&self, figures: &[(Figure, f64)]) {
        if self.has_figures {
            self.lines.figures(figures);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_wins_and_a_default_stands_in() {
        let variables = Variables::default()
            .or("MILEPOST_TEST_ABSENT", "default")
            .or("MILEPOST_TEST_TYPED", "default")
            .typed("MILEPOST_TEST_TYPED", Some("typed"))
            .typed("MILEPOST_TEST_NEITHER", None::<String>);
        assert_eq!(variables.get("MILEPOST_TEST_ABSENT").as_deref(), Some("default"));
        assert_eq!(variables.get("MILEPOST_TEST_TYPED").as_deref(), Some("typed"));
        assert_eq!(variables.get("MILEPOST_TEST_NEITHER"), None);
    }
}
