use prodtest_gate::Outcome;

use super::*;
use crate::{
    fixture::{plan, read},
    plan::Planned,
};

fn case(class: &str, name: &str, outcome: CaseOutcome) -> CaseFacts {
    let class = (!class.is_empty()).then(|| class.to_owned());
    CaseFacts { name: name.to_owned(), class, outcome, message: String::new(), duration_ms: 1.0 }
}

fn facts(cases: Vec<CaseFacts>) -> SuiteFacts {
    SuiteFacts {
        name: "e2e".to_owned(),
        duration_ms: 2.0,
        ended: None,
        output: String::new(),
        cases: Ok(cases),
        untold: None,
    }
}

fn suite(more: &str) -> Located<Suite> {
    read::<Vec<Located<Suite>>>(&format!("[{{ name: e2e, junit: a.xml{more} }}]")).remove(0)
}

#[test]
fn a_case_has_an_id_of_its_own_in_any_script() {
    let id = |more: &str, class: &str, name: &str| {
        case_id(&suite(more).value, &case(class, name, CaseOutcome::Passed)).to_string()
    };
    assert_eq!(id("", "Api", "GET /health › answers"), "smoke/e2e-get-health-answers");
    assert_eq!(id(", case-names: class-and-name", "Api", "answers"), "smoke/e2e-api-answers");
    assert_eq!(id(", case-names: class-and-name", "", "answers"), "smoke/e2e-answers");
    let ids = ["größe", "grüße", "日本", "中国"].map(|name| id("", "", name));
    assert!(ids[0].starts_with("smoke/e2e-gr-e-"), "{ids:?}");
    let different: std::collections::HashSet<&String> = ids.iter().collect();
    assert_eq!(different.len(), 4, "{ids:?}");
    assert_eq!(ids[2], id("", "", "日本"), "it is the same in every run");
}

#[test]
fn what_would_be_one_check_is_found() {
    let collides = |more: &str, cases: Vec<CaseFacts>| {
        let mut plan = plan("steps: [{ name: a, request: GET / }]");
        plan.suites = vec![Planned { part: suite(more), left_out: None }];
        collision(&plan, &Facts { suites: vec![facts(cases)], ..Facts::default() })
    };
    let two = || vec![case("A", "works", CaseOutcome::Failed), case("B", "works", CaseOutcome::Passed)];
    let said = collides("", two()).unwrap();
    assert!(said.starts_with("s.yaml:1:2: the case `works` of the suite `e2e`"), "{said}");
    assert!(said.contains("would both be `smoke/e2e-works`"), "{said}");
    assert_eq!(collides(", case-names: class-and-name", two()), None);
    assert!(collides("", vec![case("", "  ", CaseOutcome::Passed)]).unwrap().contains("and a suite would"));
}

#[test]
fn a_suite_is_judged_by_its_end_and_its_report() {
    let passed = || case("", "a", CaseOutcome::Passed);
    let failed = || case("", "a", CaseOutcome::Failed);
    let skipped = || case("", "a", CaseOutcome::Skipped);
    let killed = || Some(Ended::Killed("why".to_owned()));
    for (ended, cases, outcome) in [
        (None, Ok(vec![passed()]), Outcome::Passed),
        (None, Ok(vec![failed()]), Outcome::Passed),
        (None, Ok(vec![skipped()]), Outcome::Undetermined),
        (None, Ok(vec![]), Outcome::Undetermined),
        (None, Err("gone".to_owned()), Outcome::Undetermined),
        (Some(Ended::Exit(0)), Ok(vec![passed(), skipped()]), Outcome::Passed),
        (Some(Ended::Exit(1)), Ok(vec![passed()]), Outcome::Failed),
        (Some(Ended::Exit(1)), Ok(vec![passed(), failed()]), Outcome::Passed),
        (Some(Ended::Exit(1)), Ok(vec![skipped()]), Outcome::Undetermined),
        (Some(Ended::Exit(1)), Err("gone".to_owned()), Outcome::Undetermined),
        (killed(), Ok(vec![passed()]), Outcome::Undetermined),
        (killed(), Ok(vec![failed()]), Outcome::Undetermined),
        (Some(Ended::NotStarted("why".to_owned())), Ok(vec![passed()]), Outcome::Undetermined),
    ] {
        let seen = SuiteFacts { ended, cases, ..facts(vec![]) };
        assert_eq!(judge_suite(&suite("").value, &seen).outcome, outcome, "{seen:?}");
    }
    let untold = SuiteFacts { untold: Some("its report counts 1 errors".to_owned()), ..facts(vec![passed()]) };
    assert_eq!(judge_suite(&suite("").value, &untold).outcome, Outcome::Failed);
}

#[test]
fn the_last_thing_it_printed_is_told() {
    let seen = SuiteFacts { output: "one\ntwo\n\n".to_owned(), cases: Err("gone".to_owned()), ..facts(vec![]) };
    assert_eq!(judge_suite(&suite("").value, &seen).reason.as_deref(), Some("gone; it printed: two"));
}
