//! Looking: all checks side by side, each within its deadline.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use prodtest_gate::{Outcome, Progress, Redactor, Run};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::{CheckPlan, Entry, Means, Plan, Seeing, Survey, Unseen};

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Facts {
    /// Why the cluster could not be asked, where it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<Unseen>,
    /// What each check saw, by name; a check is missing that did not come to look.
    pub seen: BTreeMap<String, Seen>,
}

/// What one check saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Seen {
    /// Its facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Value>,
    /// Why it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<Unseen>,
    /// How long it looked.
    pub took_ms: u64,
}

/// Looks at everything, side by side. Without a cluster only those look that have something to say of that.
pub async fn observe<S: Survey>(plan: &Plan<S::Site>, means: &Means<S::Own>, run: &Run) -> Facts {
    let unreachable = means.cluster().err();
    let looking = S::CHECKS.iter().filter_map(|entry| {
        let check = plan.checks.get(entry.name).filter(|check| check.left_out.is_none())?;
        let target = check.target.as_ref()?;
        (unreachable.is_none() || entry.without_cluster).then(|| look(entry, target, check, plan, means, run))
    });
    let seen = join_all(looking).await.into_iter().flatten().collect();
    let facts = Facts { unreachable, seen };
    redacted(facts, means.values())
}

/// What one check saw; none when the run ended first.
pub(crate) async fn look<S: Survey>(
    entry: &Entry<S>,
    target: &Value,
    check: &CheckPlan,
    plan: &Plan<S::Site>,
    means: &Means<S::Own>,
    run: &Run,
) -> Option<(String, Seen)> {
    let id = entry.id();
    run.report(Progress::Started(id.clone()));
    let begin = Instant::now();
    let seeing = Seeing { site: &plan.site, means, run, id: &id };
    let looking = timeout(plan.deadline.0, (entry.observe)(&seeing, target));
    let looked = run.unless_stopped(looking).await.ok()?;
    let late = || format!("it could not be told within {} s", plan.deadline.0.as_secs_f64());
    let looked = looked.unwrap_or_else(|_| Err(Unseen::new(late())));
    let took_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    let outcome = looked.as_ref().ok().and_then(|facts| (entry.judge)(&id, target, &check.limits, facts).ok());
    run.report(Progress::Finished(id.clone(), outcome.map_or(Outcome::Undetermined, |judged| judged.outcome)));
    let (facts, unseen) = match looked {
        Ok(facts) => (Some(facts), None),
        Err(unseen) => (None, Some(unseen)),
    };
    Some((entry.name.to_owned(), Seen { facts, unseen, took_ms }))
}

/// Facts without secrets, whoever quoted them.
fn redacted<'a>(facts: Facts, secrets: impl Iterator<Item = &'a str>) -> Facts {
    let redactor = Redactor::new(secrets);
    let clean = |unseen: Unseen| Unseen {
        message: redactor.text(&unseen.message),
        hint: unseen.hint.map(|hint| redactor.text(&hint)),
    };
    let seen = facts.seen.into_iter().map(|(name, seen)| {
        let Seen { facts, unseen, took_ms } = seen;
        (name, Seen { facts: facts.map(|facts| redactor.json(facts)), unseen: unseen.map(clean), took_ms })
    });
    Facts { unreachable: facts.unreachable.map(clean), seen: seen.collect() }
}
