//! Metrics: what the alarms and the dashboard of the template look at is really written by the
//! compiled functions, and each alarm goes off in its incident and not on a calm day.
//!
//! The template is read as it is deployed. CloudWatch is played by [`tests::metrics`].

/// What the compiled functions write.
mod emitted;
/// Which alarms go off in which incident.
mod incidents;
