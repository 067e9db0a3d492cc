//! What is said of a database, by example.

use std::collections::BTreeSet;

use prodtest_gate::{Outcome, Place};

use super::*;

fn state() -> State {
    let room = |of: &str, most, used| Room { of: of.to_owned(), most, used };
    State {
        version: "15.1".to_owned(),
        in_recovery: false,
        read_only: false,
        rooms: vec![room("the server", 97, 20), room("the role `godel`", 30, 20)],
        round_trips_ms: vec![1.0, 900.0, 1.0, 2.0, 3.0],
    }
}

fn judged(state: Result<State, Denied>) -> Judged {
    let place = Place { file: "prodtest.yaml".to_owned(), line: 1, column: 1 };
    let target = Store { url: Located::new(SecretRef::Env("URL".to_owned()), place), ca: None, connect: None };
    let limits = Limits { max_latency: Period(MAX_LATENCY), min_free_connections: MIN_FREE };
    Database::judge(&CheckId::new("precheck", "database").unwrap(), &target, &limits, &Facts { state })
}

fn broken(change: impl FnOnce(&mut State)) -> BTreeSet<(String, String)> {
    let mut state = state();
    change(&mut state);
    let findings = judged(Ok(state)).findings;
    findings.into_iter().map(|finding| (finding.rule, finding.subject)).collect()
}

fn one(rule: &str, subject: &str) -> BTreeSet<(String, String)> {
    BTreeSet::from([(rule.to_owned(), subject.to_owned())])
}

#[test]
fn one_slow_answer_of_several_and_ten_connections_left_are_well() {
    let judged = judged(Ok(state()));
    assert_eq!((judged.outcome, judged.evidence.len()), (Outcome::Passed, 4), "{:?}", judged.findings);
}

#[test]
fn each_flaw_is_told_by_its_own_rule() {
    assert_eq!(broken(|state| state.read_only = true), one("read-only", SUBJECT));
    let standby = |state: &mut State| (state.in_recovery, state.read_only) = (true, true);
    assert_eq!(broken(standby), one("recovery", SUBJECT));
    assert_eq!(broken(|state| state.rooms[1].used = 21), one("connections", "the role `godel`"));
    // More than may be: limits were lowered under those who were there.
    assert_eq!(broken(|state| state.rooms[0].used = 120), one("connections", "the server"));
    assert_eq!(broken(|state| state.round_trips_ms = vec![1.0, 51.0, 52.0]), one("latency", SUBJECT));
}

#[test]
fn who_is_not_let_in_is_told_why() {
    let judged = judged(Err(Denied::new("login", "it refused the login: no such role")));
    assert_eq!((judged.outcome, judged.findings[0].rule.as_str()), (Outcome::Failed, "login"));
    assert_eq!(judged.findings[0].message, "PostgreSQL: it refused the login: no such role");
}
