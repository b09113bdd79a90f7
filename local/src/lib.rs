//! The whole path on one machine, in one process.

pub mod demo;
pub mod pump;
pub mod server;
pub mod stack;
