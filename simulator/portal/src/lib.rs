//! What a simulated HubSpot account holds, and the rules that bind whoever calls it.
//!
//! | module | what it has |
//! |---|---|
//! | [`store`], [`values`] | the contacts, and which text a value becomes |
//! | [`definitions`], [`events`] | properties and groups; custom events |
//! | [`settings`], [`limits`] | the switches; the budgets of calls |
//! | [`faults`], [`chance`] | what goes wrong, and the seed that decides what is open |
//! | [`world`], [`rows`] | all of it as one value, and as the rows that outlive a process |
//!
//! HubSpot's calls are a layer above, in `simulator`: this package sees no request and writes no
//! answer.
//!
//! **Invariant**: every change goes through [`world::World`], which marks the row that must be kept.

pub mod chance;
pub mod definitions;
pub mod events;
pub mod faults;
pub mod limits;
pub mod rows;
pub mod settings;
pub mod store;
pub mod values;
pub mod version;
pub mod world;
