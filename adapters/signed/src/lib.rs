//! Calls to the AWS services that Milepost reads and that need no SDK: AWS's own signer, and the HTTP
//! client that HubSpot is called with.
//!
//! [`parameters`] reads the HubSpot token for the functions and the commands; `doctor` and `console`
//! ask Lambda and CloudWatch through [`client`]. [`refusal`](self) decides what an answer means, and
//! whether another try can help.
//!
//! **Invariant**: every call is a read, so making it again is always safe.

pub mod client;
pub mod parameters;
mod refusal;
pub mod service;

pub use aws::{Identity, Missing, Trust};
pub use client::{Call, Client, Limits};
pub use parameters::{ParameterStore, token_source};
pub use refusal::CallFault;
pub use service::Service;
