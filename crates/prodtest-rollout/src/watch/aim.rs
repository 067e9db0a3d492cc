//! What a rollout is to bring about, and what was there before.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use super::{State, objects::Template};

/// A kind of object that a release has and a rollout waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
    /// A Job.
    Job,
    /// A bare pod, as a hook.
    Pod,
}

impl Kind {
    /// The kind that Kubernetes calls so, if it is one of them.
    #[must_use]
    pub fn named(kind: &str) -> Option<Self> {
        Some(match kind {
            "Deployment" => Self::Deployment,
            "StatefulSet" => Self::StatefulSet,
            "DaemonSet" => Self::DaemonSet,
            "Job" => Self::Job,
            "Pod" => Self::Pod,
            _ => return None,
        })
    }
}

/// An object of a release. Shown as kubectl takes it: `deployment/web`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

impl Subject {
    /// The object of this kind and name.
    #[must_use]
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Deployment => "deployment",
            Kind::StatefulSet => "statefulset",
            Kind::DaemonSet => "daemonset",
            Kind::Job => "job",
            Kind::Pod => "pod",
        };
        write!(f, "{kind}/{}", self.name)
    }
}

/// The objects that a rollout waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Aim {
    /// Workloads and Jobs of the release: all have to get there.
    pub workloads: Vec<Subject>,
    /// Jobs and pods that Helm runs as hooks and waits for itself; they can only doom a rollout.
    pub hooks: Vec<Subject>,
}

/// What was there before the rollout began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Noted {
    /// Pods: their uids, and how often each container had ended.
    pub pods: BTreeMap<String, BTreeMap<String, u32>>,
    /// The uids of ReplicaSets and Jobs.
    pub uids: BTreeSet<String>,
    /// The template of each workload.
    pub templates: BTreeMap<String, Template>,
    /// Events by uid, and how often each had happened.
    pub events: BTreeMap<String, u32>,
}

impl Noted {
    /// Notes what is there now.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let mut noted = Self::default();
        for pod in state.pods.values() {
            let exits = pod.all_containers().map(|(status, _)| (status.name.clone(), status.exits())).collect();
            noted.pods.insert(pod.metadata.uid.clone(), exits);
        }
        noted.uids.extend(state.replica_sets.values().map(|set| set.metadata.uid.clone()));
        noted.uids.extend(state.jobs.values().map(|job| job.metadata.uid.clone()));
        let mut template = |kind, name: &str, template: &Template| {
            noted.templates.insert(Subject::new(kind, name).to_string(), template.clone());
        };
        state.deployments.values().for_each(|it| template(Kind::Deployment, &it.metadata.name, &it.spec.template));
        state.stateful_sets.values().for_each(|it| template(Kind::StatefulSet, &it.metadata.name, &it.spec.template));
        state.daemon_sets.values().for_each(|it| template(Kind::DaemonSet, &it.metadata.name, &it.spec.template));
        noted.events = state.events.values().map(|event| (event.metadata.uid.clone(), event.times())).collect();
        noted
    }
}
