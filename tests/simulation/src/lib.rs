//! The simulation.

pub mod clock;
pub mod drive;
pub mod entropy;
pub mod fold;
pub mod journal;
pub mod late_writes;
pub mod queue;
pub mod world;
