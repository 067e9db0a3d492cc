//! Nodes that are gone under a pod.

use super::{DoomKind, Scene, Sign};
use crate::watch::objects::{Condition, Pod};

/// A sign, while the node of a pod is not heard of. Where nodes may not be read, only what the pod says is known.
pub(super) fn sign(scene: &Scene<'_>, pod: &Pod) -> Option<Sign> {
    let name = &pod.spec.node_name;
    if name.is_empty() {
        return None;
    }
    let lost = |why: &str| Some(Sign::new(DoomKind::NodeGone, format!("node `{name}` {why}")));
    if pod.status.reason == "NodeLost" {
        return lost("is lost");
    }
    match scene.state.nodes.as_ref()?.get(name) {
        None => lost("is not there any more"),
        Some(node) => match node.status.conditions.iter().find(|it| it.r#type == "Ready") {
            Some(Condition { status, message, .. }) if status != "True" => lost(&format!("is not ready: {message}")),
            _ => None,
        },
    }
}
