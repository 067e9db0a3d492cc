//! What is written is read again; what is not ours is said to be so.

use proptest::prelude::*;

use super::*;

fn journal() -> Journal {
    let holder = Holder { gate: "deploy".to_owned(), run: "1f".to_owned(), at: None };
    Journal::new(&holder, Timestamp::UNIX_EPOCH, OnFailure::Rollback)
}

fn verdict(verdict: Decision) -> Verdict {
    let (gate, why) = ("deploy".to_owned(), "3 of 3 pods are ready".to_owned());
    Verdict { verdict, version: None, digest: None, migration: None, at: Timestamp::UNIX_EPOCH, gate, why }
}

fn data(key: &str, text: &str) -> Data {
    [(key.to_owned(), text.to_owned())].into()
}

#[test]
fn a_journal_is_read_as_it_was_written() {
    let mut written = journal();
    (written.from, written.to, written.phase) = (Some(3), Some(4), Phase::RollingBack);
    let read = Kept::read(&data(JOURNAL, &serde_json::to_string(&written).unwrap())).unwrap();
    assert_eq!(read.journal, Some(written));
}

#[test]
fn nothing_kept_is_no_error() {
    assert_eq!(Kept::read(&Data::new()).unwrap(), Kept::default());
}

#[test]
fn garbage_is_an_error_that_names_the_key() {
    for (key, text) in [(JOURNAL, "{"), (JOURNAL, "{}"), (JOURNAL, "[]"), (VERDICTS, "[1]"), (VERDICTS, "{\"a\":1}")] {
        let error = Kept::read(&data(key, text)).unwrap_err();
        assert!(error.to_string().contains(&format!("`{key}`")), "{text}: {error}");
    }
}

#[test]
fn a_later_schema_is_told_from_garbage() {
    let error = Kept::read(&data(JOURNAL, "{\"schema\":2,\"phase\":\"teleporting\"}")).unwrap_err();
    assert_eq!(error, Unreadable::Later { schema: 2 });
}

proptest! {
    #[test]
    fn verdicts_stay_bounded_and_helms_own_are_kept(
        revisions in proptest::collection::vec(1_u32..500, 1..200),
        history in proptest::collection::vec(1_u32..500, 0..20),
    ) {
        let mut kept = Kept::default();
        for revision in &revisions {
            kept.decide(*revision, verdict(Decision::Failed), &history);
        }
        prop_assert!(kept.verdicts.len() <= MOST_VERDICTS + history.len());
        let judged = |revision: &&u32| revisions.contains(revision);
        for revision in history.iter().filter(judged) {
            prop_assert!(kept.verdicts.contains_key(revision));
        }
        let newest = revisions.iter().max().unwrap();
        prop_assert!(kept.verdicts.contains_key(newest));
        let text = serde_json::to_string(&kept.verdicts).unwrap();
        prop_assert!(text.len() < 100_000);
        prop_assert_eq!(Kept::read(&data(VERDICTS, &text)).unwrap(), kept);
    }
}
