//! Pods that do not get ready in time, and Deployments that will not move.

use super::{DoomKind, Scene, Sign};
use crate::watch::{
    Kind, Subject,
    objects::{Condition, Deployment, Event, Pod},
    progress, revision,
};

/// What Kubernetes takes for no deadline.
const NO_DEADLINE: i64 = i32::MAX as i64;

/// A sign, while a workload does not get further.
pub(super) fn sign(scene: &Scene<'_>, subject: &Subject, pods: &[&Pod]) -> Option<Sign> {
    progress::of(scene.state, subject).waits.as_ref()?;
    let unready = pods.iter().copied().find(|pod| !pod.is_ready());
    let probe = unready.and_then(|pod| failing(scene, pod).map(|event| (pod, event)));
    let (kind, message) = match subject.kind {
        Kind::Deployment => {
            let deployment = scene.state.deployments.get(&subject.name)?;
            if deployment.spec.paused && deployment.status.observed_generation >= deployment.metadata.generation {
                return Some(Sign::new(DoomKind::Paused, "`spec.paused` is true: it brings in no change"));
            }
            match timed_out(scene, deployment) {
                Some(message) if probe.is_some() => (DoomKind::Probe, message.to_owned()),
                Some(message) => (DoomKind::ProgressDeadline, message.to_owned()),
                None if deployment.spec.progress_deadline_seconds.is_some_and(|it| it < NO_DEADLINE) => return None,
                None => (DoomKind::Stalled, String::new()),
            }
        }
        Kind::StatefulSet | Kind::DaemonSet => (DoomKind::Stalled, String::new()),
        Kind::Job | Kind::Pod => return None,
    };
    let message = match (&probe, message.is_empty()) {
        (Some((_, event)), _) => event.message.clone(),
        (None, false) => message,
        (None, true) => progress::of(scene.state, subject).waits.unwrap_or_default(),
    };
    let mut sign = Sign::new(kind, message);
    if let Some(pod) = unready.filter(|_| kind != DoomKind::Stalled) {
        sign = sign.of(pod);
    }
    sign.container =
        probe.and_then(|(_, event)| event.container()).map(str::to_owned).filter(|_| kind != DoomKind::Stalled);
    Some(sign)
}

/// What the controller says, if it says it of the newest ReplicaSet: until it has seen a change, its condition is that
/// of the revision before.
fn timed_out<'a>(scene: &'a Scene<'_>, deployment: &'a Deployment) -> Option<&'a str> {
    let condition = Condition::find(&deployment.status.conditions, "Progressing", "False")?;
    let newest = revision::newest(scene.state, deployment)?;
    let is_current = deployment.status.observed_generation >= deployment.metadata.generation
        && condition.message.contains(&format!("\"{}\"", newest.metadata.name));
    (condition.reason == "ProgressDeadlineExceeded" && is_current).then_some(condition.message.as_str())
}

/// The last failure of a probe of this pod.
fn failing<'a>(scene: &'a Scene<'_>, pod: &Pod) -> Option<&'a Event> {
    scene.about(&pod.metadata.uid).rev().find(|event| event.reason == "Unhealthy")
}
