//! What the tests of all kinds share.

pub mod binaries;
pub mod cloud;
pub mod deployment;
pub mod emulator;
pub mod http_stub;
pub mod late_clock;
pub mod metrics;
pub mod ministack;
pub mod path;
pub mod plot;
pub mod running;
pub mod runtime_api;
pub mod sqs_stub;
pub mod template;
