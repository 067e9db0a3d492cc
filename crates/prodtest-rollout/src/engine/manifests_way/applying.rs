//! Objects on their way into the cluster, one after the other; the first that is not taken ends it.

use std::time::Duration;

use crate::{
    apply::{Applier, Manner},
    trace::ChartFiles,
};
use prodtest_kube::Cluster;
use tokio::{task::JoinSet, time::timeout};

use super::failure;
use crate::engine::{facts::Trouble, upgrade::Rendered, way::Failure};

/// It ends with this. A task of its own, for half a request is none: who stops waiting for it does not cut it off.
pub(in crate::engine) struct Applying(JoinSet<Result<(), Failure>>);

impl Applying {
    /// Begins. What was tried before is taken, or else somebody changed something meanwhile.
    pub(in crate::engine) fn start(cluster: &Cluster, namespace: &str, rendered: &Rendered) -> Self {
        let (cluster, namespace) = (cluster.clone(), namespace.to_owned());
        let documents = rendered.documents.clone();
        // Only for the place of what is refused.
        let written: ChartFiles = rendered.written.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let applier = Applier::new(&cluster, &namespace);
            for document in &documents {
                let (outcome, _) = applier.apply(&document.object, Manner::default()).await;
                if let Some(failure) = failure(&written, document, &outcome) {
                    return Err(failure);
                }
            }
            Ok(())
        });
        Self(task)
    }

    /// Waits for its end. Can be given up and called again.
    pub(in crate::engine) async fn wait(&mut self) -> Result<(), Failure> {
        match self.0.join_next().await {
            Some(Ok(end)) => end,
            Some(Err(_)) | None => Err(unfinished()),
        }
    }

    /// Lets it come to its end within that time: the rest is a matter of moments, and what is half way is harder to undo.
    pub(in crate::engine) async fn end(&mut self, grace: Duration) -> Result<(), Failure> {
        match timeout(grace, self.wait()).await {
            Ok(end) => end,
            Err(_) => {
                self.0.shutdown().await;
                Err(unfinished())
            }
        }
    }
}

fn unfinished() -> Failure {
    Failure::new(Trouble::unmeasured("not all objects were put into the cluster", None))
}
