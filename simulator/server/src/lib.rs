//! The simulator as a server: its HTTP door with the admin API, and the file that keeps it.
//!
//! A package of its own, so that the simulation, which needs neither sockets nor SQLite, builds
//! neither.

mod admin;
mod file;
pub mod http_door;

pub use file::open;
