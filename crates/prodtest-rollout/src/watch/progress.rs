//! How far a workload is: done, or what it still waits for.
//!
//! Each answer comes from one object alone, which its controller writes whole: numbers of two objects can be of two
//! moments.

use super::{
    Kind, State, Subject,
    objects::{Condition, DaemonSet, Deployment, Job, StatefulSet},
};

/// How far a workload is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// What it waits for; none when it is done.
    pub(super) waits: Option<String>,
    /// Rises with each step towards the end.
    pub(super) steps: i64,
}

/// How far it is.
pub(super) fn of(state: &State, subject: &Subject) -> Progress {
    let name = &subject.name;
    let found = match subject.kind {
        Kind::Deployment => state.deployments.get(name).map(|it| deployment(it, least(state, subject))),
        Kind::StatefulSet => state.stateful_sets.get(name).map(stateful_set),
        Kind::DaemonSet => state.daemon_sets.get(name).map(daemon_set),
        Kind::Job => state.jobs.get(name).map(job),
        // Helm waits for its hooks itself.
        Kind::Pod => Some(Progress { waits: None, steps: 0 }),
    };
    found.unwrap_or_else(|| Progress { waits: Some("it is not there".to_owned()), steps: 0 })
}

/// The least that an autoscaler will make of it: it raises a smaller number by itself, whatever it measures.
fn least(state: &State, subject: &Subject) -> i64 {
    let scales = |it: &&super::objects::Autoscaler| {
        it.spec.scale_target_ref.kind == "Deployment" && it.spec.scale_target_ref.name == subject.name
    };
    state.autoscalers.values().find(scales).map_or(0, |it| it.spec.min_replicas.unwrap_or(1))
}

fn first<const N: usize>(conditions: [(bool, String); N]) -> Option<String> {
    conditions.into_iter().find(|(waits, _)| *waits).map(|(_, what)| what)
}

fn deployment(it: &Deployment, least: i64) -> Progress {
    let (status, wanted) = (&it.status, it.spec.replicas.unwrap_or(1));
    let old = status.replicas - status.updated_replicas;
    let waits = first([
        (status.observed_generation < it.metadata.generation, "its controller has not seen the change yet".to_owned()),
        (wanted != 0 && wanted < least, format!("its autoscaler is to make {least} pods of {wanted}")),
        (
            status.updated_replicas < wanted && it.spec.paused,
            format!("it is paused, with {} of {wanted} pods new", status.updated_replicas),
        ),
        (status.updated_replicas < wanted, format!("{} of {wanted} pods are new", status.updated_replicas)),
        (old > 0, format!("{old} old pods are still there")),
        (status.updated_replicas > wanted, format!("{} pods are too many", status.updated_replicas - wanted)),
        (status.ready_replicas < wanted, format!("{} of {wanted} pods are ready", status.ready_replicas)),
        (status.available_replicas < wanted, format!("{} of {wanted} pods are available", status.available_replicas)),
    ]);
    Progress { waits, steps: status.updated_replicas + status.available_replicas + status.ready_replicas - old }
}

fn stateful_set(it: &StatefulSet) -> Progress {
    let (status, wanted) = (&it.status, it.spec.replicas.unwrap_or(1));
    let partition = it.spec.update_strategy.rolling_update.partition.unwrap_or_default();
    // Nobody brings pods to the new revision but whoever deletes them.
    let by_hand = it.spec.update_strategy.r#type == "OnDelete";
    let new = if by_hand { 0 } else { (wanted - partition).max(0) };
    let waits = first([
        (status.observed_generation < it.metadata.generation, "its controller has not seen the change yet".to_owned()),
        (status.updated_replicas < new, format!("{} of {new} pods are new", status.updated_replicas)),
        (status.replicas != wanted, format!("{} pods are there, of {wanted}", status.replicas)),
        (status.ready_replicas < wanted, format!("{} of {wanted} pods are ready", status.ready_replicas)),
        (status.available_replicas < wanted, format!("{} of {wanted} pods are available", status.available_replicas)),
    ]);
    Progress { waits, steps: status.updated_replicas + status.available_replicas + status.ready_replicas }
}

fn daemon_set(it: &DaemonSet) -> Progress {
    let (status, wanted) = (&it.status, it.status.desired_number_scheduled);
    let by_hand = it.spec.update_strategy.r#type == "OnDelete";
    let new = status.updated_number_scheduled;
    let waits = first([
        (status.observed_generation < it.metadata.generation, "its controller has not seen the change yet".to_owned()),
        (!by_hand && new < wanted, format!("{new} of {wanted} pods are new")),
        (
            status.current_number_scheduled < wanted,
            format!("{} of {wanted} are there", status.current_number_scheduled),
        ),
        (status.number_ready < wanted, format!("{} of {wanted} pods are ready", status.number_ready)),
        (status.number_available < wanted, format!("{} of {wanted} pods are available", status.number_available)),
    ]);
    Progress { waits, steps: new + status.number_ready + status.number_available }
}

fn job(it: &Job) -> Progress {
    let complete = Condition::find(&it.status.conditions, "Complete", "True").is_some();
    let waits = (!complete && !it.spec.suspend).then(|| "it has not completed".to_owned());
    Progress { waits, steps: it.status.succeeded }
}
