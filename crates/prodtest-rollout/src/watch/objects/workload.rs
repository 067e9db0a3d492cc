//! What makes pods, and what is needed for them.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Condition, Meta, Owned, meta::lenient};

/// A pod template, as its hash: equal where the templates are, whatever a controller added to one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Template(pub String);

impl Template {
    /// The hash of a template.
    #[must_use]
    pub fn of(mut template: Value) -> Self {
        if let Some(top) = template.as_object_mut() {
            top.remove("$patch");
        }
        if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.remove("pod-template-hash");
        }
        let mut hash = Sha256::new();
        canonical(&template, &mut hash);
        Self(hash.finalize().iter().take(10).map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Keys in order, and nothing where nothing is: the order and the `null`s are those of whoever wrote it.
fn canonical(value: &Value, hash: &mut Sha256) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().filter(|(_, value)| !value.is_null()).collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            hash.update("{");
            for (key, value) in entries {
                hash.update(format!("{key:?}:"));
                canonical(value, hash);
                hash.update(",");
            }
            hash.update("}");
        }
        Value::Array(items) => {
            hash.update("[");
            for item in items {
                canonical(item, hash);
                hash.update(",");
            }
            hash.update("]");
        }
        other => hash.update(other.to_string()),
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(from)? {
            // As we write it ourselves.
            Value::String(hash) => Self(hash),
            template => Self::of(template),
        })
    }
}

macro_rules! objects {
    ($($(#[$doc:meta])* $name:ident { $($(#[$inner:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name { $($(#[$inner])* #[serde(deserialize_with = "lenient")] pub $field: $type,)* }
    )*};
}

/// `RollingUpdate`, `Recreate` or `OnDelete`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Strategy {
    /// Which.
    pub r#type: String,
    /// Of a StatefulSet.
    #[serde(deserialize_with = "lenient")]
    pub rolling_update: RollingUpdate,
}

