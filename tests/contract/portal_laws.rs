//! The laws of the HubSpot simulator, each one run over both of its doors.
//!
//! They follow the table in `docs/portal.md`: a row that can be seen from outside has a law that
//! is named after it. Time is virtual behind either door, sockets included.

/// Batches: who is written, who is refused, who vanishes without a word.
mod batches;
/// A portal with a door and a clock, and the words the laws are told in.
mod bench;
/// Properties and groups.
mod definitions;
/// Faults, and unknown outcomes.
mod faults;
/// Requests that no client would send.
mod junk;
/// What a restart keeps, and what a seed fixes.
mod keeping;
/// Bursts, days and searches.
mod limits;
/// Single records: shapes, addresses, ends.
mod records;
