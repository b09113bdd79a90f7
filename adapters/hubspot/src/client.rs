//! The calls that progress needs: read contacts, create them, update them, delete them for good.
//!
//! Reads by e-mail find contacts by secondary addresses too, and hand them over under their primary
//! one. Writes say what came back and what was refused; that an input is in neither list means that
//! it was not written, whatever the status. Trace ids are the caller's.
//!
//! **Invariant**: no write is repeated that may have been applied.

use std::fmt::Write as _;
use std::sync::Arc;

use http::Method;
use shared::ports::Clock;
use shared::properties::{ADDITIONAL_EMAILS, EMAIL};

use crate::call::Call;
pub use crate::call::{READ_TIMEOUT, READ_WORST_CASE, WRITE_TIMEOUT, WRITE_WORST_CASE};
use crate::contact::{Contact, ContactUpdate, Found, NewContact, Wrote};
use crate::fault::CallFault;
use crate::pace::Pace;
use crate::token::TokenSource;
use crate::transport::Transport;
use crate::version::ApiVersion;
use crate::wire::{
    self, Batch, BatchAnswer, BatchRead, CreateInput, IdInput, PermanentDelete, Record, UpdateInput,
};

/// The most inputs that one batch call may have.
pub const BATCH_MAX: usize = 100;

/// HubSpot, for one private app or service key.
pub struct Client {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) token: Arc<TokenSource>,
    pub(crate) pace: Arc<Pace>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) version: ApiVersion,
}

/// What a single contact is asked for by.
#[derive(Clone, PartialEq, Eq)]
pub enum ContactKey {
    /// The record id. A merged contact answers to its old ids, under its new one.
    Id(String),
    /// An e-mail address.
    Email(String),
}

impl Client {
    /// A client over `transport`. The pace is shared by all that call in this process.
    pub fn new(
        transport: Arc<dyn Transport>,
        token: Arc<TokenSource>,
        pace: Arc<Pace>,
        clock: Arc<dyn Clock>,
        version: ApiVersion,
    ) -> Self {
        Self { transport, token, pace, clock, version }
    }

    /// The pace that it keeps.
    pub fn pace(&self) -> &Arc<Pace> {
        &self.pace
    }

    /// Reads up to [`BATCH_MAX`] contacts by e-mail, primary or secondary. Two addresses of one
    /// contact bring it once or twice.
    ///
    /// # Errors
    /// As every read: see [`CallFault`].
    pub async fn read_by_email(
        &self,
        emails: &[String],
        properties: &[&str],
    ) -> Result<Found, CallFault> {
        self.read_batch(emails, Some(EMAIL), properties).await
    }

    /// Reads up to [`BATCH_MAX`] contacts by record id. A contact may come back under another id
    /// than the one asked for, if it was merged.
    ///
    /// # Errors
    /// As every read: see [`CallFault`].
    pub async fn read_by_id(
        &self,
        ids: &[String],
        properties: &[&str],
    ) -> Result<Found, CallFault> {
        self.read_batch(ids, None, properties).await
    }

    /// Creates up to [`BATCH_MAX`] contacts.
    ///
    /// # Errors
    /// As every write: see [`CallFault`]. A [`CallFault::Request`] means that none was created.
    pub async fn create(&self, inputs: &[NewContact]) -> Result<Wrote, CallFault> {
        let inputs: Vec<CreateInput<'_>> = inputs.iter().map(CreateInput::from).collect();
        self.write_batch("create", inputs).await
    }

    /// Updates up to [`BATCH_MAX`] contacts by record id.
    ///
    /// # Errors
    /// As every write: see [`CallFault`]. A [`CallFault::Request`] means that none was updated.
    pub async fn update(&self, inputs: &[ContactUpdate]) -> Result<Wrote, CallFault> {
        let inputs: Vec<UpdateInput<'_>> = inputs.iter().map(UpdateInput::from).collect();
        self.write_batch("update", inputs).await
    }

