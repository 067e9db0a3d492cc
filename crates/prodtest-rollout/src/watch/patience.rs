//! How long evidence that may pass is borne.

use std::time::Duration;

use prodtest_config::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DoomKind;

/// How long each kind of evidence may stand before the rollout is called doomed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Patience {
    /// An image that a registry does not have, refuses, or whose name is none.
    pub image: Period,
    /// An image that could not be pulled for any other reason: a registry that is overloaded or not reached.
    pub pull: Period,
    /// A ConfigMap, a Secret or a key of one that is not there.
    pub config: Period,
    /// A pod that no node takes.
    pub unschedulable: Period,
    /// A volume that is not bound, or cannot be mounted.
    pub volume: Period,
    /// A container that the node cannot make.
    pub start: Period,
    /// How often a container may end before it is called a crash loop.
    pub exits: u32,
    /// Pods that may not be made: a quota, an admission refusal.
    pub refused: Period,
    /// A node that is gone under a pod.
    pub node: Period,
    /// A StatefulSet or DaemonSet without progress, for they have no deadline of their own.
    pub ready: Period,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = |seconds| Period(Duration::from_secs(seconds));
        Self {
            image: seconds(0),
            pull: seconds(20),
            config: seconds(5),
            unschedulable: seconds(30),
            volume: seconds(30),
            start: seconds(20),
            exits: 2,
            refused: seconds(5),
            node: seconds(60),
            ready: seconds(600),
        }
    }
}

impl Patience {
    /// How long this kind may stand; none for one that is counted.
    #[must_use]
    pub fn period(&self, kind: DoomKind) -> Option<Duration> {
        Some(match kind {
            DoomKind::ImageNotFound | DoomKind::ImageRefused | DoomKind::ImageName => self.image.0,
            DoomKind::ImagePull => self.pull.0,
            DoomKind::MissingConfig | DoomKind::Paused => self.config.0,
            DoomKind::Unschedulable => self.unschedulable.0,
            DoomKind::UnboundVolume | DoomKind::Mount => self.volume.0,
            DoomKind::Start => self.start.0,
            DoomKind::Crash | DoomKind::InitCrash => return None,
            DoomKind::Quota | DoomKind::Admission => self.refused.0,
            DoomKind::NodeGone => self.node.0,
            DoomKind::Stalled => self.ready.0,
            DoomKind::ProgressDeadline | DoomKind::Probe | DoomKind::JobFailed => Duration::ZERO,
        })
    }
}
