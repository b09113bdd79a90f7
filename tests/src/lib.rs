//! What the tests of all kinds share.

pub mod binaries;
pub mod clock;
pub mod cloud;
pub mod drive;
pub mod emulator;
pub mod entropy;
pub mod fold;
pub mod journal;
pub mod late_writes;
pub mod ministack;
pub mod path;
pub mod running;
pub mod sim_queue;
pub mod world;
