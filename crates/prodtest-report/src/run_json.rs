//! The run record as JSON, there and back.

use prodtest_gate::{CheckId, RunRecord, SCHEMA_VERSION};
use serde::{Deserialize as _, de::Error as _};
use serde_json::Value;

use crate::RenderError;

/// Why a text is no run record of ours.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// It is no JSON object with a schema version.
    #[error("not a run record")]
    NotARecord(#[source] serde_json::Error),
    /// It was written by a version of prodtest that this one does not understand.
    #[error(
        "a run record of schema version {found}, and this prodtest reads {SCHEMA_VERSION}: use the prodtest that wrote it"
    )]
    Version {
        /// The record's version.
        found: u32,
    },
    /// It has the right version and another shape.
    #[error("a run record of schema version {SCHEMA_VERSION} with a fault in it")]
    Shape(#[source] serde_json::Error),
    /// Its gate is no plain word, so no file could be named after it.
    #[error("a run record of a gate whose name is no lower-case word")]
    Gate,
}

/// The record as JSON, whole and exact: it is what a verdict is judged again from.
pub(crate) fn render(record: &RunRecord) -> Result<String, RenderError> {
    let mut json = serde_json::to_string_pretty(record)?;
    json.push('\n');
    Ok(escape_controls(json))
}

/// JSON leaves DEL and the C1 controls as they are, and a terminal obeys some of those.
fn escape_controls(json: String) -> String {
    let raw = |c: char| matches!(c, '\u{7f}'..='\u{9f}');
    if !json.contains(raw) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        // Outside of its texts JSON is ASCII, so every one of these is inside a text.
        if raw(c) { escaped.push_str(&format!("\\u{:04x}", u32::from(c))) } else { escaped.push(c) }
    }
    escaped
}

/// Reads a run record back, whole.
///
/// # Errors
/// As [`read`], and when its shape is another.
pub fn parse(json: &str) -> Result<RunRecord, ParseError> {
    RunRecord::deserialize(&read(json)?).map_err(ParseError::Shape)
}

/// Reads a run record back as a value, for those who need parts of it alone: the code that reads a whole one costs a
/// released binary dear.
///
/// # Errors
/// When the text is no run record, or one of a schema version that this version does not know.
pub fn read(json: &str) -> Result<Value, ParseError> {
    let value: Value = serde_json::from_str(json).map_err(ParseError::NotARecord)?;
    // The version first, so that a strange record is refused by it and not by its first strange field.
    let found = value.get("schema-version").and_then(Value::as_u64);
    let found =
        found.and_then(|found| u32::try_from(found).ok()).ok_or_else(|| ParseError::NotARecord(no_version()))?;
    if found != SCHEMA_VERSION {
        return Err(ParseError::Version { found });
    }
    if value["gate"].as_str().is_some_and(|gate| CheckId::new(gate, "verdict").is_err()) {
        return Err(ParseError::Gate);
    }
    Ok(value)
}

fn no_version() -> serde_json::Error {
    serde_json::Error::custom("missing field `schema-version`")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture;

    #[test]
    fn an_unknown_version_is_refused_by_its_number() {
        let json = render(&fixture::green()).unwrap();
        let newer = json.replacen("\"schema-version\": 1", "\"schema-version\": 2", 1);
        assert_eq!(
            parse(&newer).unwrap_err().to_string(),
            "a run record of schema version 2, and this prodtest reads 1: use the prodtest that wrote it"
        );
        let strange = "{\"schema-version\": 7, \"gates\": []}";
        assert!(matches!(parse(strange), Err(ParseError::Version { found: 7 })));
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for text in ["", "[]", "{}", "null", "schema-version: 1", "{\"schema-version\": \"1\"}"] {
            assert!(matches!(parse(text), Err(ParseError::NotARecord(_))), "{text}");
        }
        assert!(matches!(parse("{\"schema-version\": 1}"), Err(ParseError::Shape(_))));
        let climbing = render(&fixture::green()).unwrap().replacen("\"gate\": \"smoke\"", "\"gate\": \"../x\"", 1);
        assert!(matches!(parse(&climbing), Err(ParseError::Gate)));
    }

    proptest! {
        #[test]
        fn a_record_comes_back_as_it_was(text in fixture::any_text(), number in 0.0..1e12_f64) {
            let mut record = fixture::saying(&text);
            record.checks[0].duration_ms = number;
            let json = render(&record).unwrap();
            prop_assert_eq!(parse(&json).unwrap(), record);
        }
    }
}
