//! What the tests of all kinds share.

pub mod clock;
pub mod entropy;
pub mod journal;
pub mod ministack;
pub mod path;
pub mod running;
