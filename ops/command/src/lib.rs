//! What every command of `milepost` shares: what it says ([`output`]), how it ends ([`ending`]), when
//! it stops ([`stop`]), and how it reaches the queues ([`queues`]), HubSpot ([`crm`]) and AWS ([`aws`]).
//!
//! In: the arguments and the environment of a process. Out: text, an exit code, and clients that are
//! ready to ask.
//!
//! **Invariant**: no command is known here, so a command can move between packages freely.

pub mod aws;
pub mod crm;
pub mod ending;
pub mod output;
pub mod queues;
pub mod stop;
