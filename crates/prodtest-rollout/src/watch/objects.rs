//! The cluster's objects, reduced to the fields that rules read.
//!
//! Named as Kubernetes names them. A field that is missing has its default; one of another type makes the object
//! unreadable, which is remembered ([`super::State::unreadable`]) and ends no watch.

mod meta;
mod pod;
mod workload;

pub use meta::{Condition, Meta, Owned, Owner};
pub use pod::{ContainerSpec, ContainerState, ContainerStatus, Pod, PodSpec, PodStatus, Running, Terminated, Waiting};
pub use workload::{
    Autoscaler, Claim, DaemonSet, Deployment, Event, Job, Node, ReplicaSet, Revision, StatefulSet, Strategy, Template,
};
