//! The wish to stop a command that has something to put in order first.

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
