//! What a run that was cut off left to do. Pure.
//!
//! Facts of Helm 3 and 4, tried on a cluster: `helm rollback RELEASE REVISION` works on a release that is
//! `pending-upgrade` or `pending-rollback`, and leaves it `deployed`; one that is `pending-install` has nothing to go
//! back to, and `helm uninstall` frees it.

use std::time::Duration;

use jiff::Timestamp;

use super::{Holder, Journal, OnFailure, Phase};
use crate::helm::{History, Status};

/// Helm's default timeout: a release that is pending for longer has no Helm of that timeout behind it any more.
pub const PENDING_PATIENCE: Duration = Duration::from_secs(300);

/// A revision in Helm's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its number.
    pub number: u32,
    /// What Helm thinks of it.
    pub state: Status,
}

/// What Helm has of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelmState {
    /// Its history, the newest last; empty, where there is no release.
    pub history: Vec<Revision>,
    /// How long ago the newest was written (`last_deployed`).
    pub age: Duration,
}

impl HelmState {
    /// What a history comes to at that time. A record that cannot be read is of unknown status.
    #[must_use]
    pub fn of(history: &History, now: Timestamp) -> Self {
        let newest = history.newest().and_then(|newest| newest.release.as_ref().ok());
        let age = newest.and_then(|release| release.last_deployed).map(|at| now.duration_since(at));
        let revision =
            |(number, status): (u32, Option<Status>)| Revision { number, state: status.unwrap_or(Status::Unknown) };
        Self {
            history: history.statuses().into_iter().map(revision).collect(),
            // One of the future is of a clock that goes ahead.
            age: age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default(),
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing was left.
    Nothing,
    /// Somebody is at it.
    Wait(Holder),
    /// Back to this revision: `helm rollback`, or what the backup has.
    Rollback {
        /// It.
        to: u32,
    },
    /// A first install that never got there is taken away: `helm uninstall`, or what the backup has not.
    Uninstall,
    /// The release is in order; the journal is to say so.
    MarkDone,
    /// A person has to look.
    Refuse {
        /// Why.
        why: String,
    },
}

/// What to do about a release.
///
/// `alive`: the holder of its Lease, if one lives. `asked`: a person said that a release that is stuck without a
/// journal of ours is to be freed.
#[must_use]
pub fn plan_recovery(journal: Option<&Journal>, helm: &HelmState, alive: Option<&Holder>, asked: bool) -> Recovery {
    if let Some(holder) = alive {
        return Recovery::Wait(holder.clone());
    }
    // What was backed up was not touched yet: what is there is not of that run.
    let unfinished = journal.filter(|journal| journal.phase != Phase::Done);
    let touched = unfinished.filter(|journal| journal.phase != Phase::BackedUp);
    let settled = if unfinished.is_some() { Recovery::MarkDone } else { Recovery::Nothing };
    let Some(current) = helm.history.last() else { return settled };
    let ours = touched.filter(|journal| current.number > journal.from.unwrap_or(0));
    match (ours, current.state) {
        (Some(journal), state) if state.is_pending() || state == Status::Uninstalling => put_back(journal, helm),
        (None, state) if state.is_pending() => free(helm, *current, asked),
        (None, Status::Uninstalling) => refuse("Helm is uninstalling it, or was cut off: run `helm uninstall` again"),
        (Some(journal), _) => settle(journal, helm, *current),
        (None, _) => settled,
    }
}

/// A release that is not pending, and newer than what the run began with.
fn settle(journal: &Journal, helm: &HelmState, current: Revision) -> Recovery {
    let made = journal.to.unwrap_or_else(|| journal.from.unwrap_or(0).saturating_add(1));
    let whole = current.state.is_whole();
    let by_another = current.number > made;
    match journal.phase {
        // A rollback is a revision of its own.
        Phase::RollingBack if by_another && whole => Recovery::MarkDone,
        Phase::RollingBack => put_back(journal, helm),
        // Somebody else went on since.
        _ if by_another || current.state == Status::Uninstalled => Recovery::MarkDone,
        // Nobody lived to judge it, and with an uninstall its volumes would go.
        _ if journal.from.is_none() && whole => Recovery::MarkDone,
        _ if journal.on_failure == OnFailure::Rollback => put_back(journal, helm),
        _ => Recovery::MarkDone,
    }
}

/// Back to where the run began.
fn put_back(journal: &Journal, helm: &HelmState) -> Recovery {
    if journal.from.is_none()
        && helm.history.iter().all(|revision| !revision.state.is_whole() || is_newest(helm, *revision))
    {
        return Recovery::Uninstall;
    }
    let began = |number: u32| helm.history.iter().any(|one| one.number == number && !one.state.is_pending());
    let good = journal.good.filter(|good| began(*good));
    let from = journal.from.filter(|from| began(*from));
    match good.or_else(|| last_whole(helm)).or(from) {
        Some(to) => Recovery::Rollback { to },
        None => refuse("no revision that Helm still has was ever whole, so there is none to go back to"),
    }
}

/// A release that is pending, and nobody wrote down why.
fn free(helm: &HelmState, current: Revision, asked: bool) -> Recovery {
    let HelmState { age, .. } = helm;
    if *age <= PENDING_PATIENCE {
        return refuse(&format!(
            "revision {} is pending since {} s, and no gate wrote down why: a Helm of somebody else's may still run; \
             it is left alone for {} s, Helm's default timeout",
            current.number,
            age.as_secs(),
            PENDING_PATIENCE.as_secs()
        ));
    }
    if !asked {
        return refuse(&format!(
            "revision {} is pending since {} s, and no gate wrote down why: if no Helm runs any more, run with \
             `--recover`",
            current.number,
            age.as_secs()
        ));
    }
    match last_whole(helm) {
        Some(to) => Recovery::Rollback { to },
        None if current.state == Status::PendingInstall => Recovery::Uninstall,
        None => refuse("no revision that Helm still has was ever whole, so there is none to go back to"),
    }
}

fn is_newest(helm: &HelmState, revision: Revision) -> bool {
    helm.history.last() == Some(&revision)
}

/// The newest revision but the current one that Helm came to an end with.
fn last_whole(helm: &HelmState) -> Option<u32> {
    let earlier = helm.history.split_last().map_or(&[][..], |(_, earlier)| earlier);
    earlier.iter().rev().find(|revision| revision.state.is_whole()).map(|revision| revision.number)
}

fn refuse(why: &str) -> Recovery {
    Recovery::Refuse { why: why.to_owned() }
}

#[cfg(test)]
mod tests;
