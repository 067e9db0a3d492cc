use jiff::Timestamp;
use proptest::{option, prelude::*, sample::select};

use super::{super::Verdict, *};

fn journal(phase: Phase, from: Option<u32>, to: Option<u32>, on_failure: OnFailure) -> Journal {
    let holder = Holder { gate: "deploy".to_owned(), run: "0f".to_owned(), at: None };
    let mut journal = Journal::new(&holder, Timestamp::UNIX_EPOCH, on_failure);
    (journal.phase, journal.from, journal.to) = (phase, from, to);
    journal.backup = Some("prodtest-backup-shop-1".to_owned());
    journal
}

fn kept(journal: Option<Journal>, verdicts: &[(u32, Decision)]) -> Kept {
    let verdict = |verdict: Decision| Verdict {
        verdict,
        version: None,
        digest: None,
        migration: None,
        at: Timestamp::UNIX_EPOCH,
        gate: "deploy".to_owned(),
        why: String::new(),
    };
    Kept { journal, verdicts: verdicts.iter().map(|(number, decision)| (*number, verdict(*decision))).collect() }
}

fn numbers(kept: &Kept, any_there: bool) -> (Option<u32>, u32) {
    let Numbers { current, next } = Numbers::of(kept, any_there);
    (current, next)
}

#[test]
fn what_was_there_before_a_gate_came_is_revision_zero() {
    assert_eq!(numbers(&kept(None, &[]), true), (Some(0), 1));
    assert_eq!(numbers(&kept(None, &[]), false), (None, 1));
}

#[test]
fn a_revision_that_was_undone_is_not_the_one_that_is_there() {
    let verdicts = [(1, Decision::Passed), (2, Decision::Failed)];
    let undone = journal(Phase::Done, Some(1), Some(2), OnFailure::Rollback);
    assert_eq!(numbers(&kept(Some(undone), &verdicts), true), (Some(1), 3));
    let left = journal(Phase::Done, Some(1), Some(2), OnFailure::Keep);
    assert_eq!(numbers(&kept(Some(left), &verdicts), true), (Some(2), 3));
}

#[test]
fn a_first_install_that_was_taken_away_keeps_its_number() {
    let gone = journal(Phase::Done, None, Some(1), OnFailure::Rollback);
    assert_eq!(numbers(&kept(Some(gone), &[(1, Decision::Failed)]), false), (None, 2));
}

#[test]
fn a_number_that_was_begun_and_never_judged_is_not_used_again() {
    let cut_off = journal(Phase::Done, Some(1), Some(2), OnFailure::Rollback);
    assert_eq!(numbers(&kept(Some(cut_off), &[(1, Decision::Passed)]), true), (Some(1), 3));
}

fn planned(phase: Phase, from: Option<u32>, on_failure: OnFailure) -> Recovery {
    plan_recovery_of_objects(Some(&journal(phase, from, Some(2), on_failure)), None)
}

#[test]
fn what_was_begun_is_put_back() {
    for phase in [Phase::Upgrading, Phase::Watching, Phase::RollingBack] {
        assert_eq!(planned(phase, Some(1), OnFailure::Rollback), Recovery::Rollback { to: 1 });
    }
    assert_eq!(planned(Phase::Upgrading, None, OnFailure::Rollback), Recovery::Uninstall);
}

#[test]
fn what_was_not_begun_or_is_to_be_kept_is_left() {
    assert_eq!(plan_recovery_of_objects(None, None), Recovery::Nothing);
    assert_eq!(planned(Phase::Done, Some(1), OnFailure::Rollback), Recovery::Nothing);
    assert_eq!(planned(Phase::BackedUp, Some(1), OnFailure::Rollback), Recovery::MarkDone);
    assert_eq!(planned(Phase::Upgrading, Some(1), OnFailure::Keep), Recovery::MarkDone);
    assert_eq!(planned(Phase::RollingBack, Some(1), OnFailure::Keep), Recovery::Rollback { to: 1 });
}

#[test]
fn a_first_install_that_nobody_judged_is_left() {
    assert_eq!(planned(Phase::Watching, None, OnFailure::Rollback), Recovery::MarkDone);
}

#[test]
fn without_a_backup_nobody_knows_the_way() {
    let mut lost = journal(Phase::Upgrading, Some(1), Some(2), OnFailure::Rollback);
    lost.backup = None;
    assert!(matches!(plan_recovery_of_objects(Some(&lost), None), Recovery::Refuse { .. }));
}

proptest! {
    #[test]
    fn nothing_is_touched_while_its_holder_lives(
        phase in select(vec![Phase::BackedUp, Phase::Upgrading, Phase::Watching, Phase::RollingBack, Phase::Done]),
        from in option::of(0u32..5),
        keep in any::<bool>(),
    ) {
        let on_failure = if keep { OnFailure::Keep } else { OnFailure::Rollback };
        let journal = journal(phase, from, Some(6), on_failure);
        let holder = journal.holder();
        prop_assert_eq!(plan_recovery_of_objects(Some(&journal), Some(&holder)), Recovery::Wait(holder));
    }

    #[test]
    fn no_number_is_used_twice(
        judged in proptest::collection::btree_set(1u32..9, 0..5),
        begun in option::of(1u32..9),
        any_there in any::<bool>(),
    ) {
        let verdicts: Vec<(u32, Decision)> = judged.iter().map(|number| (*number, Decision::Failed)).collect();
        let journal = begun.map(|to| journal(Phase::Done, Some(to - 1), Some(to), OnFailure::Rollback));
        let Numbers { current, next } = Numbers::of(&kept(journal, &verdicts), any_there);
        prop_assert!(judged.iter().chain(&begun).all(|number| *number < next));
        prop_assert!(current.is_none_or(|current| current < next));
    }
}
