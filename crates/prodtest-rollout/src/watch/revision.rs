//! Which pods are of which workload, and which of them are new.

use super::{
    Kind, Noted, State, Subject,
    objects::{Deployment, Pod, ReplicaSet},
};

/// The ReplicaSet whose pods a Deployment wants now: the one with its template, as its controller decides it too. So
/// neither a stale status nor a stale annotation can name another.
pub(super) fn newest<'a>(state: &'a State, deployment: &Deployment) -> Option<&'a ReplicaSet> {
    let own = state.replica_sets.values().filter(|set| set.metadata.is_of(&deployment.metadata.uid));
    own.filter(|set| set.spec.template == deployment.spec.template).max_by_key(|set| set.revision())
}

/// All pods of a workload, old and new.
pub(super) fn all_pods<'a>(state: &'a State, subject: &Subject) -> Vec<&'a Pod> {
    let pods = |is: &dyn Fn(&Pod) -> bool| state.pods.values().filter(|pod| is(pod)).collect();
    match subject.kind {
        Kind::Deployment => {
            let Some(deployment) = state.deployments.get(&subject.name) else { return Vec::new() };
            let sets = state.replica_sets.values().filter(|set| set.metadata.is_of(&deployment.metadata.uid));
            let sets: Vec<&str> = sets.map(|set| set.metadata.uid.as_str()).collect();
            pods(&|pod| sets.iter().any(|set| pod.metadata.is_of(set)))
        }
        Kind::Pod => state.pods.get(&subject.name).into_iter().collect(),
        _ => uid(state, subject).map(|uid| pods(&|pod| pod.metadata.is_of(uid))).unwrap_or_default(),
    }
}

/// The uid of an object.
pub(super) fn uid<'a>(state: &'a State, subject: &Subject) -> Option<&'a str> {
    let name = &subject.name;
    let meta = match subject.kind {
        Kind::Deployment => &state.deployments.get(name)?.metadata,
        Kind::StatefulSet => &state.stateful_sets.get(name)?.metadata,
        Kind::DaemonSet => &state.daemon_sets.get(name)?.metadata,
        Kind::Job => &state.jobs.get(name)?.metadata,
        Kind::Pod => &state.pods.get(name)?.metadata,
    };
    Some(&meta.uid)
}

/// Whether the rollout can have touched an object already. While Helm runs, what it has not come to yet is as it was
/// before, and whatever befalls that is not of this rollout: an autoscaler may well make pods of it.
pub(super) fn is_touched(state: &State, noted: &Noted, subject: &Subject, applied: bool) -> bool {
    let template = match subject.kind {
        Kind::Deployment => state.deployments.get(&subject.name).map(|it| &it.spec.template),
        Kind::StatefulSet => state.stateful_sets.get(&subject.name).map(|it| &it.spec.template),
        Kind::DaemonSet => state.daemon_sets.get(&subject.name).map(|it| &it.spec.template),
        Kind::Job => return applied || uid(state, subject).is_some_and(|uid| !noted.uids.contains(uid)),
        Kind::Pod => return uid(state, subject).is_some_and(|uid| !noted.pods.contains_key(uid)),
    };
    applied || template.is_some_and(|template| noted.templates.get(&subject.to_string()) != Some(template))
}

/// The pods of the revision that a workload is brought to; none, while that cannot be known.
pub(super) fn new_pods<'a>(state: &'a State, subject: &Subject) -> Vec<&'a Pod> {
    let mut pods = all_pods(state, subject);
    pods.retain(|pod| !pod.metadata.is_ending());
    let hash = |pod: &Pod| pod.metadata.labels.get("controller-revision-hash").cloned().unwrap_or_default();
    match subject.kind {
        Kind::Deployment => {
            let set = state.deployments.get(&subject.name).and_then(|it| newest(state, it));
            pods.retain(|pod| set.is_some_and(|set| pod.metadata.is_of(&set.metadata.uid)));
        }
        Kind::StatefulSet => {
            let set = state.stateful_sets.get(&subject.name);
            let set = set.filter(|it| it.status.observed_generation >= it.metadata.generation);
            pods.retain(|pod| set.is_some_and(|set| hash(pod) == set.status.update_revision));
        }
        Kind::DaemonSet => {
            let set = state.daemon_sets.get(&subject.name);
            let revision = set.and_then(|set| {
                let own = state.revisions.values().filter(|revision| revision.metadata.is_of(&set.metadata.uid));
                own.filter(|it| it.data.spec.template == set.spec.template).max_by_key(|it| it.revision)
            });
            let wanted = revision.and_then(|revision| revision.metadata.labels.get("controller-revision-hash"));
            pods.retain(|pod| wanted.is_some_and(|wanted| hash(pod) == *wanted));
        }
        Kind::Job | Kind::Pod => {}
    }
    pods
}

/// Whether the pods that the rollout takes the place of have ended: until then they may still answer requests.
#[must_use]
pub fn old_pods_gone(state: &State, noted: &Noted, aim: &super::Aim) -> bool {
    aim.workloads.iter().all(|subject| {
        let new = new_pods(state, subject);
        // What a strategy leaves in place, `OnDelete` or a partition, is not about to end.
        let stays = subject.kind != Kind::Deployment;
        all_pods(state, subject).iter().filter(|pod| noted.pods.contains_key(&pod.metadata.uid)).all(|pod| {
            !pod.metadata.is_ending() && (stays || new.iter().any(|new| new.metadata.uid == pod.metadata.uid))
        })
    })
}
