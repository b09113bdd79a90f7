//! The commands about a deployment rather than its events: [`doctor`] looks at everything that it
//! needs, [`properties`] makes and checks the definitions in HubSpot, [`quota`] reads the limits.
//!
//! **Invariant**: nothing here touches a contact or a message.

pub mod doctor;
pub mod properties;
pub mod quota;
