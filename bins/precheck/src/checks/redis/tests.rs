//! What is said of Redis, by example.

use std::collections::BTreeSet;

use prodtest_gate::{Outcome, Place};

use super::*;

const INFO: &str = "# Server\r\nredis_version:7.0.15\r\n\r\n# Memory\r\nused_memory:950\r\nmaxmemory:1000\r\n\
                    maxmemory_policy:allkeys-lru\r\n# Persistence\r\nloading:0\r\n# Replication\r\nrole:master\r\n\
                    # Cluster\r\ncluster_enabled:0\r\n";

fn judged(state: Result<State, Denied>) -> Judged {
    let place = Place { file: "prodtest.yaml".to_owned(), line: 1, column: 1 };
    let url = Located::new(SecretRef::Env("URL".to_owned()), place);
    let target = At { store: Store { url, ca: None, connect: None }, sentinels: None };
    let id = CheckId::new("precheck", "redis").unwrap();
    Redis::judge(&id, &target, &Limits { max_memory: MAX_MEMORY }, &Facts { state })
}

fn state() -> State {
    State { info: pairs(INFO), refused: None, cluster: None, sentinels: Vec::new() }
}

fn broken(change: impl FnOnce(&mut State)) -> BTreeSet<String> {
    let mut state = state();
    change(&mut state);
    judged(Ok(state)).findings.into_iter().map(|finding| finding.rule).collect()
}

fn with(name: &str, value: &str) -> BTreeSet<String> {
    broken(|state| drop(state.info.insert(name.to_owned(), value.to_owned())))
}

fn one(rule: &str) -> BTreeSet<String> {
    BTreeSet::from([rule.to_owned()])
}

#[test]
fn what_is_full_and_evicts_is_well() {
    let judged = judged(Ok(state()));
    assert_eq!((judged.outcome, judged.evidence.len()), (Outcome::Passed, 3), "{:?}", judged.findings);
}

#[test]
fn each_flaw_is_told_by_its_own_rule() {
    assert_eq!(with("maxmemory_policy", "noeviction"), one("memory"));
    assert_eq!(with("role", "slave"), one("role"));
    assert_eq!(with("loading", "1"), one("loading"));
    assert_eq!(broken(|state| state.cluster = Some("fail".to_owned())), one("cluster"));
    assert_eq!(broken(|state| state.refused = Some("MISCONF".to_owned())), one("ping"));
    // What loads refuses everything: once is enough.
    let loading = |state: &mut State| {
        state.refused = Some("LOADING".to_owned());
        state.info.insert("loading".to_owned(), "1".to_owned());
    };
    assert_eq!(broken(loading), one("loading"));
}

#[test]
fn memory_without_a_limit_is_held_against_nothing() {
    let unlimited = |state: &mut State| {
        state.info.insert("maxmemory".to_owned(), "0".to_owned());
        state.info.insert("maxmemory_policy".to_owned(), "noeviction".to_owned());
    };
    assert_eq!(broken(unlimited), BTreeSet::new());
    let nearly = |state: &mut State| {
        state.info.insert("used_memory".to_owned(), "900".to_owned());
        state.info.insert("maxmemory_policy".to_owned(), "noeviction".to_owned());
    };
    assert_eq!(broken(nearly), BTreeSet::new());
}

#[test]
fn a_sentinel_that_is_gone_is_for_the_others_to_count() {
    let of = |said: [Result<(), &str>; 2]| {
        let said = said.map(|said| ("s:26379".to_owned(), said.map_err(|rule| Denied::new(rule, "no"))));
        broken(|state| state.sentinels = said.to_vec())
    };
    assert_eq!(of([Ok(()), Err("connect")]), BTreeSet::new());
    assert_eq!(of([Ok(()), Err("quorum")]), one("quorum"));
    assert_eq!(of([Err("connect"), Err("connect")]), one("quorum"));
}

#[test]
fn a_percentage_is_written_with_its_sign() {
    let read = |text: &str| serde_json::from_value::<Percent>(text.into()).ok();
    assert_eq!((read("90%"), read("101%"), read("90"), read("0.9")), (Some(Percent(90)), None, None, None));
}
