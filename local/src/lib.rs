//! The whole path on one machine, in one process.

pub mod console;
pub mod demo;
pub mod letters;
pub mod portal;
pub mod pump;
pub mod queue;
pub mod server;
pub mod stack;
