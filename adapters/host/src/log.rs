//! A line of the journal as JSON: one object, no line break in it.
//!
//! The order of the keys is for people: when, how bad, what, where; then the fields by name.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use shared::journal::{Line, LogLevel};

/// Where a line comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `APP_STAGE`.
    pub stage: String,
    /// The binary, or the part of the local stack: `ingest`, `worker`, `reader`.
    pub function: &'static str,
}

#[derive(Serialize)]
struct Wire<'a> {
    timestamp: String,
    level: &'static str,
    message: &'a str,
    stage: &'a str,
    function: &'static str,
    #[serde(flatten)]
    fields: &'a BTreeMap<&'static str, Value>,
}

/// The line's text, without a line break at its end.
pub fn text(line: &Line, origin: &Origin, now: DateTime<Utc>) -> String {
    let wire = Wire {
        timestamp: shared::state::instant(now),
        level: word(line.level),
        message: &line.message,
        stage: &origin.stage,
        function: origin.function,
        fields: &line.fields,
    };
    // Texts, numbers and maps with text keys always serialize.
    serde_json::to_string(&wire).unwrap_or_default()
}

fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_object_on_one_line() {
        let line = Line::new(LogLevel::Warn, "a \"message\"\nof two lines")
            .with("wait_ms", 12)
            .with("share", 0.5);
        let origin = Origin { stage: "prod".into(), function: "ingest" };
        let now = "2026-11-24T20:00:00.5Z".parse().unwrap();
        assert_eq!(
            text(&line, &origin, now),
            r#"{"timestamp":"2026-11-24T20:00:00.500Z","level":"warn","message":"a \"message\"\nof two lines","stage":"prod","function":"ingest","share":0.5,"wait_ms":12}"#
        );
    }
}
