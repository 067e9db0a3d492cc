//! What the smoke gate will do in this run, with everything resolved but the secrets.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use prodtest_cli::ClusterTarget;
use prodtest_config::{BaseUrl, Located, SecretRef};
use prodtest_gate::{Check, CheckId, Limit, Rule};
use serde::{Deserialize, Serialize};

use crate::{
    facts::Facts,
    scenario::{HeaderValue, Scenario, Step},
    section::Suite,
    suite,
};

/// The plan of one run; kept in the run record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Plan {
    /// The folder of `prodtest.yaml`, in which suites run.
    pub(crate) folder: PathBuf,
    /// Where the service is; paths of scenarios are relative to it.
    pub(crate) url: BaseUrl,
    /// Where to connect instead, as host and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connect: Option<(String, u16)>,
    /// The authority that the certificate must come from, instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// The cluster that is asked for secrets that are in it.
    #[serde(default, skip_serializing_if = "ClusterTarget::is_unsaid")]
    pub(crate) cluster: ClusterTarget,
    /// How many days the certificate must still last where the scenario does not say.
    pub(crate) min_days: u32,
    /// What was deployed, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expected_version: Option<String>,
    /// Who can ask: the environment's `auth` as `default`, and its `identities`.
    pub(crate) identities: BTreeMap<String, Asker>,
    /// The scenarios.
    pub(crate) scenarios: Vec<Planned<Located<Scenario>>>,
    /// The test suites.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) suites: Vec<Planned<Located<Suite>>>,
}

/// Who asks: a header with a secret, by reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Asker {
    /// The header.
    pub(crate) header: String,
    /// Where the secret is.
    pub(crate) secret: Located<SecretRef>,
    /// Whether what needs it is skipped where its secret is not set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) optional: bool,
    /// Why what needs it is skipped, if that is known before the run: it is optional, and not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unset: Option<String>,
}

/// A part of the plan, and why it is left out, if it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Planned<T> {
    /// The part.
    pub(crate) part: T,
    /// Why it does not apply in this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) left_out: Option<String>,
}

/// The id of a scenario's or suite's check. The loader has seen to it that the name is one.
pub(crate) fn id(name: &str) -> CheckId {
    CheckId::new("smoke", name).or_else(|_| CheckId::new("smoke", &CheckId::slug(name))).unwrap_or_else(|_| unnamed())
}

/// Why what an optional identity asks is skipped.
pub(crate) fn no_secret(name: &str, secret: &SecretRef) -> String {
    format!("the optional identity `{name}` has no secret: {secret} is not set")
}

fn unnamed() -> CheckId {
    #[expect(clippy::unwrap_used, reason = "a literal that the unit tests parse")]
    "smoke/unnamed".parse().unwrap()
}

impl Plan {
    /// Why it leaves out the scenario or suite of that name, if it does.
    pub(crate) fn left_out(&self, name: &str) -> Option<String> {
        let scenarios = self.scenarios.iter().map(|planned| (&planned.part.value.id.value, &planned.left_out));
        let suites = self.suites.iter().map(|planned| (&planned.part.value.name.value, &planned.left_out));
        scenarios.chain(suites).find(|(known, _)| *known == name).and_then(|(_, reason)| reason.clone())
    }

    /// The secrets that a scenario is asked with, and whether it may be skipped where they are not set.
    pub(crate) fn secrets_of(&self, scenario: &Scenario) -> impl Iterator<Item = (Located<SecretRef>, bool)> {
        scenario.steps.iter().chain(&scenario.always).flat_map(|step| {
            let asker = step.value.identity.as_ref().and_then(|name| self.identities.get(&name.value));
            let headers = step.value.headers.iter().filter_map(|(_, header)| match &header.value {
                HeaderValue::Secret(secret) => Some((Located::new(secret.clone(), header.place.clone()), false)),
                HeaderValue::Text(_) => None,
            });
            asker.map(|asker| (asker.secret.clone(), asker.optional)).into_iter().chain(headers)
        })
    }

    /// The scenarios that apply in this run.
    pub(crate) fn included(&self) -> impl Iterator<Item = &Scenario> {
        let included = self.scenarios.iter().filter(|planned| planned.left_out.is_none());
        included.map(|planned| &planned.part.value)
    }

    /// What must be allowed to whoever runs it: to read the Secrets that it names.
    pub(crate) fn rbac(&self) -> Vec<Rule> {
        let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (reference, _) in self.included().flat_map(|scenario| self.secrets_of(scenario)) {
            if let SecretRef::Kubernetes(place) = reference.value {
                names.entry(place.namespace.unwrap_or_default()).or_default().insert(place.secret);
            }
        }
        names.into_iter().map(|(namespace, names)| Rule::get_secrets(&namespace, names)).collect()
    }

    /// The checks of the plan and, once there are facts, of the suites' cases.
    pub(crate) fn checks(&self, facts: Option<&Facts>) -> Vec<Check> {
        let scenarios = self.scenarios.iter().map(|planned| {
            let mut check = scenario_check(&planned.part, self.min_days);
            let unset = || facts?.unset(self, &planned.part.value);
            check.left_out = planned.left_out.clone().or_else(unset);
            check
        });
        let suites = self.suites.iter().flat_map(|planned| {
            let mut check = suite::check(&planned.part);
            check.left_out.clone_from(&planned.left_out);
            let facts =
                facts.and_then(|facts| facts.suites.iter().find(|suite| suite.name == planned.part.value.name.value));
            let cases = facts.map(|facts| suite::case_checks(&planned.part, facts)).unwrap_or_default();
            std::iter::once(check).chain(cases)
        });
        scenarios.chain(suites).collect()
    }
}

fn scenario_check(scenario: &Located<Scenario>, min_days: u32) -> Check {
    let Scenario { id: name, title, why, help, severity, needs, tags, requirements, steps, .. } = &scenario.value;
    Check {
        why: why.clone(),
        help: help.clone(),
        severity: *severity,
        needs: needs.iter().map(|need| id(&need.value)).collect(),
        limits: steps.iter().flat_map(|step| limits(&step.value, min_days)).collect(),
        tags: tags.clone(),
        requirements: requirements.clone(),
        place: Some(name.place.clone()),
        ..Check::new(id(&name.value), title)
    }
}

fn limits(step: &Step, min_days: u32) -> Vec<Limit> {
    let mut limits = Vec::new();
    let mut add = |what: &str, value: String| limits.push(Limit { name: format!("{}: {what}", step.name), value });
    if let Some(certificate) = &step.certificate {
        add("lasts", format!("{} days", certificate.min_days.unwrap_or(min_days)));
    }
    if step.request.is_some() {
        add("status", step.expect.status().to_string());
    }
    if let Some(within) = &step.expect.within {
        add("within", within.value.to_string());
    }
    if let Some(until) = &step.until {
        let tries = until.value.attempts.map(|attempts| format!("{attempts} tries"));
        let time = until.value.within.as_ref().map(ToString::to_string);
        add(
            "until",
            [tries, time].into_iter().flatten().collect::<Vec<_>>().join(" or ")
                + ", every "
                + &until.value.every.to_string(),
        );
    }
    if let Some(burst) = &step.burst {
        add("requests", format!("{}, {} at once", burst.value.requests, burst.value.at_once()));
    }
    limits
}

#[cfg(test)]
mod tests;
