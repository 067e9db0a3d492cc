//! A ResourceQuota: what of a rollout it counts, and what it leaves.

use prodtest_gate::Place;
use serde::{Deserialize, Serialize};

use prodtest_kube::Amount;

use crate::room::{Added, Amounts, Shape};

/// A ResourceQuota of the namespace, as it will be when the chart is deployed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Quota {
    pub(super) name: String,
    /// What there may be, by the names of [`named`].
    pub(super) hard: Amounts,
    pub(super) used: Amounts,
    /// Which pods it counts; all, where it is empty.
    pub(super) scopes: Vec<Scope>,
    /// Where the chart sets it, if it does.
    pub(super) place: Option<Place>,
}

/// Which pods a quota counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Scope {
    pub(super) name: String,
    pub(super) operator: String,
    pub(super) values: Vec<String>,
}

/// A quota that does not let all pods in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Short {
    /// It has not so much left.
    Left { resource: String, needed: Amount, left: Amount },
    /// It demands that each container says this.
    Unsaid { resource: String, workload: String, container: String },
}

/// `cpu` is `requests.cpu`, and so on: names of one thing.
/// <https://kubernetes.io/docs/concepts/policy/resource-quotas/#compute-resource-quota>
pub(super) fn named(amounts: Amounts) -> Amounts {
    let other = |name: String| match name.as_str() {
        "cpu" | "memory" | "ephemeral-storage" => format!("requests.{name}"),
        "count/pods" => "pods".to_owned(),
        _ => name,
    };
    amounts.into_iter().map(|(name, amount)| (other(name), amount)).collect()
}

/// What pods of this shape count under that name; none, where it counts something else than pods.
pub(super) fn counted(resource: &str, shape: &Shape) -> Option<Amount> {
    match resource.split_once('.') {
        _ if resource == "pods" => Some(Amount::whole(1)),
        Some(("requests", "storage")) => None,
        Some(("requests", name)) => Some(shape.requested(name)),
        Some(("limits", name)) => Some(shape.limited(name)),
        _ => None,
    }
}

impl Quota {
    /// Whether it counts pods of this shape; why that cannot be told, where it cannot.
    pub(super) fn counts(&self, shape: &Shape) -> Result<bool, String> {
        let mut all = true;
        for scope in &self.scopes {
            let class = shape.priority_class.as_deref();
            let listed = class.is_some_and(|class| scope.values.iter().any(|value| value == class));
            all &= match (scope.name.as_str(), scope.operator.as_str()) {
                ("Terminating", _) => shape.ends,
                ("NotTerminating", _) => !shape.ends,
                ("BestEffort", _) => shape.is_best_effort(),
                ("NotBestEffort", _) => !shape.is_best_effort(),
                ("PriorityClass", "In") => listed,
                ("PriorityClass", "NotIn") => !listed,
                ("PriorityClass", "Exists") => class.is_some(),
                ("PriorityClass", "DoesNotExist") => class.is_none(),
                (other, _) => {
                    return Err(format!("the quota `{}` has the scope `{other}`, which is not known here", self.name));
                }
            };
        }
        Ok(all)
    }

    /// What it does not let in of what a rollout adds.
    pub(super) fn short(&self, added: &[Added]) -> Result<Vec<Short>, String> {
        let mut counted_here = Vec::new();
        for one in added {
            if self.counts(&one.shape)? {
                counted_here.push(one);
            }
        }
        let mut short = Vec::new();
        for (resource, hard) in &self.hard {
            let each = |one: &&Added| counted(resource, &one.shape).map(|amount| amount.times(one.pods));
            let needed = counted_here.iter().filter_map(each).fold(Amount::default(), Amount::plus);
            let left = hard.minus(self.used.get(resource).copied().unwrap_or_default());
            if needed > Amount::default() && needed > left {
                let left = left.max(Amount::default());
                short.push(Short::Left { resource: resource.clone(), needed, left });
            }
            short.extend(counted_here.iter().filter_map(|one| unsaid(resource, one)));
        }
        Ok(short)
    }
}

/// The first container that does not say what a quota on that demands to be said.
/// <https://kubernetes.io/docs/concepts/policy/resource-quotas/#requests-vs-limits>
fn unsaid(resource: &str, added: &Added) -> Option<Short> {
    let (kind, name) = resource.split_once('.').filter(|(_, name)| matches!(*name, "cpu" | "memory"))?;
    let whole = if kind == "limits" { &added.shape.limits } else { &added.shape.requests };
    if whole.contains_key(name) {
        return None;
    }
    let silent = added.shape.containers.iter().find(|container| {
        let said = if kind == "limits" { &container.limits } else { &container.requests };
        !said.contains_key(name)
    })?;
    Some(Short::Unsaid {
        resource: resource.to_owned(),
        workload: added.workload.clone(),
        container: silent.name.clone(),
    })
}
