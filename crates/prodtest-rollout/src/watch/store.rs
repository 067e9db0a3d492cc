//! What is known of a namespace at one moment.

use std::collections::{BTreeMap, BTreeSet};

use prodtest_kube::kube::core::ApiResource;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::objects::{
    Autoscaler, Claim, DaemonSet, Deployment, Event, Job, Node, Owned, Pod, ReplicaSet, Revision, StatefulSet,
};

/// The objects of one kind, by name.
pub type Shelf<T> = BTreeMap<String, T>;

/// The objects of a namespace, as last heard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    /// Pods.
    pub pods: Shelf<Pod>,
    /// Events.
    pub events: Shelf<Event>,
    /// Deployments.
    pub deployments: Shelf<Deployment>,
    /// ReplicaSets.
    pub replica_sets: Shelf<ReplicaSet>,
    /// StatefulSets.
    pub stateful_sets: Shelf<StatefulSet>,
    /// DaemonSets.
    pub daemon_sets: Shelf<DaemonSet>,
    /// ControllerRevisions.
    pub revisions: Shelf<Revision>,
    /// Jobs.
    pub jobs: Shelf<Job>,
    /// PersistentVolumeClaims.
    pub claims: Shelf<Claim>,
    /// HorizontalPodAutoscalers.
    pub autoscalers: Shelf<Autoscaler>,
    /// Nodes of the cluster; none, where they may not be read.
    pub nodes: Option<Shelf<Node>>,
    /// Objects that could not be read, as `pods/NAME`.
    pub unreadable: BTreeSet<String>,
}

/// A kind of object that is watched.
pub(super) trait Kept: Owned + DeserializeOwned + Send + 'static {
    /// Its API group and version.
    const API: (&'static str, &'static str);
    /// The kind.
    const KIND: &'static str;
    /// The kind, in the plural, as in paths.
    const PLURAL: &'static str;
    /// Whether it belongs to the cluster, and may well be forbidden.
    const OF_CLUSTER: bool = false;
    /// Where it is kept.
    fn shelf(state: &mut State) -> &mut Shelf<Self>
    where
        Self: Sized;

    /// The kind as the library names it.
    fn resource() -> ApiResource {
        let (group, version) = Self::API;
        let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version,
            kind: Self::KIND.to_owned(),
            plural: Self::PLURAL.to_owned(),
        }
    }
}

macro_rules! kept {
    ($($name:ident $group:literal $version:literal $kind:literal $plural:literal $shelf:ident)*) => {$(
        impl Kept for $name {
            const API: (&'static str, &'static str) = ($group, $version);
            const KIND: &'static str = $kind;
            const PLURAL: &'static str = $plural;

            fn shelf(state: &mut State) -> &mut Shelf<Self> {
                &mut state.$shelf
            }
        }
    )*};
}

kept! {
    Pod "" "v1" "Pod" "pods" pods
    Event "" "v1" "Event" "events" events
    Claim "" "v1" "PersistentVolumeClaim" "persistentvolumeclaims" claims
    Deployment "apps" "v1" "Deployment" "deployments" deployments
    ReplicaSet "apps" "v1" "ReplicaSet" "replicasets" replica_sets
    StatefulSet "apps" "v1" "StatefulSet" "statefulsets" stateful_sets
    DaemonSet "apps" "v1" "DaemonSet" "daemonsets" daemon_sets
    Revision "apps" "v1" "ControllerRevision" "controllerrevisions" revisions
    Job "batch" "v1" "Job" "jobs" jobs
    Autoscaler "autoscaling" "v2" "HorizontalPodAutoscaler" "horizontalpodautoscalers" autoscalers
}

impl Kept for Node {
    const API: (&'static str, &'static str) = ("", "v1");
    const KIND: &'static str = "Node";
    const PLURAL: &'static str = "nodes";
    const OF_CLUSTER: bool = true;

    fn shelf(state: &mut State) -> &mut Shelf<Self> {
        state.nodes.get_or_insert_default()
    }
}

impl State {
    /// Takes an object in, of whatever kind it says it is: for what was written down as a list.
    pub fn take(&mut self, object: &serde_json::Value) {
        match object["kind"].as_str().unwrap_or_default() {
            "Pod" => self.keep::<Pod>(object),
            "Event" => self.keep::<Event>(object),
            "PersistentVolumeClaim" => self.keep::<Claim>(object),
            "Deployment" => self.keep::<Deployment>(object),
            "ReplicaSet" => self.keep::<ReplicaSet>(object),
            "StatefulSet" => self.keep::<StatefulSet>(object),
            "DaemonSet" => self.keep::<DaemonSet>(object),
            "ControllerRevision" => self.keep::<Revision>(object),
            "Job" => self.keep::<Job>(object),
            "HorizontalPodAutoscaler" => self.keep::<Autoscaler>(object),
            "Node" => self.keep::<Node>(object),
            _ => {}
        }
    }

    /// Keeps an object as it is now. One that cannot be read is gone, and remembered as such.
    pub(super) fn keep<T: Kept>(&mut self, object: &serde_json::Value) {
        let name = object["metadata"]["name"].as_str().unwrap_or("without a name").to_owned();
        let label = format!("{}/{name}", T::PLURAL);
        match T::deserialize(object) {
            Ok(read) if !read.meta().name.is_empty() => {
                self.unreadable.remove(&label);
                T::shelf(self).insert(name, read);
            }
            _ => {
                T::shelf(self).remove(&name);
                self.unreadable.insert(label);
            }
        }
    }

    /// Lets go of an object.
    pub(super) fn drop<T: Kept>(&mut self, object: &serde_json::Value) {
        let name = object["metadata"]["name"].as_str().unwrap_or("without a name");
        self.unreadable.remove(&format!("{}/{name}", T::PLURAL));
        T::shelf(self).remove(name);
    }

    /// Puts a whole list in the place of what was known of a kind.
    pub(super) fn replace<T: Kept>(&mut self, objects: &[serde_json::Value]) {
        T::shelf(self).clear();
        let kind = format!("{}/", T::PLURAL);
        self.unreadable.retain(|label| !label.starts_with(&kind));
        for object in objects {
            self.keep::<T>(object);
        }
    }
}
