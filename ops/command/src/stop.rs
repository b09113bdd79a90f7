//! Ctrl-C and SIGTERM, for a command that must put something in order before it ends.

use std::io::BufRead as _;

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Listens for Ctrl-C and SIGTERM from the moment it is made.
pub struct Stop {
    listener: JoinHandle<()>,
    requested: watch::Receiver<bool>,
}

impl Stop {
    /// Listens from now on.
    pub fn listen() -> Self {
        let (tell, requested) = watch::channel(false);
        let listener = tokio::spawn(async move {
            host::shutdown::requested().await;
            tell.send_replace(true);
        });
        Self { listener, requested }
    }

    /// Whether the command must stop.
    pub fn is_requested(&self) -> bool {
        *self.requested.borrow()
    }

    /// Holds `true` as soon as the command must stop.
    pub fn signal(&self) -> &watch::Receiver<bool> {
        &self.requested
    }

    /// Waits for a typed answer, and says whether it is `yes`. A stop is not.
    pub async fn is_yes_typed(&self) -> bool {
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

    /// Ends when the command must stop.
    pub async fn requested(&self) {
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
