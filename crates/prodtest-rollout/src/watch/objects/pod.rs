//! Pods and their containers.

use serde::{Deserialize, Serialize};

use super::{Condition, Meta, Owned, meta::lenient};

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pod {
    /// Name, uid, owners.
    pub metadata: Meta,
    /// What it is to be.
    pub spec: PodSpec,
    /// What it is.
    pub status: PodStatus,
}

/// `spec` of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// Where it was put; empty while it waits.
    #[serde(deserialize_with = "lenient")]
    pub node_name: String,
    /// `Always`, `OnFailure` or `Never`.
    pub restart_policy: String,
    /// Its containers.
    #[serde(deserialize_with = "lenient")]
    pub containers: Vec<ContainerSpec>,
    /// What runs before them, or beside them when it restarts always.
    #[serde(deserialize_with = "lenient")]
    pub init_containers: Vec<ContainerSpec>,
}

/// A container of `spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerSpec {
    /// Its name.
    pub name: String,
    /// Its image, as it was written.
    pub image: String,
    /// `Always` makes an init container a sidecar.
    pub restart_policy: Option<String>,
}

/// `status` of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// `Pending`, `Running`, `Succeeded`, `Failed`.
    pub phase: String,
    /// `NodeLost`, `Evicted`, ….
    pub reason: String,
    /// For a person.
    pub message: String,
    /// `PodScheduled`, `Ready`, ….
    #[serde(deserialize_with = "lenient")]
    pub conditions: Vec<Condition>,
    /// Of the containers.
    #[serde(deserialize_with = "lenient")]
    pub container_statuses: Vec<ContainerStatus>,
    /// Of the init containers and sidecars.
    #[serde(deserialize_with = "lenient")]
    pub init_container_statuses: Vec<ContainerStatus>,
}

/// How a container is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    /// Its name.
    pub name: String,
    /// The image that runs, with its digest.
    #[serde(rename = "imageID")]
    pub image_id: String,
    /// How often it was started again.
    pub restart_count: u32,
    /// What it does now.
    #[serde(deserialize_with = "lenient")]
    pub state: ContainerState,
    /// How it ended before.
    #[serde(deserialize_with = "lenient")]
    pub last_state: ContainerState,
}

/// One of three, or none yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerState {
    /// It cannot start yet.
    pub waiting: Option<Waiting>,
    /// It runs.
    pub running: Option<Running>,
    /// It has ended.
    pub terminated: Option<Terminated>,
}

/// Why a container does not run yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Waiting {
    /// `ErrImagePull`, `CrashLoopBackOff`, ….
    pub reason: String,
    /// For a person.
    pub message: String,
}

/// Since when it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Running {
    /// When it was started.
    pub started_at: Option<String>,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terminated {
    /// What it returned.
    pub exit_code: i32,
    /// The signal that ended it; mostly it is only in the exit code, 128 and it.
    pub signal: Option<i32>,
    /// `Error`, `Completed`, `OOMKilled`, `StartError`, ….
    pub reason: String,
    /// What it wrote to its termination log, or why it could not start.
    pub message: String,
}

impl Owned for Pod {
    fn meta(&self) -> &Meta {
        &self.metadata
    }
}

impl Pod {
    /// Whether requests are sent to it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        Condition::find(&self.status.conditions, "Ready", "True").is_some()
    }

    /// Whether it has ended, well or not.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }

    /// All containers: how they are, and whether it is one that has to end before the others start.
    pub fn all_containers(&self) -> impl Iterator<Item = (&ContainerStatus, bool)> {
        let init = self.status.init_container_statuses.iter().map(|status| (status, !self.is_sidecar(&status.name)));
        init.chain(self.status.container_statuses.iter().map(|status| (status, false)))
    }

    fn is_sidecar(&self, name: &str) -> bool {
        let spec = self.spec.init_containers.iter().find(|container| container.name == name);
        spec.is_some_and(|container| container.restart_policy.as_deref() == Some("Always"))
    }

    /// Whether any container, of whatever sort, has run.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.all_containers().any(|(status, _)| {
            status.restart_count > 0
                || status.state.running.is_some()
                || status.state.terminated.is_some()
                || status.last_state.terminated.is_some()
        })
    }
}

impl ContainerStatus {
    /// How often it has ended since it was made.
    #[must_use]
    pub fn exits(&self) -> u32 {
        // While it waits to be started again, the last end is not yet among the restarts.
        let waits = self.state.waiting.is_some() && self.last_state.terminated.is_some();
        self.restart_count + u32::from(self.state.terminated.is_some() || waits)
    }

    /// Its last end.
    #[must_use]
    pub fn last_end(&self) -> Option<&Terminated> {
        self.state.terminated.as_ref().or(self.last_state.terminated.as_ref())
    }
}
