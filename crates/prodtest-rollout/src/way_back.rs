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
    let recorded = recorded(kept);
    let newest = history.newest().map(|newest| newest.number);
    let next = newest.map_or(1, |newest| newest.saturating_add(1));
    BeforeNext { newest, next, good: choose(&history.statuses(), next, &recorded) }
}

/// The revision before the newest that `previous` means: the newest that a gate found good, else the newest that nothing
/// speaks against. One that is the same as the newest (a rollback makes a copy) is none to go back to.
///
/// # Errors
/// When there is none.
pub fn previous(history: &History, kept: &Kept) -> Result<Choice, NoChoice> {
    let newest = history.newest();
    let runs = newest.and_then(|newest| newest.release.as_ref().ok());
    let is_same = |number: u32| match (runs, history.release(number)) {
        (Some(runs), Some(earlier)) => {
            (&runs.manifest, &runs.config, &runs.hooks) == (&earlier.manifest, &earlier.config, &earlier.hooks)
        }
        _ => false,
    };
    best(history, kept, |one| !is_same(one))
}

/// The best of the revisions before the newest that may be: the newest that a gate found good, else the newest that nothing
/// speaks against.
///
/// # Errors
/// When there is none.
pub fn best(history: &History, kept: &Kept, may_be: impl Fn(u32) -> bool) -> Result<Choice, NoChoice> {
    let newest = history.newest().map_or(1, |newest| newest.number);
    let mut others = history.statuses();
    others.retain(|(one, _)| may_be(*one));
    choose(&others, newest, &recorded(kept))
}

/// Where `helm rollback` goes that is not told: to the number before the newest, whatever its status
/// (`pkg/action/rollback.go`). None, where it would go nowhere.
#[must_use]
pub fn of_helm_alone(history: &History) -> Option<u32> {
    let before = history.newest()?.number.checked_sub(1)?;
    history.revisions.iter().map(|one| one.number).find(|number| *number == before)
}

fn recorded(kept: &Kept) -> BTreeMap<u32, Recorded> {
    let of = |decision| match decision {
        Decision::Passed => Recorded::Passed,
        Decision::Failed => Recorded::Failed,
        Decision::Undetermined => Recorded::Undetermined,
    };
    kept.verdicts.iter().map(|(revision, verdict)| (*revision, of(verdict.verdict))).collect()
}

#[cfg(test)]
mod tests;
