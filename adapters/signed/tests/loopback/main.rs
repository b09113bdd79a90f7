//! Signed calls through the public door, against a server on loopback that plays AWS.

mod calls;
mod parameters;
mod world;
