//! The version that a service answers with: asked several times, for a replica that was left behind answers some of
//! them.

use std::{collections::BTreeMap, time::Duration};

use prodtest_http::{Client, Exchange, Request};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

/// The longest version that is kept.
const LONGEST: usize = 128;
/// How much of an answer is read.
const LARGEST: u64 = 1 << 20;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Where.
    pub url: Url,
    /// The field of the JSON that comes back: `version`, `$.build.version`.
    pub field: String,
    /// How often, each on a connection of its own.
    pub times: u32,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VersionFacts {
    /// Where it was asked.
    pub url: String,
    /// In which field.
    pub field: String,
    /// Each answer.
    pub answers: Vec<Answer>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Answer {
    /// A version.
    Version {
        /// It.
        version: String,
    },
    /// An answer without one.
    Without {
        /// Why there is none.
        why: String,
    },
    /// No answer.
    None {
        /// Why.
        why: String,
    },
}

/// Asks. Never fails: what does not come back is a fact.
pub async fn ask(client: &Client, ask: &Ask) -> VersionFacts {
    let mut answers = Vec::new();
    for _ in 0..ask.times {
        let request = Request {
            method: "GET".to_owned(),
            url: ask.url.clone(),
            // On a kept connection the same replica would answer every time.
            headers: vec![("connection".to_owned(), "close".to_owned())],
            body: None,
            timeout: ask.timeout,
            max_body: LARGEST,
        };
        answers.push(answer(&client.send(request).await, &ask.field));
    }
    VersionFacts { url: ask.url.to_string(), field: ask.field.clone(), answers }
}

fn answer(exchange: &Exchange, field: &str) -> Answer {
    if let Some(failure) = &exchange.failure {
        return Answer::None { why: failure.message.clone() };
    }
    let Some(response) = &exchange.response else { return Answer::None { why: "nothing came".to_owned() } };
    let without = |why: String| Answer::Without { why };
    if !(200..300).contains(&response.status) {
        return without(format!("it answered {}", response.status));
    }
    let Ok(body) = serde_json::from_str::<Value>(&response.body.text) else {
        return without("it answered something that is no JSON".to_owned());
    };
    match at(&body, field) {
        Some(Value::String(version)) if !version.is_empty() => {
            Answer::Version { version: version.chars().take(LONGEST).collect() }
        }
        Some(Value::Number(version)) => Answer::Version { version: version.to_string() },
        Some(_) => without(format!("its field `{field}` is no version")),
        None => without(format!("it has no field `{field}`")),
    }
}

fn at<'a>(body: &'a Value, field: &str) -> Option<&'a Value> {
    let field = field.strip_prefix('$').map_or(field, |rest| rest.strip_prefix('.').unwrap_or(rest));
    field.split('.').filter(|name| !name.is_empty()).try_fold(body, |value, name| value.get(name))
}

/// What is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionMismatch {
    /// Some answers, or all, are of another version.
    #[error("{count} of {of} answers are of version `{version}`")]
    Other {
        /// Which.
        version: String,
        /// How many.
        count: usize,
        /// Of how many.
        of: usize,
    },
    /// Some answers, or all, have no version.
    #[error("{count} of {of} answers have no version: {why}")]
    Without {
        /// Why.
        why: String,
        /// How many.
        count: usize,
        /// Of how many.
        of: usize,
    },
    /// Some requests, or all, were not answered.
    #[error("{count} of {of} requests were not answered: {why}")]
    Unanswered {
        /// Why.
        why: String,
        /// How many.
        count: usize,
        /// Of how many.
        of: usize,
    },
    /// It was not asked at all.
    #[error("the service was not asked for its version")]
    NotAsked,
}

/// Every answer that is not of the version, those alike taken together. Pure.
#[must_use]
pub fn judge_version(expected: &str, facts: &VersionFacts) -> Vec<VersionMismatch> {
    let of = facts.answers.len();
    if of == 0 {
        return vec![VersionMismatch::NotAsked];
    }
    let mut others: BTreeMap<(u8, &str), usize> = BTreeMap::new();
    for answer in &facts.answers {
        let key = match answer {
            Answer::Version { version } if version == expected => continue,
            Answer::Version { version } => (0, version.as_str()),
            Answer::Without { why } => (1, why.as_str()),
            Answer::None { why } => (2, why.as_str()),
        };
        *others.entry(key).or_default() += 1;
    }
    let mismatch = |((kind, text), count): ((u8, &str), usize)| {
        let text = text.to_owned();
        match kind {
            0 => VersionMismatch::Other { version: text, count, of },
            1 => VersionMismatch::Without { why: text, count, of },
            _ => VersionMismatch::Unanswered { why: text, count, of },
        }
    };
    others.into_iter().map(mismatch).collect()
}

#[cfg(test)]
mod tests;
