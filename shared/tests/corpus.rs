//! The corpus of the fuzz targets, input by input, on a stable compiler: what a fuzzer once found
//! stays found.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a law that is broken panics")]

use std::fs;

#[allow(unreachable_pub, reason = "it is a library of its own beside")]
#[path = "../../fuzz/src/lib.rs"]
mod laws;

/// The inputs of one target.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = format!("{}/../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let inputs =
        fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    let inputs: Vec<_> = inputs.collect();
    assert!(!inputs.is_empty(), "nothing is held against the laws");
    inputs
}

/// Those that are text, as the fuzz targets that take a text skip the others.
fn texts(target: &str) -> Vec<String> {
    corpus(target).into_iter().filter_map(|input| String::from_utf8(input).ok()).collect()
}

#[test]
fn every_submission_of_the_corpus_keeps_the_laws() {
    corpus("submission").iter().for_each(|body| laws::submission(body));
}

#[test]
fn every_state_of_the_corpus_keeps_the_laws() {
    texts("state").iter().for_each(|text| laws::state(text));
}

#[test]
fn every_envelope_of_the_corpus_keeps_the_laws() {
    texts("envelope").iter().for_each(|body| laws::envelope(body));
}
