//! What pods take: of a container, and of a pod as the scheduler and a quota count it.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Container as Written, PodSpec},
    apimachinery::pkg::api::resource::Quantity,
};
use serde::{Deserialize, Serialize};

use prodtest_kube::Amount;

/// Amounts by resource: `cpu`, `memory`, and what else there is.
pub(crate) type Amounts = BTreeMap<String, Amount>;

/// When a container runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    /// Before the others, by itself.
    Init,
    /// From then on.
    Sidecar,
    /// Beside the others.
    Main,
}

/// A container, as far as it takes something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) stage: Stage,
    pub(crate) requests: Amounts,
    pub(crate) limits: Amounts,
}

/// A pod, as far as it takes something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Shape {
    /// In the order in which they are written, those that come first before the others.
    pub(crate) containers: Vec<Container>,
    /// What the pod asks for as a whole, instead of the sum.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) requests: Amounts,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) limits: Amounts,
    /// What running it takes beside its containers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) overhead: Amounts,
    /// Whether it has an end, `activeDeadlineSeconds`.
    pub(crate) ends: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) priority_class: Option<String>,
}

impl Shape {
    /// Of a pod that runs or would.
    ///
    /// # Errors
    /// When an amount is none.
    pub(crate) fn of(spec: &PodSpec) -> Result<Self, String> {
        let mut containers = Vec::new();
        for container in spec.init_containers.iter().flatten() {
            let sidecar = container.restart_policy.as_deref() == Some("Always");
            containers.push(Container::of(container, if sidecar { Stage::Sidecar } else { Stage::Init })?);
        }
        for container in &spec.containers {
            containers.push(Container::of(container, Stage::Main)?);
        }
        let whole = spec.resources.as_ref();
        Ok(Self {
            containers,
            requests: amounts(whole.and_then(|it| it.requests.as_ref()))?,
            limits: amounts(whole.and_then(|it| it.limits.as_ref()))?,
            overhead: amounts(spec.overhead.as_ref())?,
            ends: spec.active_deadline_seconds.is_some(),
            priority_class: spec.priority_class_name.clone(),
        })
    }

    /// What the whole pod requests.
    pub(crate) fn requested(&self, resource: &str) -> Amount {
        self.sum(resource, &self.requests, |container| &container.requests)
    }

    /// What the whole pod may take at most.
    pub(crate) fn limited(&self, resource: &str) -> Amount {
        self.sum(resource, &self.limits, |container| &container.limits)
    }

    /// Whether it asks for nothing and is limited by nothing, so that it is the first to go.
    pub(crate) fn is_best_effort(&self) -> bool {
        let none = |amounts: &Amounts| !amounts.keys().any(|name| name == "cpu" || name == "memory");
        let containers = self.containers.iter().all(|it| none(&it.requests) && none(&it.limits));
        containers && none(&self.requests) && none(&self.limits)
    }

    /// Those that run at once, or the largest of those that come before with what runs beside it by then.
    /// <https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers>
    fn sum(&self, resource: &str, whole: &Amounts, of: fn(&Container) -> &Amounts) -> Amount {
        let overhead = self.overhead.get(resource).copied().unwrap_or_default();
        if let Some(whole) = whole.get(resource) {
            return whole.plus(overhead);
        }
        let (mut beside, mut before, mut together) = (Amount::default(), Amount::default(), Amount::default());
        for container in &self.containers {
            let takes = of(container).get(resource).copied().unwrap_or_default();
            match container.stage {
                Stage::Init => before = before.max(beside.plus(takes)),
                Stage::Sidecar => {
                    beside = beside.plus(takes);
                    before = before.max(beside);
                }
                Stage::Main => together = together.plus(takes),
            }
        }
        before.max(together.plus(beside)).plus(overhead)
    }
}

impl Container {
    /// What is limited and asks for nothing asks for its limit.
    fn of(container: &Written, stage: Stage) -> Result<Self, String> {
        let resources = container.resources.as_ref();
        let limits = amounts(resources.and_then(|it| it.limits.as_ref()))?;
        let mut requests = amounts(resources.and_then(|it| it.requests.as_ref()))?;
        for (name, limit) in &limits {
            requests.entry(name.clone()).or_insert(*limit);
        }
        Ok(Self { name: container.name.clone(), stage, requests, limits })
    }
}

/// Amounts as Kubernetes has them.
///
/// # Errors
/// When one is none.
pub(crate) fn amounts(written: Option<&BTreeMap<String, Quantity>>) -> Result<Amounts, String> {
    let read = |(name, quantity): (&String, &Quantity)| Ok((name.clone(), Amount::try_from(quantity)?));
    written.into_iter().flatten().map(read).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shape(spec: serde_json::Value) -> Shape {
        Shape::of(&serde_json::from_value(spec).unwrap()).unwrap()
    }

    fn asks(name: &str, cpu: &str, policy: Option<&str>) -> serde_json::Value {
        json!({ "name": name, "restartPolicy": policy, "resources": { "requests": { "cpu": cpu } } })
    }

    #[test]
    fn what_runs_at_once_is_added_up_and_what_comes_before_is_not() {
        let of = |first: Vec<serde_json::Value>, main: Vec<serde_json::Value>| {
            shape(json!({ "initContainers": first, "containers": main })).requested("cpu").to_string()
        };
        assert_eq!(of(vec![], vec![asks("a", "1", None), asks("b", "500m", None)]), "1500m");
        assert_eq!(of(vec![asks("i", "3", None)], vec![asks("a", "1", None)]), "3");
        assert_eq!(of(vec![asks("s", "1", Some("Always"))], vec![asks("a", "1", None)]), "2");
        let both = vec![asks("s", "1", Some("Always")), asks("i", "3", None)];
        assert_eq!(of(both, vec![asks("a", "1", None)]), "4");
        let other = vec![asks("i", "3", None), asks("s", "1", Some("Always"))];
        assert_eq!(of(other, vec![asks("a", "1", None)]), "3");
    }

    #[test]
    fn a_limit_is_a_request_where_there_is_none() {
        let one = shape(json!({ "containers": [{ "name": "a", "resources": { "limits": { "memory": "1Gi" } } }] }));
        assert_eq!(one.requested("memory").of("memory"), "1Gi");
        assert!(!one.is_best_effort());
        assert!(shape(json!({ "containers": [{ "name": "a" }] })).is_best_effort());
    }

    #[test]
    fn what_the_pod_asks_for_as_a_whole_counts_instead() {
        let spec = json!({
            "containers": [asks("a", "1", None)],
            "resources": { "requests": { "cpu": "4" } },
            "overhead": { "cpu": "250m" },
        });
        assert_eq!(shape(spec).requested("cpu").to_string(), "4250m");
    }
}
