//! What the cluster makes of a rollout: done, doomed, or neither yet.
//!
//! [`Watch`] hears of all objects of a namespace that matter; [`Tracker`], which is pure, makes of one [`State`] after
//! the other what it means; [`Follow`] brings the two together, and [`RolloutFacts`] are what stays. [`diagnose`] asks
//! for what a person needs once a rollout is doomed.

mod aim;
mod control;
mod diagnose;
mod doom;
mod facts;
mod follow;
mod hearing;
mod listen;
pub mod objects;
mod patience;
mod progress;
mod raw;
mod revision;
mod store;
mod timeline;
mod tracker;

use std::{sync::Arc, time::Duration};

use prodtest_gate::Rule;
use prodtest_kube::{Cluster, ClusterError, Problem};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout},
};

pub use aim::{Aim, Kind, Noted, Subject};
pub use control::controls;
pub use diagnose::{Diagnosis, Log, diagnose};
pub use doom::DoomKind;
pub use facts::{Blindness, Evidence, Moment, RolloutFacts, RolloutVerdict, What};
pub use follow::{Follow, follow};
pub use patience::Patience;
pub use revision::old_pods_gone;
pub use store::{Shelf, State};
pub use tracker::{Assessment, Tracker};

use hearing::Heard;
use listen::Listener;
use objects::{Autoscaler, Claim, DaemonSet, Deployment, Event, Job, Node, Pod, ReplicaSet, Revision, StatefulSet};
use store::Kept;

/// How long an overloaded or absent API server is borne with at the start.
const START: Duration = Duration::from_secs(30);

/// A namespace that is heard of, until this is dropped.
#[derive(Debug)]
pub struct Watch {
    heard: watch::Receiver<Heard>,
    again: watch::Sender<u64>,
    _listeners: JoinSet<()>,
}

impl Watch {
    /// Begins to listen, and waits until all kinds have been listed once.
    ///
    /// # Errors
    /// When a kind may not be read, or the cluster does not answer for 30 s. Nodes need not be allowed.
    pub async fn start(cluster: &Cluster, namespace: &str) -> Result<Self, ClusterError> {
        let (sender, heard) = watch::channel(Heard::default());
        let sender = Arc::new(sender);
        let again = watch::Sender::new(0);
        let mut listeners = JoinSet::new();
        macro_rules! listen {
            ($($kind:ty)*) => {$(
                sender.send_modify(|heard| *heard.hearing(<$kind>::PLURAL) = hearing::Hearing::default());
                let listener = Listener {
                    cluster: cluster.clone(),
                    namespace: namespace.to_owned(),
                    heard: Arc::clone(&sender),
                    again: again.subscribe(),
                };
                listeners.spawn(listener.run::<$kind>());
            )*};
        }
        listen! { Pod Event Deployment ReplicaSet StatefulSet DaemonSet Revision Job Claim Autoscaler Node }
        let mut watch = Self { heard, again, _listeners: listeners };
        let first = async {
            loop {
                match watch.blind() {
                    Some((_, error)) if !may_pass(&error.problem) => return Err(error),
                    _ if watch.is_fresh(0) => return Ok(()),
                    _ => watch.changed().await,
                }
            }
        };
        match timeout(START, first).await {
            Ok(Ok(())) => Ok(watch),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let call = prodtest_kube::Call {
                    asked: format!("list the objects in the namespace `{namespace}`"),
                    rule: Rule::new(namespace, "", &["pods"], &["list", "watch"]),
                };
                let error = || cluster.error(&call, Problem::NoAnswer(START));
                Err(watch.blind().map_or_else(error, |(_, error)| error))
            }
        }
    }

    /// What is known now.
    #[must_use]
    pub fn state(&self) -> State {
        self.heard.borrow().state.clone()
    }

    /// Looks at what is known now without a copy.
    pub fn with<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.heard.borrow().state)
    }

    /// Waits until something was heard.
    pub async fn changed(&mut self) {
        // The listeners end only with this.
        if self.heard.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Since when a kind of object has not been heard of, and why; none while all are.
    #[must_use]
    pub fn blind(&self) -> Option<(Instant, ClusterError)> {
        self.heard.borrow().trouble().cloned()
    }

    /// Asks for everything anew. [`Self::is_fresh`] says when the answers are there: whatever had been written to the
    /// cluster before is then known.
    pub fn refresh(&self) -> u64 {
        self.again.send_modify(|calls| *calls += 1);
        *self.again.borrow()
    }

    /// Whether what is known is as new as that call.
    #[must_use]
    pub fn is_fresh(&self, call: u64) -> bool {
        self.heard.borrow().is_fresh(call)
    }
}

/// Whether it is worth to ask again.
const fn may_pass(problem: &Problem) -> bool {
    match problem {
        Problem::Refused { code, .. } => *code == 429 || *code == 410 || *code >= 500,
        Problem::NoAnswer(_) | Problem::Unreachable(_) | Problem::Garbage(_) => true,
        _ => false,
    }
}

/// What one must be allowed to do in a namespace to watch a rollout there. Nodes are read too where a ClusterRole lets
/// them be; without it, a node that is gone is known only by what its pods say.
#[must_use]
pub fn rules(namespace: &str) -> Vec<Rule> {
    let read = &["get", "list", "watch"];
    vec![
        Rule::new(namespace, "", &["pods", "events", "persistentvolumeclaims"], read),
        Rule::new(namespace, "", &["pods/log"], &["get"]),
        Rule::new(
            namespace,
            "apps",
            &["deployments", "replicasets", "statefulsets", "daemonsets", "controllerrevisions"],
            read,
        ),
        Rule::new(namespace, "batch", &["jobs"], read),
        Rule::new(namespace, "autoscaling", &["horizontalpodautoscalers"], read),
    ]
}

#[cfg(test)]
mod tests;
