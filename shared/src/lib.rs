//! What Milepost decides, as functions from values to values: no clock, no network, no runtime.
//!
//! In the order of an event's road:
//!
//! - [`http`]: requests and answers as values, routes, CORS
//! - [`query`]: a URL's query → parameters
//! - [`submission`]: bytes → valid events, or rejections; every limit
//! - [`json`]: JSON text, read no further than it is used
//! - [`event`]: what an event is; which time counts
//! - [`slug`], [`email`], [`contact_id`]: the texts that name something, parsed once
//! - [`limits`]: how long texts may be, and which characters they may hold
//! - [`identity`]: token or body → whose event it is; the message group
//! - [`envelope`]: the one thing that crosses the queue
//! - [`unknown`]: the keys of a stored state that are kept as they are
//! - [`facts`]: event → facts; the join
//! - [`state`]: the state JSON
//! - [`catalog`]: courses and pathways; roll-ups
//! - [`milestones`]: facts and catalog → property values
//! - [`properties`]: the properties as one table
//! - [`event_definitions`]: the custom events of the other backend, likewise
//! - [`dead_letter`]: reasons, and the attributes that carry them
//! - [`journal`]: log lines and figures as values
//! - [`ids`]: names for what has none
//! - [`jitter`]: how chance spreads waits
//! - [`resend`]: what to send again to a queue that did not answer
//! - [`settings`]: every variable, its default and its check
//! - [`ports`]: what the core takes from the outside
//!
//! **Invariant**: nothing here performs an effect, and everything here can run in a test without
//! one.

pub mod catalog;
pub mod contact_id;
pub mod dead_letter;
pub mod email;
pub mod envelope;
pub mod event;
pub mod event_definitions;
pub mod facts;
pub mod http;
pub mod identity;
pub mod ids;
pub mod jitter;
pub mod journal;
pub mod json;
pub mod limits;
pub mod milestones;
pub mod ports;
pub mod properties;
pub mod query;
pub mod resend;
pub mod settings;
pub mod slug;
pub mod state;
pub mod submission;
pub mod unknown;
