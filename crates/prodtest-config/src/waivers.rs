//! Waivers, in the configuration or in a file of their own.

use std::sync::Arc;

use jiff::civil::Date;
use prodtest_gate::{CheckId, Waiver, WaiverTarget};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use crate::{
    ConfigError, FilePath, GATES, Located, Node, Source,
    nearest::{listed, nearest},
    node::Kind,
};

/// A named person's reasoned exception to one check or finding. Once it has expired, the gate fails.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "A waiver")]
pub(crate) struct WaiverEntry {
    /// The check that is excused, whatever it finds: `smoke/auth-required`.
    check: Option<Located<CheckId>>,
    /// The finding that is excused, by its fingerprint, which every report gives.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    finding: Option<Located<String>>,
    /// Why.
    #[schemars(length(min = 1))]
    reason: Located<String>,
    /// Who answers for it.
    #[schemars(length(min = 1))]
    owner: Located<String>,
    /// The last day on which it holds (UTC), `2026-12-31`.
    #[schemars(with = "String", regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    expires: Located<Day>,
}

/// A day, written as in the schema; the library would also take times and zones.
#[derive(Clone, Copy, Debug)]
struct Day(Date);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let day = text.parse().ok().filter(|day: &Date| day.to_string() == text).map(Self);
        day.ok_or_else(|| de::Error::custom(format!("`{text}` is not a day\nhint: write it as `2026-12-31`")))
    }
}

/// The waivers under a key, and the file they were read from, if it is another.
pub(crate) fn read(node: &Node) -> Result<(Vec<Waiver>, Option<Arc<Source>>), ConfigError> {
    match &node.kind {
        Kind::Null => Ok((Vec::new(), None)),
        Kind::List(_) => Ok((list(node)?, None)),
        Kind::Text(_) => {
            let path: FilePath = node.read()?;
            let source = Source::read(path.as_ref())
                .map_err(|error| if error.place().is_some() { error } else { node.error(error.message()) })?;
            let file = Node::of(&source)?;
            Ok((list(&file)?, Some(source)))
        }
        _ => {
            Err(node.error(format!("expected a list of waivers, or the path of a file with one, seen {}", node.seen())))
        }
    }
}

fn list(node: &Node) -> Result<Vec<Waiver>, ConfigError> {
    if !matches!(node.kind, Kind::List(_)) {
        return Err(node.error(format!("expected a list of waivers, seen {}", node.seen())));
    }
    node.items().map(waiver).collect()
}

fn waiver(node: &Node) -> Result<Waiver, ConfigError> {
    let WaiverEntry { check, finding, reason, owner, expires } = node.read()?;
    let error = |place: &prodtest_gate::Place, message: &str| node.error(message).at(place.clone());
    let target = match (check, finding) {
        (Some(check), None) => {
            if !GATES.contains(&check.gate()) {
                let error = error(&check.place, &format!("there is no gate `{}`", check.gate()));
                return Err(match nearest(check.gate(), GATES.into_iter()) {
                    Some(near) => error.with_hint(format!("did you mean `{near}/{}`?", check.name())),
                    None => error.with_hint(format!("the gates are {}", listed(&GATES))),
                });
            }
            WaiverTarget::Check(check.value)
        }
        (None, Some(finding)) => {
            let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            if finding.len() != 64 || !finding.bytes().all(is_digit) {
                let error = error(&finding.place, "expected a fingerprint: 64 digits of 0 to 9 and a to f");
                return Err(error.with_hint("copy it from a report: each finding has one"));
            }
            WaiverTarget::Finding(finding.value)
        }
        (None, None) => {
            return Err(node
                .error("a waiver without a target")
                .with_hint("add `check: GATE/NAME` or `finding: FINGERPRINT`"));
        }
        (Some(_), Some(finding)) => {
            let error = error(&finding.place, "a waiver with two targets");
            return Err(error.with_hint("keep `check` or `finding`, and write another waiver for the other"));
        }
    };
    for (text, what) in [(&reason, "why it is excused"), (&owner, "who answers for it")] {
        if text.trim().is_empty() {
            return Err(error(&text.place, &format!("expected {what}, seen an empty text")));
        }
    }
    let (reason, owner) = (reason.value.trim().to_owned(), owner.value.trim().to_owned());
    Ok(Waiver { target, reason, owner, expires: expires.value.0, place: node.place() })
}

/// Those that one gate can use: for its own checks, and for findings, whose fingerprints do not name a gate.
pub(crate) fn of_gate(waivers: Vec<Waiver>, gate: &str) -> Vec<Waiver> {
    let is_its = |waiver: &Waiver| match &waiver.target {
        WaiverTarget::Check(check) => check.gate() == gate,
        WaiverTarget::Finding(_) => true,
    };
    waivers.into_iter().filter(is_its).collect()
}

#[cfg(test)]
mod tests;
