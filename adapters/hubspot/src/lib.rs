//! HubSpot's CRM, as Milepost uses it.
//!
//! A call's road: [`client`] (what is asked) → [`version`] (the path) → `wire` (their JSON) →
//! `call` (token, permit, retries) → [`transport`] (the only file that dials) → `classify` (what an
//! answer means: a [`fault`]) → [`contact`] (what is handed over). [`pace`] keeps every call
//! under the portal's limits; [`schema`], [`account`] and [`probe`] serve set-up and inspection; [`roster`] says
//! who is in a portal; [`events`] is the road of custom events.
//!
//! **Invariant**: nothing here searches but [`roster`], nothing here logs, and no fault's text holds an e-mail
//! address, a token or a body.

pub mod account;
mod call;
mod classify;
pub mod client;
pub mod contact;
pub mod events;
pub mod fault;
pub mod pace;
pub mod probe;
mod rate;
mod retry;
pub mod roster;
pub mod schema;
pub mod token;
pub mod transport;
pub mod version;
#[cfg(test)]
mod virtual_time;
mod wire;

pub use client::Client;
