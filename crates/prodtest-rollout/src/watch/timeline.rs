//! What happens during a rollout, as it is told and plotted.

use std::collections::BTreeMap;

use super::{Aim, Kind, Moment, Noted, State, What, objects::Pod, revision};

/// What was last known of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    name: String,
    scheduled: bool,
    ready: bool,
    ending: bool,
}

impl Seen {
    fn of(pod: &Pod) -> Self {
        Self {
            name: pod.metadata.name.clone(),
            scheduled: !pod.spec.node_name.is_empty(),
            ready: pod.is_ready(),
            ending: pod.metadata.is_ending(),
        }
    }
}

/// Tells what has changed since the last look.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    noted: Noted,
    pods: BTreeMap<String, Seen>,
    sets: BTreeMap<String, String>,
}

impl Timeline {
    pub(super) fn new(noted: &Noted) -> Self {
        Self { noted: noted.clone(), pods: BTreeMap::new(), sets: BTreeMap::new() }
    }

    /// What is new in this state.
    pub(super) fn look(&mut self, state: &State, aim: &Aim, at_ms: u64) -> Vec<Moment> {
        let mut moments = Vec::new();
        let mut tell = |what, subject: String| moments.push(Moment { at_ms, what, subject });
        for subject in aim.workloads.iter().filter(|it| it.kind == Kind::Deployment) {
            let newest = state.deployments.get(&subject.name).and_then(|it| revision::newest(state, it));
            let Some(newest) = newest else { continue };
            let known = self.sets.insert(subject.name.clone(), newest.metadata.uid.clone());
            // On the first look, one that was there before is not new.
            let is_new = match known {
                Some(known) => known != newest.metadata.uid,
                None => !self.noted.uids.contains(&newest.metadata.uid),
            };
            if is_new {
                tell(What::NewReplicaSet, format!("replicaset/{}", newest.metadata.name));
            }
        }
        let mut now = BTreeMap::new();
        for subject in aim.workloads.iter().chain(&aim.hooks) {
            for pod in revision::all_pods(state, subject) {
                now.insert(pod.metadata.uid.clone(), Seen::of(pod));
            }
        }
        for (uid, seen) in &now {
            let before = match self.pods.get(uid) {
                Some(before) => before.clone(),
                None if self.noted.pods.contains_key(uid) => seen.clone(),
                None => {
                    tell(What::PodCreated, format!("pod/{}", seen.name));
                    Seen::default()
                }
            };
            let changes = [
                (!before.scheduled && seen.scheduled, What::PodScheduled),
                (!before.ready && seen.ready, What::PodReady),
                (!before.ending && seen.ending, What::PodEnding),
                (before.ready && !seen.ready && !seen.ending, What::PodUnready),
            ];
            for (_, what) in changes.into_iter().filter(|(is, _)| *is) {
                tell(what, format!("pod/{}", seen.name));
            }
        }
        for (_, gone) in self.pods.iter().filter(|(uid, _)| !now.contains_key(*uid)) {
            tell(What::PodGone, format!("pod/{}", gone.name));
        }
        self.pods = now;
        moments
    }
}
