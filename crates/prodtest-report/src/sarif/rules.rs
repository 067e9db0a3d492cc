//! The rules of a SARIF run: one for each check that has a finding.

use std::collections::BTreeMap;

use prodtest_gate::{Check, CheckId, Finding, RunRecord, Severity};
use serde_json::json;
use serde_sarif::sarif::{
    MultiformatMessageString, PropertyBag, ReportingConfiguration, ReportingDescriptor, ResultLevel,
};

use super::HOME;
use crate::text;

/// GitHub takes 20, and ten are already more than anybody filters by.
const MAX_TAGS: usize = 10;

/// The rules that have a result, in the order in which they are first met.
#[derive(Default)]
pub(super) struct Rules {
    positions: BTreeMap<CheckId, i64>,
    pub(super) descriptors: Vec<ReportingDescriptor>,
}

impl Rules {
    /// The place of the finding's rule among the rules, where it is put if it is not there yet.
    pub(super) fn index(&mut self, record: &RunRecord, finding: &Finding) -> i64 {
        if let Some(index) = self.positions.get(&finding.check) {
            return *index;
        }
        let index = self.descriptors.len() as i64;
        let check = record.check(&finding.check).map(|check| &check.check);
        self.descriptors.push(rule(finding, check));
        self.positions.insert(finding.check.clone(), index);
        index
    }
}

fn rule(finding: &Finding, check: Option<&Check>) -> ReportingDescriptor {
    let id = &finding.check;
    let uri = format!("{HOME}/blob/main/docs/checks/{}/{}.md", id.gate(), id.name());
    let title = check.map_or_else(|| id.to_string(), |check| text::line(&check.title));
    let severity = check.map_or(finding.severity, |check| check.severity);
    let mut tags = vec!["prodtest".to_owned(), id.gate().to_owned()];
    tags.extend(check.iter().flat_map(|check| &check.requirements).map(|requirement| text::line(requirement)));
    tags.dedup();
    tags.truncate(MAX_TAGS);
    let problem = BTreeMap::from([("problem.severity".to_owned(), json!(problem_severity(severity)))]);
    ReportingDescriptor {
        name: Some(id.name().to_owned()),
        short_description: Some(message_string(&title)),
        full_description: Some(message_string(&title)),
        help: Some(MultiformatMessageString {
            markdown: Some(format!("[What `{id}` looks at, why, and what to do]({uri})")),
            text: format!("What {id} looks at, why, and what to do: {uri}"),
            properties: None,
        }),
        help_uri: Some(uri),
        default_configuration: Some(ReportingConfiguration {
            level: Some(json!(level(severity))),
            ..ReportingConfiguration::default()
        }),
        properties: Some(PropertyBag { tags: Some(tags), additional_properties: problem }),
        ..ReportingDescriptor::builder().id(id.as_str()).build()
    }
}

pub(super) fn message_string(text: &str) -> MultiformatMessageString {
    MultiformatMessageString { text: text::line(text), markdown: None, properties: None }
}

pub(super) const fn level(severity: Severity) -> ResultLevel {
    match severity {
        Severity::Low => ResultLevel::Note,
        Severity::Medium => ResultLevel::Warning,
        Severity::High | Severity::Critical => ResultLevel::Error,
    }
}

/// What GitHub sorts by where a rule says nothing of security.
const fn problem_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "recommendation",
        Severity::Medium => "warning",
        Severity::High | Severity::Critical => "error",
    }
}
