//! From configuration and flags to a plan; of a record, its plan under today's limits.

use std::{collections::BTreeMap, time::Duration};

use prodtest_cli::{Input, Refusal};
use prodtest_config::Period;
use prodtest_gate::Rule;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Asked, Survey, Target};

/// The plan of a gate of inspections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan<Site> {
    /// What all checks look at.
    pub site: Site,
    /// How long each check may look.
    pub deadline: Period,
    /// The checks, by name.
    pub checks: BTreeMap<String, CheckPlan>,
}

/// What one check will do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckPlan {
    /// Where it looks; none, where it does not apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Value>,
    /// Why it does not apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nowhere: Option<String>,
    /// What it holds that against.
    #[serde(default)]
    pub limits: Value,
    /// Why the selection leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

impl<Site> Plan<Site> {
    /// How long the whole may take when nobody says: finding the cluster, then all checks side by side.
    #[must_use]
    pub fn whole(&self) -> Duration {
        self.deadline.0 * 2
    }
}

/// The plan, as configuration and flags have it; of a recorded run, as it was, under today's limits. `site` is not asked
/// then.
///
/// # Errors
/// When they cannot be as meant.
pub fn plan<S: Survey>(
    input: &Input<'_, S::Flags>,
    section: &S::Section,
    deadline: Period,
    site: impl FnOnce() -> Result<S::Site, Refusal>,
) -> Result<Plan<S::Site>, Refusal> {
    let recorded: Option<Plan<S::Site>> = input.recorded.map(recorded).transpose()?;
    let (site, mut before) = match recorded {
        Some(plan) => (plan.site, Some(plan.checks)),
        None => (site()?, None),
    };
    let asked = Asked { input, section, site: &site };
    let mut checks = BTreeMap::new();
    for entry in S::CHECKS {
        let before = before.as_mut().map(|before| before.remove(entry.name));
        let mut check = match before {
            // It was not made then: its facts are not there either.
            Some(None) => continue,
            Some(Some(check)) => check,
            None => match (entry.target)(&asked)? {
                Target::At(target) => CheckPlan { target: Some(target), ..CheckPlan::default() },
                Target::Nowhere(why) => CheckPlan { nowhere: Some(why), ..CheckPlan::default() },
            },
        };
        check.limits = (entry.limits)(&asked)?;
        check.left_out = check.left_out.or_else(|| input.selection.left_out(&entry.id(), &[]));
        checks.insert(entry.name.to_owned(), check);
    }
    Ok(Plan { site, deadline, checks })
}

fn recorded<P: DeserializeOwned>(value: &Value) -> Result<P, Refusal> {
    P::deserialize(value)
        .map_err(|error| Refusal::usage(format!("the record's plan cannot be read by this version: {error}")))
}

/// What whoever runs this plan must be allowed to do in the cluster, each rule once.
pub fn rules<S: Survey>(plan: &Plan<S::Site>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for entry in S::CHECKS {
        let Some(check) = plan.checks.get(entry.name).filter(|check| check.left_out.is_none()) else { continue };
        let Some(target) = &check.target else { continue };
        for rule in (entry.rules)(&plan.site, target).unwrap_or_default() {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
    }
    rules
}
