//! Pods that may not be made: a quota without room, an admission refusal.

use super::{DoomKind, Scene, Sign};
use crate::watch::{
    Kind, Subject,
    objects::{Condition, Pod},
    revision,
};

/// A sign, while a workload may not make its pods.
pub(super) fn sign(scene: &Scene<'_>, subject: &Subject, pods: &[&Pod]) -> Option<Sign> {
    let state = scene.state;
    let message = match subject.kind {
        Kind::Deployment => {
            let newest = revision::newest(state, state.deployments.get(&subject.name)?)?;
            let refused = Condition::find(&newest.status.conditions, "ReplicaFailure", "True")?;
            (refused.reason == "FailedCreate").then_some(refused.message.as_str())?
        }
        // The others have no condition for it, and their events stay when it is over: then the pods are there.
        Kind::StatefulSet | Kind::DaemonSet | Kind::Job => {
            if has_its_pods(scene, subject, pods.len())? {
                return None;
            }
            let events = scene.about(revision::uid(state, subject)?).rev();
            let last =
                events.into_iter().find(|it| matches!(it.reason.as_str(), "FailedCreate" | "SuccessfulCreate"))?;
            (last.reason == "FailedCreate").then_some(last.message.as_str())?
        }
        Kind::Pod => return None,
    };
    let kind = if message.contains("exceeded quota") { DoomKind::Quota } else { DoomKind::Admission };
    let mut sign = Sign::new(kind, message);
    sign.reason = Some("FailedCreate".to_owned());
    Some(sign)
}

/// Whether a workload has all pods that it is to have.
fn has_its_pods(scene: &Scene<'_>, subject: &Subject, new: usize) -> Option<bool> {
    let state = scene.state;
    Some(match subject.kind {
        Kind::StatefulSet => {
            let set = state.stateful_sets.get(&subject.name)?;
            set.status.replicas >= set.spec.replicas.unwrap_or(1)
        }
        Kind::DaemonSet => {
            let set = state.daemon_sets.get(&subject.name)?;
            i64::try_from(new).unwrap_or(i64::MAX) >= set.status.desired_number_scheduled
        }
        _ => new > 0 || !state.jobs.get(&subject.name)?.status.conditions.is_empty(),
    })
}
