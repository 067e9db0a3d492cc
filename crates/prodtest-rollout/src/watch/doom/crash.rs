//! Containers that end when they are to run.

use super::{DoomKind, Scene, Sign};
use crate::watch::objects::{ContainerStatus, Pod};

/// A sign for each container that has ended since the rollout began, and was not to.
pub(super) fn signs(scene: &Scene<'_>, pod: &Pod) -> Vec<Sign> {
    let mut signs = Vec::new();
    for (status, is_init) in pod.all_containers() {
        let exits = status.exits().saturating_sub(scene.exits_before(pod, &status.name));
        let Some(end) = status.last_end() else { continue };
        // An init container that ends well has done its work, and may do it again after the sandbox is made anew.
        let well = end.exit_code == 0 && (is_init || pod.spec.restart_policy != "Always");
        if exits == 0 || well {
            continue;
        }
        let kind = if is_init { DoomKind::InitCrash } else { DoomKind::Crash };
        let mut sign = Sign::new(kind, message(scene, pod, status)).inside(&status.name);
        sign.count = exits;
        sign.exit_code = Some(end.exit_code);
        sign.reason = Some(end.reason.clone());
        signs.push(sign);
    }
    signs
}

/// What it said last, or which probe ended it.
fn message(scene: &Scene<'_>, pod: &Pod, status: &ContainerStatus) -> String {
    let mut about = scene.about(&pod.metadata.uid).rev().filter(|event| event.container() == Some(&status.name));
    let killed = |message: &str| message.starts_with("Liveness probe failed") || message.starts_with("Startup probe");
    if let Some(event) = about.find(|event| event.reason == "Unhealthy" && killed(&event.message)) {
        return event.message.clone();
    }
    let Some(end) = status.last_end() else { return String::new() };
    match (end.message.is_empty(), end.reason.as_str()) {
        (false, _) => end.message.clone(),
        (true, "OOMKilled") => "it used more memory than its limit".to_owned(),
        (true, _) => format!("exit code {}", end.exit_code),
    }
}
