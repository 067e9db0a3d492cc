use proptest::{collection, prelude::*, sample::select};
use serde_json::{Value, json};

use super::*;
use crate::{
    helm::{Chart, Release, Revision, Status},
    journal::Verdict,
};

/// A revision that deploys the content of that number.
fn revision(number: u32, status: Status, content: u32) -> Revision {
    let chart = Chart {
        name: "a".to_owned(),
        version: "1".to_owned(),
        app_version: String::new(),
        templates: Vec::new(),
        values: Value::Null,
    };
    let release = Release {
        name: "a".to_owned(),
        namespace: "n".to_owned(),
        revision: number,
        status,
        first_deployed: None,
        last_deployed: None,
        description: String::new(),
        chart,
        config: json!({ "content": content }),
        manifest: String::new(),
        hooks: Vec::new(),
    };
    Revision { number, release: Ok(release) }
}

fn kept(verdicts: impl IntoIterator<Item = (u32, Decision)>) -> Kept {
    let verdict = |verdict| Verdict {
        verdict,
        version: None,
        digest: None,
        migration: None,
        at: jiff::Timestamp::UNIX_EPOCH,
        gate: "deploy".to_owned(),
        why: String::new(),
    };
    Kept { journal: None, verdicts: verdicts.into_iter().map(|(number, it)| (number, verdict(it))).collect() }
}

#[test]
fn a_copy_of_what_runs_is_none_to_go_back_to() {
    let superseded = Status::Superseded;
    // 3 was bad, and 4 is 2 again.
    let history = History {
        revisions: vec![
            revision(1, superseded, 1),
            revision(2, superseded, 2),
            revision(3, superseded, 3),
            revision(4, Status::Deployed, 2),
        ],
    };
    let kept = kept([(1, Decision::Passed), (2, Decision::Passed), (3, Decision::Failed), (4, Decision::Passed)]);
    assert_eq!(previous(&history, &kept).map(|choice| choice.revision), Ok(1));
    assert_eq!(of_helm_alone(&history), Some(3));
}

#[test]
fn helm_alone_goes_nowhere_where_the_number_before_was_pruned() {
    let history = |numbers: &[u32]| History {
        revisions: numbers.iter().map(|number| revision(*number, Status::Superseded, *number)).collect(),
    };
    assert_eq!(of_helm_alone(&history(&[3, 5])), None);
    assert_eq!(of_helm_alone(&history(&[4, 5])), Some(4));
    assert_eq!(of_helm_alone(&history(&[])), None);
}

proptest! {
    /// Histories as releases have them: good and doomed revisions, rollbacks that make copies, some never judged. The
    /// doomed are `deployed` to Helm, and `superseded` later.
    #[test]
    fn previous_is_the_newest_that_was_good_and_is_another(
        made in collection::vec(
            (select(vec![Some(Decision::Passed), Some(Decision::Failed), Some(Decision::Undetermined), None]), 0..4u32),
            1..12,
        ),
    ) {
        let numbered = || made.iter().zip(1u32..);
        let revisions = numbered().map(|((_, content), number)| revision(number, Status::Superseded, *content));
        let history = History { revisions: revisions.collect() };
        let kept = kept(numbered().filter_map(|((decision, _), number)| Some((number, (*decision)?))));
        let runs = made.last().unwrap().1;
        let may = |wanted: &dyn Fn(Option<Decision>) -> bool| {
            let earlier = numbered().take(made.len() - 1);
            let right = earlier.filter(|((decision, content), _)| *content != runs && wanted(*decision));
            right.map(|(_, number)| number).last()
        };
        let passed = may(&|decision| decision == Some(Decision::Passed));
        let silent = may(&|decision| decision != Some(Decision::Failed));
        prop_assert_eq!(previous(&history, &kept).ok().map(|choice| choice.revision), passed.or(silent));
    }
}
