//! What was heard, and whether there is anything to hear.

use std::collections::BTreeMap;

use prodtest_kube::ClusterError;
use tokio::time::Instant;

use super::State;

/// How one kind of object is heard of.
#[derive(Clone, Debug, Default)]
pub(super) struct Hearing {
    /// The last call for everything that a list answered.
    pub(super) listed: Option<u64>,
    /// Since when it fails, and why.
    pub(super) trouble: Option<(Instant, ClusterError)>,
    /// Whoever asks may not, and need not.
    pub(super) forbidden: bool,
}

impl Hearing {
    /// It failed; since when, the first failure says.
    pub(super) fn fail(&mut self, error: ClusterError) {
        let since = self.trouble.take().map_or_else(Instant::now, |(since, _)| since);
        self.trouble = Some((since, error));
    }
}

/// All that was heard.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    pub(super) state: State,
    hearings: BTreeMap<&'static str, Hearing>,
}

impl Heard {
    pub(super) fn hearing(&mut self, kind: &'static str) -> &mut Hearing {
        self.hearings.entry(kind).or_default()
    }

    /// Whether all kinds were listed for this call, or a later one.
    pub(super) fn is_fresh(&self, call: u64) -> bool {
        let mut all = self.hearings.values();
        all.all(|it| it.forbidden || (it.trouble.is_none() && it.listed.is_some_and(|listed| listed >= call)))
    }

    /// The kind that has not been heard of for longest.
    pub(super) fn trouble(&self) -> Option<&(Instant, ClusterError)> {
        self.hearings.values().filter_map(|it| it.trouble.as_ref()).min_by_key(|(since, _)| *since)
    }
}