objects! {
    /// A Deployment.
    Deployment {
        /// Name, uid, generation.
        metadata: Meta,
        /// What it is to be.
        spec: DeploymentSpec,
        /// What it is.
        status: DeploymentStatus,
    }
    /// `spec` of a Deployment.
    DeploymentSpec {
        /// How many pods; one, when it is not said.
        replicas: Option<i64>,
        /// Whether changes wait.
        paused: bool,
        /// After how long without progress it is given up.
        progress_deadline_seconds: Option<i64>,
        /// The pods.
        template: Template,
    }
    /// `status` of a Deployment.
    DeploymentStatus {
        /// The generation that the other fields are about.
        observed_generation: i64,
        /// Pods, of all revisions.
        replicas: i64,
        /// Pods of the newest revision.
        updated_replicas: i64,
        /// Pods that are ready, of all revisions.
        ready_replicas: i64,
        /// Pods that have been ready for long enough, of all revisions.
        available_replicas: i64,
        /// `Progressing`, `ReplicaFailure`, ….
        conditions: Vec<Condition>,
    }
    /// A ReplicaSet.
    ReplicaSet {
        /// Name, uid, owners; the revision is an annotation.
        metadata: Meta,
        /// What it is to be.
        spec: ReplicaSetSpec,
        /// What it is.
        status: ReplicaSetStatus,
    }
    /// `spec` of a ReplicaSet.
    ReplicaSetSpec {
        /// How many pods.
        replicas: Option<i64>,
        /// The pods.
        template: Template,
    }
    /// `status` of a ReplicaSet.
    ReplicaSetStatus {
        /// Pods.
        replicas: i64,
        /// `ReplicaFailure`.
        conditions: Vec<Condition>,
    }
    /// A StatefulSet.
    StatefulSet {
        /// Name, uid, generation.
        metadata: Meta,
        /// What it is to be.
        spec: StatefulSetSpec,
        /// What it is.
        status: StatefulSetStatus,
    }
    /// `spec` of a StatefulSet.
    StatefulSetSpec {
        /// How many pods; one, when it is not said.
        replicas: Option<i64>,
        /// How pods are replaced.
        update_strategy: Strategy,
        /// The pods.
        template: Template,
    }
    /// `rollingUpdate` of a StatefulSet's strategy.
    RollingUpdate {
        /// The pods below this number are left as they are.
        partition: Option<i64>,
    }
    /// `status` of a StatefulSet.
    StatefulSetStatus {
        /// The generation that the other fields are about.
        observed_generation: i64,
        /// Pods, of all revisions.
        replicas: i64,
        /// Pods of the newest revision.
        updated_replicas: i64,
        /// Pods that are ready.
        ready_replicas: i64,
        /// Pods that have been ready for long enough.
        available_replicas: i64,
        /// The revision that pods are brought to.
        update_revision: String,
    }
    /// A DaemonSet.
    DaemonSet {
        /// Name, uid, generation.
        metadata: Meta,
        /// What it is to be.
        spec: DaemonSetSpec,
        /// What it is.
        status: DaemonSetStatus,
    }
    /// `spec` of a DaemonSet.
    DaemonSetSpec {
        /// How pods are replaced.
        update_strategy: Strategy,
        /// The pods.
        template: Template,
    }
    /// `status` of a DaemonSet.
    DaemonSetStatus {
        /// The generation that the other fields are about.
        observed_generation: i64,
        /// Nodes that are to have a pod.
        desired_number_scheduled: i64,
        /// Nodes that have one.
        current_number_scheduled: i64,
        /// Nodes that have one of the newest revision.
        updated_number_scheduled: i64,
        /// Nodes whose pod is ready.
        number_ready: i64,
        /// Nodes whose pod has been ready for long enough.
        number_available: i64,
    }
    /// A ControllerRevision: a template that a DaemonSet or StatefulSet has had.
    Revision {
        /// Name, owners; the pods' label `controller-revision-hash` is among its labels, or its name.
        metadata: Meta,
        /// The template.
        data: RevisionData,
        /// Counts up.
        revision: i64,
    }
    /// `data` of a ControllerRevision.
    RevisionData {
        /// What was changed.
        spec: RevisionSpec,
    }
    /// `data.spec` of a ControllerRevision.
    RevisionSpec {
        /// The pods.
        template: Template,
    }
    /// A Job.
    Job {
        /// Name, uid.
        metadata: Meta,
        /// What it is to be.
        spec: JobSpec,
        /// What it is.
        status: JobStatus,
    }
    /// `spec` of a Job.
    JobSpec {
        /// Whether it waits to be let run.
        suspend: bool,
    }
    /// `status` of a Job.
    JobStatus {
        /// `Complete`, `Failed`, ….
        conditions: Vec<Condition>,
        /// Pods that run or wait.
        active: i64,
        /// Pods that ended well.
        succeeded: i64,
        /// Pods that did not.
        failed: i64,
    }
    /// A PersistentVolumeClaim.
    Claim {
        /// Name.
        metadata: Meta,
        /// What it is.
        status: ClaimStatus,
    }
    /// `status` of a PersistentVolumeClaim.
    ClaimStatus {
        /// `Pending`, `Bound` or `Lost`.
        phase: String,
    }
    /// A HorizontalPodAutoscaler.
    Autoscaler {
        /// Name.
        metadata: Meta,
        /// What it scales.
        spec: AutoscalerSpec,
    }
    /// `spec` of a HorizontalPodAutoscaler.
    AutoscalerSpec {
        /// The workload.
        scale_target_ref: Reference,
        /// The least it may scale to; one, when it is not said.
        min_replicas: Option<i64>,
    }
    /// An object by kind and name.
    Reference {
        /// `Deployment`, ….
        kind: String,
        /// Its name.
        name: String,
        /// Its uid, where that is said.
        uid: String,
        /// A part of it: `spec.containers{api}`.
        field_path: String,
    }
    /// A node.
    Node {
        /// Name.
        metadata: Meta,
        /// What it is.
        status: NodeStatus,
    }
    /// `status` of a node.
    NodeStatus {
        /// `Ready`, ….
        conditions: Vec<Condition>,
    }
    /// An event.
    Event {
        /// Name, uid.
        metadata: Meta,
        /// What it is about.
        involved_object: Reference,
        /// What happened, as one word.
        reason: String,
        /// What happened, for a person.
        message: String,
        /// `Normal` or `Warning`.
        r#type: String,
        /// How often, where it is counted here.
        count: u32,
        /// How often, where it is counted there.
        series: Option<Series>,
        /// When first.
        first_timestamp: Option<String>,
        /// When last.
        last_timestamp: Option<String>,
        /// When, for events of the newer sort.
        event_time: Option<String>,
    }
    /// `series` of an event.
    Series {
        /// How often.
        count: u32,
        /// When last.
        last_observed_time: Option<String>,
    }
}

macro_rules! owned {
    ($($name:ident)*) => {$(
        impl Owned for $name {
            fn meta(&self) -> &Meta {
                &self.metadata
            }
        }
    )*};
}
owned! { Deployment ReplicaSet StatefulSet DaemonSet Revision Job Claim Autoscaler Node Event }

impl Event {
    /// How often it happened.
    #[must_use]
    pub fn times(&self) -> u32 {
        self.count.max(self.series.as_ref().map_or(0, |series| series.count)).max(1)
    }

    /// When it happened last, as RFC 3339.
    #[must_use]
    pub fn last(&self) -> &str {
        let series = self.series.as_ref().and_then(|series| series.last_observed_time.as_deref());
        series.or(self.last_timestamp.as_deref()).or(self.event_time.as_deref()).unwrap_or_default()
    }

    /// The container that it is about.
    #[must_use]
    pub fn container(&self) -> Option<&str> {
        self.involved_object.field_path.split_once('{').and_then(|(_, rest)| rest.strip_suffix('}'))
    }
}

impl ReplicaSet {
    /// The number of its Deployment's revision.
    #[must_use]
    pub fn revision(&self) -> i64 {
        let revision = self.metadata.annotations.get("deployment.kubernetes.io/revision");
        revision.and_then(|number| number.parse().ok()).unwrap_or_default()
    }
}
