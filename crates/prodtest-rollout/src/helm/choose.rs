//! Which earlier revision is good enough to go back to.
//!
//! Helm's status alone never says: without `--wait` a doomed revision is `deployed`, and `superseded` later. So what was
//! measured comes first.

use std::collections::BTreeMap;

use super::Status;

/// What a gate recorded of a revision when it deployed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It was measured, and good.
    Passed,
    /// It was measured, and bad.
    Failed,
    /// It could not be measured.
    Undetermined,
}

/// The revision to go back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its number.
    pub revision: u32,
    /// Why this one.
    pub why: Why,
}

/// Why it is that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The newest that a gate measured to be good.
    Passed,
    /// None was measured to be good; it is the newest that nothing speaks against. That it was good is not known.
    NothingAgainst,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Passed => "the newest earlier revision that a gate found good",
            Self::NothingAgainst => {
                "no earlier revision is recorded as good; this is the newest that nothing is recorded against"
            }
        })
    }
}

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoChoice {
    /// The history has none before it.
    #[error("there is no revision before {0}: it is the first, or Helm has pruned the others (`--history-max`)")]
    NoneEarlier(u32),
    /// All before it are bad, were never finished, or cannot be read.
    #[error("every revision before {0} failed, was never finished, or cannot be read")]
    NoneGood(u32),
}

/// Chooses an earlier revision than `current`. `history`: number and status of each, in any order; no status where the
/// record cannot be read.
///
/// # Errors
/// When there is none to go back to.
pub fn choose(
    history: &[(u32, Option<Status>)],
    current: u32,
    recorded: &BTreeMap<u32, Recorded>,
) -> Result<Choice, NoChoice> {
    let earlier = || history.iter().filter(|(number, _)| *number < current);
    let whole = || earlier().filter(|(_, status)| status.is_some_and(Status::is_whole)).map(|(number, _)| *number);
    let of = |number: &u32| recorded.get(number);
    let passed = whole().filter(|number| of(number) == Some(&Recorded::Passed)).max();
    let silent = || whole().filter(|number| of(number) != Some(&Recorded::Failed)).max();
    match (passed, silent) {
        (Some(revision), _) => Ok(Choice { revision, why: Why::Passed }),
        (None, silent) => match silent() {
            Some(revision) => Ok(Choice { revision, why: Why::NothingAgainst }),
            None if earlier().next().is_none() => Err(NoChoice::NoneEarlier(current)),
            None => Err(NoChoice::NoneGood(current)),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection, option, prelude::*, sample::select};

    use super::*;

    const STATUSES: [Status; 9] = [
        Status::Deployed,
        Status::Superseded,
        Status::Failed,
        Status::PendingInstall,
        Status::PendingUpgrade,
        Status::PendingRollback,
        Status::Uninstalling,
        Status::Uninstalled,
        Status::Unknown,
    ];
    const RECORDED: [Recorded; 3] = [Recorded::Passed, Recorded::Failed, Recorded::Undetermined];

    fn chosen(history: &[(u32, Status)], recorded: &[(u32, Recorded)]) -> Result<Choice, NoChoice> {
        let history: Vec<_> = history.iter().map(|(number, status)| (*number, Some(*status))).collect();
        choose(&history, 9, &recorded.iter().copied().collect())
    }

    #[test]
    fn what_was_measured_comes_before_what_is_newer() {
        let history =
            [(6, Status::Superseded), (7, Status::Superseded), (8, Status::Superseded), (9, Status::Deployed)];
        let choice = chosen(&history, &[(6, Recorded::Passed), (7, Recorded::Undetermined), (8, Recorded::Failed)]);
        assert_eq!(choice, Ok(Choice { revision: 6, why: Why::Passed }));
        let choice = chosen(&history, &[(7, Recorded::Undetermined), (8, Recorded::Failed)]);
        assert_eq!(choice, Ok(Choice { revision: 7, why: Why::NothingAgainst }));
    }

    #[test]
    fn a_revision_that_helm_did_not_finish_is_none_to_go_back_to() {
        let history = [(5, Status::Superseded), (7, Status::Failed), (8, Status::PendingUpgrade)];
        // Whatever was recorded of it.
        let choice = chosen(&history, &[(7, Recorded::Passed), (8, Recorded::Passed)]);
        assert_eq!(choice, Ok(Choice { revision: 5, why: Why::NothingAgainst }));
        assert_eq!(chosen(&history[1..], &[]), Err(NoChoice::NoneGood(9)));
        assert_eq!(chosen(&[(9, Status::Deployed)], &[(9, Recorded::Passed)]), Err(NoChoice::NoneEarlier(9)));
    }

    proptest! {
        #[test]
        fn the_choice_is_earlier_finished_not_bad_and_the_newest_of_its_kind(
            history in collection::btree_map(1..12u32, option::weighted(0.9, select(&STATUSES[..])), 0..10),
            recorded in collection::btree_map(1..12u32, select(&RECORDED[..]), 0..10),
            current in 1..13u32,
        ) {
            let list: Vec<_> = history.iter().map(|(number, status)| (*number, *status)).collect();
            let may = |number: u32| {
                let finished = history.get(&number).copied().flatten().is_some_and(Status::is_whole);
                number < current && finished && recorded.get(&number) != Some(&Recorded::Failed)
            };
            let good = |number: u32| may(number) && recorded.get(&number) == Some(&Recorded::Passed);
            match choose(&list, current, &recorded) {
                Ok(Choice { revision, why: Why::Passed }) => {
                    prop_assert!(good(revision));
                    prop_assert!(!(revision + 1..current).any(good));
                }
                Ok(Choice { revision, why: Why::NothingAgainst }) => {
                    prop_assert!(may(revision));
                    prop_assert!(!(1..current).any(good));
                    prop_assert!(!(revision + 1..current).any(may));
                }
                Err(NoChoice::NoneEarlier(_)) => prop_assert!(history.range(..current).next().is_none()),
                Err(NoChoice::NoneGood(_)) => {
                    prop_assert!(history.range(..current).next().is_some());
                    prop_assert!(!(1..current).any(may));
                }
            }
        }
    }
}
