//! Pods that no node takes.

use super::{DoomKind, Scene, Sign};
use crate::watch::objects::{Condition, Pod};

/// A sign, while a pod waits for a node.
pub(super) fn sign(scene: &Scene<'_>, pod: &Pod) -> Option<Sign> {
    let refused = Condition::find(&pod.status.conditions, "PodScheduled", "False")?;
    // Others, `SchedulingGated`, mean that somebody has yet to let it go.
    if refused.reason != "Unschedulable" || !pod.spec.node_name.is_empty() {
        return None;
    }
    let message = refused.message.trim_end_matches(" not found").to_owned();
    let lower = refused.message.to_lowercase();
    let claims = ["persistentvolumeclaim", "persistent volume", "volume node affinity"];
    if claims.iter().any(|text| lower.contains(text)) {
        let why = why_unbound(scene);
        let message = why.map_or(message, |(claim, why)| format!("{}; claim `{claim}`: {why}", refused.message));
        return Some(Sign::new(DoomKind::UnboundVolume, message));
    }
    // A node is on its way. How long that may take, the progress deadline says.
    if scene.about(&pod.metadata.uid).any(|event| event.reason == "TriggeredScaleUp") {
        return None;
    }
    Some(Sign::new(DoomKind::Unschedulable, refused.message.clone()))
}

/// The claim that waits, and what its provisioner says.
fn why_unbound(scene: &Scene<'_>) -> Option<(String, String)> {
    let pending = scene.state.claims.values().filter(|claim| claim.status.phase != "Bound");
    pending.into_iter().find_map(|claim| {
        let said = scene.about(&claim.metadata.uid).rev().find(|event| {
            matches!(event.reason.as_str(), "ProvisioningFailed" | "FailedBinding" | "ExternalProvisioning")
        })?;
        Some((claim.metadata.name.clone(), said.message.clone()))
    })
}
