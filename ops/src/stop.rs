//! The wish to stop a command that has something to put in order first.

use std::io::BufRead as _;

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Ctrl-C and SIGTERM, listened for from the moment it is made.
pub(crate) struct Stop {
    listener: JoinHandle<()>,
    requested: watch::Receiver<bool>,
}

impl Stop {
    /// Listens from now on.
    pub(crate) fn listen() -> Self {
        let (tell, requested) = watch::channel(false);
        let listener = tokio::spawn(async move {
            host::shutdown::requested().await;
            tell.send_replace(true);
        });
        Self { listener, requested }
    }

    /// Whether the command is to stop.
    pub(crate) fn is_requested(&self) -> bool {
        *self.requested.borrow()
    }

    /// What holds `true` from the moment that the command is to stop.
    pub(crate) fn signal(&self) -> &watch::Receiver<bool> {
        &self.requested
    }

    /// Waits for what is typed; whether it is a yes. To stop is none.
    pub(crate) async fn is_yes_typed(&self) -> bool {
        let asked = tokio::task::spawn_blocking(|| {
            let mut answer = String::new();
            let read = std::io::stdin().lock().read_line(&mut answer);
            read.is_ok() && answer.trim() == "yes"
        });
        tokio::select! {
            answer = asked => answer.unwrap_or(false),
            () = self.requested() => false,
        }
    }

    /// Ends when the command is to stop.
    pub(crate) async fn requested(&self) {
        // The teller lives as long as its task, which this value ends.
        let mut requested = self.requested.clone();
        let _told = requested.wait_for(|requested| *requested).await;
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.listener.abort();
    }
}
