//! Whatever is found, what is done about it ends in a known state.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

const LONG: Duration = Duration::from_secs(301);

fn holder() -> Holder {
    Holder { gate: "deploy".to_owned(), run: "1f".to_owned(), at: None }
}

fn journal(phase: Phase, from: Option<u32>, good: Option<u32>) -> Journal {
    let journal = Journal::new(&holder(), Timestamp::UNIX_EPOCH, OnFailure::Rollback);
    Journal { phase, from, good, ..journal }
}

fn helm(states: &[Status]) -> HelmState {
    let history = (1..).zip(states).map(|(number, state)| Revision { number, state: *state }).collect();
    HelmState { history, age: LONG }
}

/// What Helm makes of it; nothing, where it would refuse.
fn done(helm: &HelmState, recovery: &Recovery) -> Option<HelmState> {
    let mut after = helm.clone();
    match recovery {
        Recovery::Rollback { to } => {
            let newest = helm.history.last()?;
            helm.history.iter().find(|one| one.number == *to && !one.state.is_pending())?;
            after.history.push(Revision { number: newest.number + 1, state: Status::Deployed });
        }
        Recovery::Uninstall => after.history.clear(),
        _ => {}
    }
    Some(after)
}

fn any_state() -> impl Strategy<Value = Status> {
    use Status::{
        Deployed, Failed, PendingInstall, PendingRollback, PendingUpgrade, Superseded, Uninstalled, Uninstalling,
        Unknown,
    };
    proptest::sample::select(vec![
        Deployed,
        Superseded,
        Failed,
        PendingInstall,
        PendingUpgrade,
        PendingRollback,
        Uninstalling,
        Uninstalled,
        Unknown,
    ])
}

fn any_journal() -> impl Strategy<Value = Option<Journal>> {
    use Phase::{BackedUp, Done, RollingBack, Upgrading, Watching};
    let phase = proptest::sample::select(vec![BackedUp, Upgrading, Watching, RollingBack, Done]);
    let number = || proptest::option::of(0_u32..8);
    let made = (phase, number(), number(), number(), any::<bool>()).prop_map(|(phase, from, to, good, keep)| {
        let on_failure = if keep { OnFailure::Keep } else { OnFailure::Rollback };
        Journal { to, on_failure, ..journal(phase, from, good) }
    });
    proptest::option::of(made)
}

