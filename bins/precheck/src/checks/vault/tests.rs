//! What is said of Vault, by example.

use std::collections::BTreeSet;

use prodtest_gate::Outcome;

use super::*;

fn healthy() -> State {
    let health = Health { version: "1.20.0".to_owned(), initialized: true, ..Health::default() };
    State { health, login: Some(Ok(())), paths: vec![("secret/data/godel".to_owned(), Ok(()))] }
}

fn judged(state: Result<State, Denied>) -> Judged {
    let at = At {
        url: "https://vault.test".parse().unwrap(),
        connect: None,
        ca: None,
        namespace: None,
        auth: Auth::default(),
        paths: Vec::new(),
    };
    Vault::judge(&CheckId::new("precheck", "vault").unwrap(), &at, &(), &Facts { state })
}

fn broken(change: impl FnOnce(&mut State)) -> BTreeSet<(String, String)> {
    let mut state = healthy();
    change(&mut state);
    judged(Ok(state)).findings.into_iter().map(|finding| (finding.rule, finding.subject)).collect()
}

#[test]
fn each_flaw_is_told_by_its_own_rule() {
    let one = |rule: &str, subject: &str| BTreeSet::from([(rule.to_owned(), subject.to_owned())]);
    assert_eq!(judged(Ok(healthy())).outcome, Outcome::Passed);
    assert_eq!(broken(|state| state.health.sealed = true), one("sealed", SUBJECT));
    assert_eq!(broken(|state| state.health.initialized = false), one("initialised", SUBJECT));
    assert_eq!(broken(|state| state.health.dr_secondary = true), one("secondary", SUBJECT));
    assert_eq!(broken(|state| state.login = Some(Err(Denied::new("login", "no")))), one("login", "login"));
    let unreadable = |state: &mut State| state.paths[0].1 = Err(Denied::new("path", "no"));
    assert_eq!(broken(unreadable), one("path", "secret/data/godel"));
    assert_eq!(judged(Err(Denied::new("connect", "no"))).outcome, Outcome::Failed);
}
