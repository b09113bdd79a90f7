//! The rules of the tree, as tests: what may name what, what a module must be, what a document
//! must say.
//!
//! They read files as text and know nothing of what the code does. A rule that a reviewer has said
//! twice belongs here.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on panics; clippy sees helpers of a test as no test"
)]

/// The files of the tree, and Rust without its comments and texts.
mod files;

/// The worker runs downhill.
mod circles;
/// Rules for modules.
mod code;
/// Which crate may name which.
mod dependencies;
/// Rules for documents: links, and the names that they share with the code.
mod documents;
/// What is built once and serves all.
mod features;
/// What documents say of the code.
mod statements;
/// Rules for the deployment template.
mod template;
