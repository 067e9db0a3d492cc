//! Signs that a rollout will not get there. One kind of sign, one file.
//!
//! A sign is what one look sees; whether it dooms is decided by how long it has stood ([`super::Patience`]).
//!
//! A disruption budget is no sign: it only holds up evictions, and no rollout evicts. A drain that waits for one is not
//! the release's, and a budget that its pods cannot meet holds up nothing here.

mod crash;
mod create;
mod image;
mod job;
mod node;
mod probe;
mod schedule;
mod start;
mod volume;

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aim, Kind, Noted, State, Subject,
    objects::{Event, Pod},
    revision,
};

/// Why a rollout will not get there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DoomKind {
    /// No registry has the image.
    ImageNotFound,
    /// The registry does not give the image to whoever pulls it.
    ImageRefused,
    /// The name of the image is none.
    ImageName,
    /// The image could not be pulled, which may pass.
    ImagePull,
    /// A ConfigMap, a Secret or a key of one is not there.
    MissingConfig,
    /// No node takes a pod.
    Unschedulable,
    /// A pod waits for a volume that is not there.
    UnboundVolume,
    /// A volume cannot be mounted.
    Mount,
    /// The node cannot make a container.
    Start,
    /// A container ends again and again.
    Crash,
    /// An init container does.
    InitCrash,
    /// Pods are not ready when the progress deadline passes, for their probe fails.
    Probe,
    /// Pods are not ready when the progress deadline passes.
    ProgressDeadline,
    /// A workload without a deadline of its own does not get further.
    Stalled,
    /// A quota has no room for a pod.
    Quota,
    /// Pods are refused by an admission rule.
    Admission,
    /// A Job or hook has failed.
    JobFailed,
    /// The node of a pod is gone.
    NodeGone,
    /// The Deployment is paused, and will not bring in its change.
    Paused,
}

/// What one look sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sign {
    pub(super) kind: DoomKind,
    pub(super) pod: Option<String>,
    pub(super) container: Option<String>,
    pub(super) message: String,
    /// How often it happened.
    pub(super) count: u32,
    pub(super) exit_code: Option<i32>,
    pub(super) reason: Option<String>,
    /// Its clock does not run yet: what is under way may still put it right.
    pub(super) held: bool,
    /// The message does not tell the cause; an earlier one may have.
    pub(super) hidden: bool,
}

impl Sign {
    fn new(kind: DoomKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            pod: None,
            container: None,
            message: message.into(),
            count: 1,
            exit_code: None,
            reason: None,
            held: false,
            hidden: false,
        }
    }

    fn of(mut self, pod: &Pod) -> Self {
        self.pod = Some(pod.metadata.name.clone());
        self
    }

    fn inside(mut self, container: &str) -> Self {
        self.container = Some(container.to_owned());
        self
    }
}

/// What is looked at: a state, against what was there before.
pub(super) struct Scene<'a> {
    pub(super) state: &'a State,
    noted: &'a Noted,
    events: BTreeMap<&'a str, Vec<&'a Event>>,
}

impl<'a> Scene<'a> {
    /// Events by what they are about, without those of before.
    pub(super) fn new(state: &'a State, noted: &'a Noted) -> Self {
        let mut events: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
        for event in state.events.values() {
            let before = noted.events.get(&event.metadata.uid).copied().unwrap_or_default();
            if event.times() > before {
                events.entry(&event.involved_object.uid).or_default().push(event);
            }
        }
        // The newest last; by name where the times are equal, for order must not matter.
        for about in events.values_mut() {
            about.sort_by_key(|event| (event.last(), &event.metadata.name));
        }
        Self { state, noted, events }
    }

    fn about(&self, uid: &str) -> impl DoubleEndedIterator<Item = &'a Event> + '_ {
        self.events.get(uid).into_iter().flatten().copied()
    }

    /// How often a container had ended before the rollout.
    fn exits_before(&self, pod: &Pod, container: &str) -> u32 {
        let pod = self.noted.pods.get(&pod.metadata.uid);
        pod.and_then(|containers| containers.get(container)).copied().unwrap_or_default()
    }
}

/// All signs that concern one object of the release.
pub(super) fn signs(scene: &Scene<'_>, subject: &Subject, applied: bool) -> Vec<Sign> {
    if !revision::is_touched(scene.state, scene.noted, subject, applied) {
        return Vec::new();
    }
    let pods = revision::new_pods(scene.state, subject);
    let mut signs = Vec::new();
    for pod in pods.iter().copied().filter(|pod| !pod.has_ended()) {
        let before = signs.len();
        signs.extend(node::sign(scene, pod));
        signs.extend(schedule::sign(scene, pod));
        signs.extend(volume::sign(scene, pod));
        signs.extend(image::signs(scene, pod));
        signs.extend(start::signs(scene, pod));
        // A Job counts its failures itself.
        if subject.kind != Kind::Job {
            signs.extend(crash::signs(scene, pod));
        }
        signs[before..].iter_mut().for_each(|sign| sign.pod = Some(pod.metadata.name.clone()));
    }
    signs.extend(create::sign(scene, subject, &pods));
    signs.extend(job::sign(scene, subject));
    if applied {
        signs.extend(probe::sign(scene, subject, &pods));
    }
    let frees_room = makes_room(scene, subject, &pods);
    for sign in &mut signs {
        let wants_room = matches!(sign.kind, DoomKind::Unschedulable | DoomKind::Quota | DoomKind::Admission);
        sign.held |= wants_room && frees_room;
    }
    signs
}

/// Whether room may come: old pods are about to end, or new ones about to take their place.
fn makes_room(scene: &Scene<'_>, subject: &Subject, new: &[&Pod]) -> bool {
    let ending = revision::all_pods(scene.state, subject).iter().any(|pod| pod.metadata.is_ending());
    ending || new.iter().any(|pod| !pod.spec.node_name.is_empty() && !pod.is_ready() && !pod.has_ended())
}

/// The objects whose signs count.
pub(super) fn subjects(aim: &Aim) -> impl Iterator<Item = &Subject> {
    aim.workloads.iter().chain(&aim.hooks)
}

/// As the facts have it, and as a rule is called.
impl fmt::Display for DoomKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ImageNotFound => "image-not-found",
            Self::ImageRefused => "image-refused",
            Self::ImageName => "image-name",
            Self::ImagePull => "image-pull",
            Self::MissingConfig => "missing-config",
            Self::Unschedulable => "unschedulable",
            Self::UnboundVolume => "unbound-volume",
            Self::Mount => "mount",
            Self::Start => "start",
            Self::Crash => "crash",
            Self::InitCrash => "init-crash",
            Self::Probe => "probe",
            Self::ProgressDeadline => "progress-deadline",
            Self::Stalled => "stalled",
            Self::Quota => "quota",
            Self::Admission => "admission",
            Self::JobFailed => "job-failed",
            Self::NodeGone => "node-gone",
            Self::Paused => "paused",
        })
    }
}
