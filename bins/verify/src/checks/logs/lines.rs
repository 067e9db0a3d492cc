//! What the lines of a log say: pure.

use prodtest_gate::Redactor;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Ignored, Section};
use crate::{live::shortened, pattern::Pattern};

/// The levels that are errors when nobody says: as syslog, log4j, Python and tracing call them.
const LEVELS: [&str; 3] = ["error", "fatal", "critical"];
/// From here on a level that is a number is one: as pino and bunyan count them.
const LEVEL_NUMBER: f64 = 50.0;
/// What a line has that is an error and no JSON.
const WORDS: [&str; 6] = ["error", "fatal", "critical", "panic", "panicked", "exception"];
/// How many lines of each kind are kept.
const SAMPLES: usize = 3;
/// What is longer is cut.
const LONGEST: usize = 300;

/// How the service writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Language {
    level: String,
    levels: Vec<String>,
    pub(super) correlation_id: Option<String>,
    request: Option<String>,
    error: Option<Pattern>,
    ignore: Vec<Ignored>,
}

/// What was in a log.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Lines {
    pub(super) lines: u32,
    pub(super) errors: Kept,
    pub(super) unstructured: Kept,
    pub(super) without_level: Kept,
    /// About requests, without a correlation id.
    pub(super) without_id: Kept,
    pub(super) with_id: u32,
    pub(super) ignored: u32,
}

/// Lines of one kind: how many, and the first of them.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Kept {
    pub(super) count: u32,
    pub(super) samples: Vec<String>,
}

impl Kept {
    fn add(&mut self, line: &str, redactor: Option<&Redactor>) {
        self.count += 1;
        if self.samples.len() < SAMPLES {
            // First what is secret, then what is long: half a secret is known by nobody.
            self.samples.extend(redactor.map(|redactor| shortened(&redactor.text(line), LONGEST)));
        }
    }
}

impl Language {
    pub(super) fn new(section: &Section) -> Self {
        let levels = section.levels.clone().unwrap_or_else(|| LEVELS.map(str::to_owned).to_vec());
        Self {
            level: section.fields.level.clone().unwrap_or_else(|| "level".to_owned()),
            levels: levels.iter().map(|level| level.to_lowercase()).collect(),
            correlation_id: section.fields.correlation_id.clone(),
            request: section.fields.request.clone(),
            error: section.error.clone(),
            ignore: section.ignore.clone(),
        }
    }

    /// Reads a log. Without a redactor no line is kept.
    pub(super) fn read(&self, text: &str, redactor: Option<&Redactor>) -> Lines {
        let mut seen = Lines::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            seen.lines += 1;
            if self.ignore.iter().any(|it| it.r#match.is_in(line)) {
                seen.ignored += 1;
                continue;
            }
            match serde_json::from_str(line) {
                Ok(Value::Object(fields)) => self.structured(line, &fields, redactor, &mut seen),
                _ => {
                    seen.unstructured.add(line, redactor);
                    if self.is_error(line) {
                        seen.errors.add(line, redactor);
                    }
                }
            }
        }
        seen
    }

    fn structured(&self, line: &str, fields: &Map<String, Value>, redactor: Option<&Redactor>, seen: &mut Lines) {
        let is_error = match fields.get(&self.level) {
            Some(Value::String(level)) => self.levels.contains(&level.to_lowercase()),
            Some(Value::Number(level)) => level.as_f64().is_some_and(|level| level >= LEVEL_NUMBER),
            _ => {
                seen.without_level.add(line, redactor);
                false
            }
        };
        if is_error {
            seen.errors.add(line, redactor);
        }
        let has = |name: &Option<String>| {
            let value = name.as_ref().and_then(|name| fields.get(name));
            value.is_some_and(|value| !value.is_null() && value != "")
        };
        if has(&self.correlation_id) {
            seen.with_id += 1;
        } else if self.correlation_id.is_some() && has(&self.request) {
            seen.without_id.add(line, redactor);
        }
    }

    /// Whether a line that is no JSON is an error.
    fn is_error(&self, line: &str) -> bool {
        match &self.error {
            Some(pattern) => pattern.is_in(line),
            None => {
                let mut words = line.split(|it: char| !it.is_ascii_alphabetic()).map(str::to_lowercase);
                words.any(|word| WORDS.contains(&word.as_str()))
            }
        }
    }

    /// A line of the level of an error.
    pub(super) fn planted(&self) -> String {
        let level = self.levels.first().map_or("error", String::as_str);
        Value::Object(Map::from_iter([(self.level.clone(), Value::from(level))])).to_string()
    }
}
