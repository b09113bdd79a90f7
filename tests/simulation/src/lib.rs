//! The simulation: the code that is deployed, in worlds where everything goes wrong that can.
//!
//! A [`history`] is one seed of a [`family`]: a [`world`] of one thread and virtual time, in which
//! a [`site`] posts events, a [`storm`] rages, a [`marketer`] meddles and processes meet their
//! [`fate`]; and an [`audit`] that judges what came of it. docs/simulation.md says how to run it,
//! and what it does not prove.
//!
//! **Invariant**: one family and one seed are one run, step for step: [`trace`] has the hash of it.

pub mod audit;
pub mod campaign;
pub mod clock;
pub mod drive;
pub mod entropy;
pub mod family;
pub mod fate;
pub mod fired;
pub mod fold;
mod hand;
pub mod history;
pub mod journal;
pub mod late_writes;
pub mod marketer;
pub mod people;
pub mod plant;
pub mod queue;
pub mod site;
pub mod storm;
pub mod trace;
pub mod wire;
pub mod world;
