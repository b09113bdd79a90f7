//! The bearer token: given once, or read by its name and read again when HubSpot refuses it.
//!
//! Tokens are rotated while functions live, so a 401 makes the source read anew; but not more than
//! once a minute, so that a revoked token doesn't turn every call into two.
//!
//! **Invariant**: no token is in any `Debug`, error or log text.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use shared::ports::Clock;
use tokio::sync::Mutex;

use crate::fault::PortalFault;

/// The least time between two reads that a 401 causes.
pub const REREAD_INTERVAL: Duration = Duration::from_secs(60);
/// The least time after a read that failed: a store that is away is not asked once per call.
const FAILED_READ_INTERVAL: Duration = Duration::from_secs(5);

/// Reads a token from where secrets are kept.
#[async_trait]
pub trait ReadToken: Send + Sync {
    /// Reads the token of this name, within seconds: calls wait for it. The error says why not,
    /// without any part of the token.
    async fn read_token(&self, name: &str) -> Result<String, String>;
}

/// Where calls take their token from.
pub struct TokenSource(Source);

enum Source {
    Fixed(String),
    Named { name: String, reader: Arc<dyn ReadToken>, clock: Arc<dyn Clock>, kept: Mutex<Kept> },
}

/// What a named source knows.
#[derive(Default)]
struct Kept {
    token: Option<String>,
    /// When a refusal last caused a read that ended well, in uptime. The first read is none of
    /// these: a token that was rotated just after it is found at the first 401.
    reread_at: Option<Duration>,
    /// When the last read failed, and why.
    failed: Option<(Duration, PortalFault)>,
}

impl TokenSource {
    /// The token itself: `HUBSPOT_PRIVATE_APP_TOKEN`. It never changes.
    pub fn fixed(token: &str) -> Self {
        Self(Source::Fixed(token.trim().to_owned()))
    }

    /// A token that `reader` finds by `name`: `HUBSPOT_TOKEN_PARAMETER`. It is read at the first
    /// call and kept.
    pub fn named(name: &str, reader: Arc<dyn ReadToken>, clock: Arc<dyn Clock>) -> Self {
        Self(Source::Named { name: name.to_owned(), reader, clock, kept: Mutex::default() })
    }

    /// The token to call with.
    ///
    /// # Errors
    /// [`PortalFault::NoToken`] when it can't be read, or can't be a token.
    pub async fn current(&self) -> Result<String, PortalFault> {
        match &self.0 {
            Source::Fixed(token) => usable(token.clone()),
            Source::Named { name, reader, clock, kept } => {
                let mut kept = kept.lock().await;
                match &kept.token {
                    Some(token) => Ok(token.clone()),
                    None => kept.read(name, reader.as_ref(), clock.as_ref()).await,
                }
            }
        }
    }

    /// Another token than `refused`, which HubSpot answered 401 to, if there is one. A named source
    /// is read again for it, at most once in [`REREAD_INTERVAL`].
    pub async fn after_refusal(&self, refused: &str) -> Option<String> {
        let Source::Named { name, reader, clock, kept } = &self.0 else { return None };
        let mut kept = kept.lock().await;
        // Of several calls that were refused together, the first one reads for all.
        if let Some(token) = kept.token.as_deref().filter(|token| *token != refused) {
            return Some(token.to_owned());
        }
        let next_read = kept.reread_at.map_or(Duration::ZERO, |at| at + REREAD_INTERVAL);
        if clock.uptime() < next_read {
            return None;
        }
        let token = kept.read(name, reader.as_ref(), clock.as_ref()).await.ok()?;
        kept.reread_at = Some(clock.uptime());
        (token != refused).then_some(token)
    }
}

impl Kept {
    /// Reads and keeps. A failed read leaves the old token in place.
    async fn read(
        &mut self,
        name: &str,
        reader: &dyn ReadToken,
        clock: &dyn Clock,
    ) -> Result<String, PortalFault> {
        if let Some((at, fault)) = &self.failed
            && clock.uptime() < *at + FAILED_READ_INTERVAL
        {
            return Err(fault.clone());
        }
        let read = reader.read_token(name).await.map_err(PortalFault::NoToken).and_then(usable);
        match read {
            Ok(token) => {
                self.token = Some(token.clone());
                self.failed = None;
                Ok(token)
            }
            Err(fault) => {
                self.failed = Some((clock.uptime(), fault.clone()));
                Err(fault)
            }
        }
    }
}

