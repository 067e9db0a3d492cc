//! The two ways by which a release gets into the cluster: Helm, or plain manifests by server-side apply.
//!
//! All else is the same for both: render, keep, write down, change while the cluster and its users are watched, look,
//! go back. [`Way`] is where they part, and [`Change`] what is under way meanwhile.

use std::time::Duration;

use crate::helm::{Ended, Helm, Running};
use prodtest_gate::Place;

use super::{Session, Step, facts::Trouble, helm_way, manifests_way::Applying, plan::What, upgrade::Rendered};

/// A way.
pub enum Way {
    /// A chart, by this Helm.
    Helm(Helm),
    /// Manifests as they are.
    Manifests,
}

impl Way {
    /// By what, for people.
    pub(super) fn by(&self) -> String {
        match self {
            Self::Helm(helm) => format!("helm {}", helm.version()),
            Self::Manifests => "server-side apply".to_owned(),
        }
    }

    /// Begins to put it in.
    pub(super) fn start(&self, session: &Session<'_>, cluster: &prodtest_kube::Cluster, rendered: &Rendered) -> Change {
        match self {
            Self::Helm(helm) => Change::Helm(Box::new(helm_way::start(session, helm, rendered))),
            Self::Manifests => Change::Objects(Applying::start(cluster, session.plan.namespace(), rendered)),
        }
    }
}

impl Session<'_> {
    /// The way of this plan; Helm is looked for where it is Helm's.
    ///
    /// # Errors
    /// When there is no Helm.
    pub async fn way(&mut self) -> Step<Way> {
        match self.plan.what {
            Some(What::Manifests(_)) => Ok(Way::Manifests),
            Some(What::Chart { .. }) | None => self.helm().await.map(Way::Helm),
        }
    }
}

/// Why a change did not come to a good end, and where that is thought to come from.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) trouble: Trouble,
    pub(super) place: Option<Place>,
}

impl Failure {
    /// Of nowhere in particular.
    pub(super) const fn new(trouble: Trouble) -> Self {
        Self { trouble, place: None }
    }
}

/// A change under way.
pub(super) enum Change {
    /// Helm runs.
    Helm(Box<Running>),
    /// Objects are put in, one after the other.
    Objects(Applying),
}

impl Change {
    /// Waits for its end. Can be given up and called again.
    pub(super) async fn wait(&mut self) -> Result<(), Failure> {
        match self {
            Self::Helm(running) => ended(&running.wait().await),
            Self::Objects(applying) => applying.wait().await,
        }
    }

    /// Ends it, for it is no longer wanted, within that time.
    pub(super) async fn end(&mut self, grace: Duration) -> Result<(), Failure> {
        match self {
            Self::Helm(running) => Err(Failure::new(helm_way::trouble(&running.end(grace).await))),
            Self::Objects(applying) => applying.end(grace).await,
        }
    }

    /// Whether it runs hooks, so that what is doomed before its end is one of them.
    pub(super) const fn has_hooks(&self) -> bool {
        matches!(self, Self::Helm(_))
    }
}

fn ended(ended: &Ended) -> Result<(), Failure> {
    match ended {
        Ended::Done(_) => Ok(()),
        other => Err(Failure::new(helm_way::trouble(other))),
    }
}
