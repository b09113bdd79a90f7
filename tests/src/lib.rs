//! What the tests of all kinds share.

pub mod binaries;
pub mod cloud;
pub mod emulator;
pub mod ministack;
pub mod path;
pub mod running;
pub mod template;