/// Secrets are often stored with a newline at the end; nothing else may be around a token.
fn usable(token: String) -> Result<String, PortalFault> {
    let token = token.trim();
    if token.is_empty() {
        return Err(PortalFault::NoToken("it is empty".to_owned()));
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(PortalFault::NoToken("it holds characters that no token has".to_owned()));
    }
    Ok(token.to_owned())
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Fixed(_) => f.write_str("TokenSource(fixed)"),
            Source::Named { name, .. } => write!(f, "TokenSource({name})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;

    use super::*;
    use crate::virtual_time::TurnedClock;

    /// A parameter store: one value, or none, and how often it was read.
    #[derive(Default)]
    struct Store {
        value: StdMutex<Option<String>>,
        reads: StdMutex<u32>,
    }

    impl Store {
        fn holding(value: &str) -> Arc<Self> {
            let store = Arc::new(Self::default());
            store.put(value);
            store
        }

        fn put(&self, value: &str) {
            *self.value.lock().unwrap() = Some(value.to_owned());
        }

        fn reads(&self) -> u32 {
            *self.reads.lock().unwrap()
        }
    }

    #[async_trait]
    impl ReadToken for Store {
        async fn read_token(&self, name: &str) -> Result<String, String> {
            *self.reads.lock().unwrap() += 1;
            self.value.lock().unwrap().clone().ok_or_else(|| format!("no parameter {name}"))
        }
    }

    fn source(store: &Arc<Store>, clock: &Arc<TurnedClock>) -> TokenSource {
        let reader: Arc<dyn ReadToken> = Arc::clone(store) as Arc<dyn ReadToken>;
        TokenSource::named("/milepost/token", reader, Arc::clone(clock) as Arc<dyn Clock>)
    }

    fn clock() -> Arc<TurnedClock> {
        TurnedClock::at("2026-11-24T20:00:00Z")
    }

    #[tokio::test]
    async fn a_named_token_is_read_once_and_kept() {
        let (store, clock) = (Store::holding("pat-1\n"), clock());
        let source = source(&store, &clock);
        for _ in 0..3 {
            assert_eq!(source.current().await.unwrap(), "pat-1");
        }
        assert_eq!(store.reads(), 1);
    }

    #[tokio::test]
    async fn a_refused_token_is_read_again_at_most_once_a_minute() {
        let (store, clock) = (Store::holding("pat-1"), clock());
        let source = source(&store, &clock);
        source.current().await.unwrap();
        store.put("pat-2");
        assert_eq!(source.after_refusal("pat-1").await.as_deref(), Some("pat-2"));
        // Another call that was refused with the old one finds the new one without a read.
        assert_eq!(source.after_refusal("pat-1").await.as_deref(), Some("pat-2"));
        store.put("pat-3");
        assert_eq!(source.after_refusal("pat-2").await, None);
        assert_eq!(store.reads(), 2);
        clock.turn(REREAD_INTERVAL);
        assert_eq!(source.after_refusal("pat-2").await.as_deref(), Some("pat-3"));
        assert_eq!(store.reads(), 3);
    }

    #[tokio::test]
    async fn a_store_that_is_away_is_not_asked_by_every_call() {
        let (store, clock) = (Arc::new(Store::default()), clock());
        let source = source(&store, &clock);
        for _ in 0..3 {
            let fault = source.current().await.unwrap_err();
            assert_eq!(fault, PortalFault::NoToken("no parameter /milepost/token".to_owned()));
        }
        assert_eq!(store.reads(), 1);
        store.put("pat-1");
        clock.turn(FAILED_READ_INTERVAL);
        assert_eq!(source.current().await.unwrap(), "pat-1");
    }

    #[tokio::test]
    async fn what_cannot_be_a_token_is_said_without_showing_it() {
        for text in ["", " \n", "two words", "töken", "a\nb"] {
            let source = TokenSource::fixed(text);
            let fault = source.current().await.unwrap_err().to_string();
            assert!(fault.starts_with("the token could not be read: it "), "{fault}");
        }
        assert_eq!(format!("{:?}", TokenSource::fixed("pat-1")), "TokenSource(fixed)");
        assert_eq!(TokenSource::fixed("pat-1").after_refusal("pat-1").await, None);
    }
}
