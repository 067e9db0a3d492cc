//! A release of plain manifests, which nobody but the journal keeps a record of: its revisions, and what a run that was
//! cut off left to do. Pure.

use super::{Decision, Holder, Journal, Kept, OnFailure, Phase, Recovery};

/// The revisions of a release of plain manifests. Zero is what was there before a gate came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// The one that is there; none where nothing is.
    pub current: Option<u32>,
    /// The one that comes next. No number is used twice, though what had it was taken away.
    pub next: u32,
}

impl Numbers {
    /// By what is kept, and whether any object of the release is there.
    #[must_use]
    pub fn of(kept: &Kept, any_there: bool) -> Self {
        let judged = kept.verdicts.last_key_value();
        let begun = kept.journal.as_ref().and_then(|journal| journal.to);
        let newest = judged.map(|(number, _)| *number).max(begun).unwrap_or(0);
        let current = match (judged, &kept.journal) {
            (None, _) => 0,
            // It failed, and what was there before was put back.
            (Some((number, verdict)), Some(journal))
                if verdict.verdict == Decision::Failed && journal.to == Some(*number) && is_undone(journal) =>
            {
                journal.from.unwrap_or(0)
            }
            (Some((number, _)), _) => *number,
        };
        Self { current: any_there.then_some(current), next: newest.saturating_add(1) }
    }
}

fn is_undone(journal: &Journal) -> bool {
    journal.phase == Phase::Done && journal.on_failure == OnFailure::Rollback
}

/// What to do about a release of plain manifests. `alive`: the holder of its Lease, if one lives.
///
/// Nothing is ever pending here: what was begun can be put back at any time, as long as there is the backup.
#[must_use]
pub fn plan_recovery_of_objects(journal: Option<&Journal>, alive: Option<&Holder>) -> Recovery {
    if let Some(holder) = alive {
        return Recovery::Wait(holder.clone());
    }
    let Some(journal) = journal.filter(|journal| journal.phase != Phase::Done) else { return Recovery::Nothing };
    match (journal.phase, journal.on_failure) {
        // Nothing was changed yet.
        (Phase::BackedUp | Phase::Done, _) => return Recovery::MarkDone,
        // Half way back is nowhere, whatever becomes of failures.
        (Phase::RollingBack, _) | (_, OnFailure::Rollback) => {}
        (_, OnFailure::Keep) => return Recovery::MarkDone,
    }
    match journal.from {
        _ if journal.backup.is_none() => Recovery::Refuse {
            why: "the run that was cut off wrote down no backup, so nobody knows what was there before".to_owned(),
        },
        // Nobody lived to judge it, and its volumes would go with it.
        None if journal.phase == Phase::Watching => Recovery::MarkDone,
        None => Recovery::Uninstall,
        Some(from) => Recovery::Rollback { to: from },
    }
}

#[cfg(test)]
mod tests;
