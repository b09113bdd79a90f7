//! Contacts as the client hands them over: ours, not HubSpot's wire.

use std::collections::BTreeMap;

use crate::fault::Refusal;

/// A contact's properties by name. An unset property is absent; a set one is text.
pub type Properties = BTreeMap<String, String>;

/// One contact as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The record id.
    pub id: String,
    /// The primary e-mail in lower case, if the contact has one.
    pub email: Option<String>,
    /// The secondary e-mails in lower case.
    pub additional_emails: Vec<String>,
    /// What was asked for and is set.
    pub properties: Properties,
}

impl Contact {
    /// Whether this lower-cased address is one of the contact's, primary or secondary.
    pub fn has_email(&self, email: &str) -> bool {
        self.email.as_deref() == Some(email) || self.additional_emails.iter().any(|e| e == email)
    }
}

/// What a batch read found. Inputs that are in neither list were not answered for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The contacts, in no order.
    pub contacts: Vec<Contact>,
    /// Asked-for ids or e-mails (as sent) that HubSpot says do not exist.
    pub missing: Vec<String>,
}

/// One contact to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewContact {
    /// `objectWriteTraceId`, unique in the batch.
    pub trace_id: String,
    /// What to set, `email` among it.
    pub properties: Properties,
}

/// One contact to update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactUpdate {
    /// `objectWriteTraceId`, unique in the batch.
    pub trace_id: String,
    /// The record id, unique in the batch.
    pub id: String,
    /// What to set; an empty text clears.
    pub properties: Properties,
}

/// What a batch write did. An input that is in neither list was not written, whatever the status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wrote {
    /// The records that came back, in no order.
    pub written: Vec<WrittenContact>,
    /// What a multi-status answer says against inputs.
    pub refused: Vec<Refusal>,
}

/// One record that a write brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenContact {
    /// The record id.
    pub id: String,
    /// The trace id, if HubSpot echoed it (it need not).
    pub trace_id: Option<String>,
    /// What came back and is set: what was sent, if it was written, and what HubSpot computed. A
    /// property that was cleared is absent.
    pub properties: Properties,
}
