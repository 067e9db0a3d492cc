//! Volumes that cannot be mounted.

use super::{DoomKind, Scene, Sign, start::is_missing};
use crate::watch::objects::Pod;

/// A sign, while a pod waits for its volumes.
pub(super) fn sign(scene: &Scene<'_>, pod: &Pod) -> Option<Sign> {
    if pod.spec.node_name.is_empty() || pod.has_started() {
        return None;
    }
    // Only an event tells; once the mount is done, the images are next, and then something has another reason.
    let waits = pod.all_containers().all(|(status, _)| {
        let waiting = status.state.waiting.as_ref();
        waiting.is_none_or(|it| matches!(it.reason.as_str(), "ContainerCreating" | "PodInitializing" | ""))
    });
    let failures = ["FailedMount", "FailedAttachVolume", "FailedMapVolume"];
    let mut about = scene.about(&pod.metadata.uid).rev();
    // From the moment that an image is pulled, the volumes are there.
    let last = about.find(|event| failures.contains(&event.reason.as_str()) || is_later(&event.reason))?;
    if !waits || is_later(&last.reason) {
        return None;
    }
    let kind = if is_missing(&last.message) { DoomKind::MissingConfig } else { DoomKind::Mount };
    let mut sign = Sign::new(kind, last.message.clone());
    sign.reason = Some(last.reason.clone());
    sign.count = last.times();
    Some(sign)
}

fn is_later(reason: &str) -> bool {
    matches!(reason, "Pulling" | "Pulled" | "Created" | "Started")
}