    /// Deletes a contact for good, with its history: HubSpot's permanent delete. Of an e-mail that
    /// nobody has, HubSpot notes that it is to be blocked. `false` when HubSpot answers that there is
    /// nothing of this key.
    ///
    /// # Errors
    /// As every write: see [`CallFault`].
    pub async fn delete_for_good(&self, who: &ContactKey) -> Result<bool, CallFault> {
        let (object_id, id_property) = match who {
            ContactKey::Id(id) => (id.as_str(), None),
            ContactKey::Email(email) => (email.as_str(), Some(EMAIL)),
        };
        let body = wire::body(&PermanentDelete { object_id, id_property })?;
        let path = format!("{}/gdpr-delete", self.version.contacts());
        let call = Call::write(Method::POST, path).with_body(body).expecting(&[404]);
        Ok(self.call(call).await?.status != 404)
    }

    /// Reads one contact; `None` when there is none.
    ///
    /// # Errors
    /// As every read: see [`CallFault`].
    pub async fn get(
        &self,
        by: &ContactKey,
        properties: &[&str],
    ) -> Result<Option<Contact>, CallFault> {
        let (key, by_email) = match by {
            ContactKey::Id(id) => (id, ""),
            ContactKey::Email(email) => (email, "&idProperty=email"),
        };
        let path = format!(
            "{}/{}?properties={}{by_email}",
            self.version.contacts(),
            percent_encoded(key),
            with_addresses(properties).join(",")
        );
        let answer = self.call(Call::read(Method::GET, path).expecting(&[404])).await?;
        // The bodies of this path's 404 vary, and say no more than the status.
        if answer.status == 404 {
            return Ok(None);
        }
        Ok(Some(wire::read::<Record>(&answer)?.contact(properties)))
    }

    /// The version that paths are made for.
    pub fn version(&self) -> ApiVersion {
        self.version
    }

    async fn read_batch(
        &self,
        inputs: &[String],
        id_property: Option<&'static str>,
        properties: &[&str],
    ) -> Result<Found, CallFault> {
        if inputs.is_empty() {
            return Ok(Found::default());
        }
        // The write endpoints refuse a batch for an input that is there twice; what this one does
        // is not known.
        let mut distinct: Vec<&str> = inputs.iter().map(String::as_str).collect();
        distinct.sort_by_cached_key(|input| input.to_lowercase());
        distinct.dedup_by(|a, b| a.to_lowercase() == b.to_lowercase());
        let body = wire::body(&BatchRead {
            properties: with_addresses(properties),
            properties_with_history: [],
            id_property,
            inputs: distinct.into_iter().map(|id| IdInput { id }).collect(),
        })?;
        let path = format!("{}/batch/read", self.version.contacts());
        let answer = self.call(Call::read(Method::POST, path).with_body(body)).await?;
        Ok(wire::read::<BatchAnswer>(&answer)?.found(inputs, properties))
    }

    async fn write_batch<I: serde::Serialize>(
        &self,
        verb: &str,
        inputs: Vec<I>,
    ) -> Result<Wrote, CallFault> {
        if inputs.is_empty() {
            return Ok(Wrote::default());
        }
        let body = wire::body(&Batch { inputs })?;
        let path = format!("{}/batch/{verb}", self.version.contacts());
        let answer = self.call(Call::write(Method::POST, path).with_body(body)).await?;
        Ok(wire::read_written::<BatchAnswer>(&answer)?.wrote())
    }
}

/// What tells who a contact is, is always asked for too.
pub(crate) fn with_addresses<'a>(properties: &[&'a str]) -> Vec<&'a str> {
    let mut all = properties.to_vec();
    for name in [EMAIL, ADDITIONAL_EMAILS] {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// For a path segment: all but the unreserved characters of RFC 3986 as `%XX`.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a `String` can't fail.
            let _written = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_cannot_leave_its_path_segment() {
        #[track_caller]
        fn check(key: &str, segment: &str) {
            assert_eq!(percent_encoded(key), segment);
        }
        check("512", "512");
        check("a.b+c@b.co", "a.b%2Bc%40b.co");
        check("../batch?x=1#y", "..%2Fbatch%3Fx%3D1%23y");
        check("ü", "%C3%BC");
    }
}
