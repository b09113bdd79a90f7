//! SQS as the core's [`Queue`](shared::ports::Queue), over the official SDK.
//!
//! A message's way: [`queue`] takes it from the core and cuts it into calls ([`batch`]), `settle`
//! settles it, [`mod@client`] reaches SQS, and `fault` says what an answer other than success
//! means. On the way back, what Lambda's event source took enters through [`event`], and what we
//! take ourselves through [`queue`] again; both come out as the same deliveries.
//!
//! The SDK is built without its defaults: one HTTP stack, and TLS by rustls over ring alone.

pub mod attributes;
pub mod batch;
pub mod client;
pub mod event;
mod fault;
pub mod queue;
mod settle;

pub use client::{ClientSettings, client};
pub use queue::SqsQueue;
