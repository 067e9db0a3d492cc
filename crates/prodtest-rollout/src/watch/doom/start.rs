//! Containers that the node cannot make, and what it misses for them.

use super::{DoomKind, Scene, Sign};
use crate::watch::objects::Pod;

/// A sign for each container that cannot be made, and one for a pod that has no sandbox.
pub(super) fn signs(scene: &Scene<'_>, pod: &Pod) -> Vec<Sign> {
    let mut signs = Vec::new();
    for (status, _) in pod.all_containers() {
        let Some(waiting) = &status.state.waiting else { continue };
        let kind = match waiting.reason.as_str() {
            "CreateContainerConfigError" if is_missing(&waiting.message) => DoomKind::MissingConfig,
            // What was started once and ended is counted, not timed.
            "RunContainerError" if status.last_state.terminated.is_some() => continue,
            "CreateContainerConfigError"
            | "CreateContainerError"
            | "RunContainerError"
            | "PreCreateHookError"
            | "PreStartHookError"
            | "PostStartHookError" => DoomKind::Start,
            _ => continue,
        };
        let mut sign = Sign::new(kind, waiting.message.clone()).inside(&status.name);
        sign.reason = Some(waiting.reason.clone());
        signs.push(sign);
    }
    if !pod.has_started() {
        let sandbox = scene.about(&pod.metadata.uid).rev().find(|event| event.reason == "FailedCreatePodSandBox");
        signs.extend(sandbox.map(|event| {
            let mut sign = Sign::new(DoomKind::Start, event.message.clone());
            sign.reason = Some(event.reason.clone());
            sign
        }));
    }
    signs
}

/// Whether the kubelet says that a ConfigMap, a Secret or a key is not there.
pub(super) fn is_missing(message: &str) -> bool {
    let of_config = ["configmap", "ConfigMap", "secret", "Secret"].iter().any(|kind| message.contains(kind));
    let absent = ["not found", "couldn't find key", "non-existent"].iter().any(|text| message.contains(text));
    of_config && absent
}