fn any_helm() -> impl Strategy<Value = HelmState> {
    let history = proptest::collection::vec(any_state(), 0..6);
    (history, 0_u32..4, 0_u64..600).prop_map(|(states, pruned, age)| {
        let mut helm = helm(&states);
        for revision in &mut helm.history {
            revision.number += pruned;
        }
        HelmState { age: Duration::from_secs(age), ..helm }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn whatever_is_found_the_end_is_known(
        journal in any_journal(), helm in any_helm(), alive in any::<bool>(), asked in any::<bool>(),
    ) {
        let holder = holder();
        let recovery = plan_recovery(journal.as_ref(), &helm, alive.then_some(&holder), asked);
        match &recovery {
            Recovery::Wait(who) => prop_assert!(alive && *who == holder),
            Recovery::Refuse { why } => prop_assert!(!why.is_empty()),
            _ => {
                prop_assert!(!alive, "somebody is at it");
                let after = done(&helm, &recovery);
                prop_assert!(after.is_some(), "Helm would refuse {:?}", recovery);
                let current = after.and_then(|after| after.history.last().copied());
                prop_assert!(current.is_none_or(|current| !current.state.is_pending()), "{:?}", recovery);
            }
        }
    }

    #[test]
    fn what_nobody_wrote_down_is_freed_late_and_only_when_asked(helm in any_helm(), asked in any::<bool>()) {
        let changes = |recovery: &Recovery| matches!(recovery, Recovery::Rollback { .. } | Recovery::Uninstall);
        let recovery = plan_recovery(None, &helm, None, asked);
        let pending = helm.history.last().is_some_and(|current| current.state.is_pending());
        prop_assert!(!changes(&recovery) || (asked && pending && helm.age > PENDING_PATIENCE));
    }

    #[test]
    fn what_is_done_twice_is_done_once(journal in any_journal(), helm in any_helm()) {
        let Some(mut journal) = journal else { return Ok(()) };
        let first = plan_recovery(Some(&journal), &helm, None, true);
        let Some(after) = done(&helm, &first) else { return Ok(()) };
        if matches!(first, Recovery::Refuse { .. }) {
            return Ok(());
        }
        // Its own journal says that it rolls back, or that nothing is left.
        journal.phase = Phase::Done;
        prop_assert_eq!(plan_recovery(Some(&journal), &after, None, true), Recovery::Nothing);
    }
}

#[test]
fn an_upgrade_that_was_cut_off_goes_back_to_the_good_revision() {
    use Status::{Deployed, Failed, PendingRollback, PendingUpgrade, Superseded};
    let to_one = Recovery::Rollback { to: 1 };
    let upgrading = journal(Phase::Upgrading, Some(2), Some(1));
    assert_eq!(plan_recovery(Some(&upgrading), &helm(&[Superseded, Deployed, PendingUpgrade]), None, false), to_one);
    assert_eq!(plan_recovery(Some(&upgrading), &helm(&[Superseded, Deployed, Failed]), None, false), to_one);
    // Helm calls it deployed; nobody lived to see whether it is good.
    assert_eq!(plan_recovery(Some(&upgrading), &helm(&[Superseded, Superseded, Deployed]), None, false), to_one);
    let back = journal(Phase::RollingBack, Some(2), Some(1));
    let stuck = helm(&[Superseded, Superseded, Deployed, PendingRollback]);
    assert_eq!(plan_recovery(Some(&back), &stuck, None, false), to_one);
}

#[test]
fn even_what_is_kept_on_failure_is_not_left_pending() {
    let kept = Journal { on_failure: OnFailure::Keep, ..journal(Phase::Upgrading, Some(1), Some(1)) };
    let pending = helm(&[Status::Deployed, Status::PendingUpgrade]);
    assert_eq!(plan_recovery(Some(&kept), &pending, None, false), Recovery::Rollback { to: 1 });
    let failed = helm(&[Status::Deployed, Status::Failed]);
    assert_eq!(plan_recovery(Some(&kept), &failed, None, false), Recovery::MarkDone);
}

#[test]
fn a_first_install_that_never_got_there_is_uninstalled() {
    let first = journal(Phase::Upgrading, None, None);
    for state in [Status::PendingInstall, Status::Failed, Status::Uninstalling] {
        assert_eq!(plan_recovery(Some(&first), &helm(&[state]), None, false), Recovery::Uninstall, "{state:?}");
    }
    assert_eq!(plan_recovery(Some(&first), &helm(&[]), None, false), Recovery::MarkDone, "Helm had not begun");
}

#[test]
fn a_first_install_that_nobody_judged_is_not_taken_away() {
    let installed = helm(&[Status::Deployed]);
    assert_eq!(plan_recovery(Some(&journal(Phase::Watching, None, None)), &installed, None, false), Recovery::MarkDone);
    let back = journal(Phase::RollingBack, None, None);
    assert_eq!(plan_recovery(Some(&back), &installed, None, false), Recovery::Uninstall, "it was judged");
}

#[test]
fn what_was_not_touched_yet_is_left_alone() {
    let backed_up = journal(Phase::BackedUp, Some(1), Some(1));
    assert_eq!(plan_recovery(Some(&backed_up), &helm(&[Status::Deployed]), None, false), Recovery::MarkDone);
    let upgrading = journal(Phase::Upgrading, Some(1), Some(1));
    assert_eq!(plan_recovery(Some(&upgrading), &helm(&[Status::Deployed]), None, false), Recovery::MarkDone);
    let by_another = helm(&[Status::Superseded, Status::Superseded, Status::Deployed]);
    assert_eq!(plan_recovery(Some(&upgrading), &by_another, None, false), Recovery::MarkDone);
    // Somebody's Helm runs: it is not of the run that had only backed up.
    let pending = HelmState { age: Duration::ZERO, ..helm(&[Status::Deployed, Status::PendingUpgrade]) };
    assert!(matches!(plan_recovery(Some(&backed_up), &pending, None, true), Recovery::Refuse { .. }));
}

#[test]
fn a_rollback_that_ended_is_only_written_down() {
    let back = journal(Phase::RollingBack, Some(1), Some(1));
    let ended = helm(&[Status::Superseded, Status::Superseded, Status::Deployed]);
    assert_eq!(plan_recovery(Some(&back), &ended, None, false), Recovery::MarkDone);
}
