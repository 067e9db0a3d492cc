//! Where a release goes back to, should the revision that is made next be bad. Pure.

use std::collections::BTreeMap;

use crate::{
    helm::{Choice, History, NoChoice, Recorded, choose},
    journal::{Decision, Kept},
};

/// A release, before its next revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeforeNext {
    /// The newest revision; none before a first install.
    pub newest: Option<u32>,
    /// The number of the one that is made next.
    pub next: u32,
    /// The one to go back to, which may be the newest.
    pub good: Result<Choice, NoChoice>,
}

/// What Helm's record and the verdicts of the gates say of it.
#[must_use]
pub fn before_next(history: &History, kept: &Kept) -> BeforeNext {
    let recorded: BTreeMap<u32, Recorded> = kept
        .verdicts
        .iter()
        .map(|(revision, verdict)| {
            let recorded = match verdict.verdict {
                Decision::Passed => Recorded::Passed,
                Decision::Failed => Recorded::Failed,
                Decision::Undetermined => Recorded::Undetermined,
            };
            (*revision, recorded)
        })
        .collect();
    let newest = history.newest().map(|newest| newest.number);
    let next = newest.map_or(1, |newest| newest.saturating_add(1));
    BeforeNext { newest, next, good: choose(&history.statuses(), next, &recorded) }
}
