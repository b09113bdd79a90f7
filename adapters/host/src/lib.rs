//! What a process takes from its machine, and the only home of it.
//!
//! - [`environment`]: variables, and the one line of a start that stops
//! - [`clock`], [`entropy`]: time and chance
//! - [`output`]: the journal on standard output; [`log`] and [`metrics`] give its lines their form
//! - [`lambda`]: API Gateway's events and the queue's, on the Lambda runtime
//! - [`catalog_folder`]: the catalog as files
//! - [`shutdown`]: the operator's wish to stop, as a future
//!
//! **Invariant**: no other crate asks for the time, for chance, for a variable or for standard
//! output; `clippy.toml` holds them to it.

pub mod catalog_folder;
pub mod clock;
pub mod entropy;
pub mod environment;
pub mod lambda;
pub mod log;
pub mod metrics;
pub mod output;
pub mod shutdown;
