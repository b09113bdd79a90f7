//! What the tests of all kinds share.

pub mod binaries;
pub mod clock;
pub mod cloud;
pub mod emulator;
pub mod entropy;
pub mod journal;
pub mod ministack;
pub mod path;
pub mod running;
