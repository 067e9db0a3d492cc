use prodtest_gate::Outcome;
use prodtest_http::{Exchange, FailureKind};

use super::*;
use crate::fixture::{answer, done, plan, read, seen, silence};

/// The judgement of `demo`: what came of it, why, and the rules of its findings.
fn judged(rest: &str, facts: &Facts) -> (Outcome, String, Vec<String>) {
    let judged = whole(rest, facts);
    let rules = judged.findings.into_iter().map(|finding| finding.rule).collect();
    (judged.outcome, judged.reason.unwrap_or_default(), rules)
}

fn whole(rest: &str, facts: &Facts) -> Judged {
    let plan = plan(rest);
    scenario(&plan, &plan.scenarios[0].part.value, facts, facts.answered())
}

fn ok(body: &str) -> Exchange {
    answer(200, &[], body)
}

const ONE: &str = "steps: [{ name: a, request: GET / }]";
const TWO: &str = "steps: [{ name: a, request: GET / }, { name: b, request: GET / }]";

#[test]
fn silence_is_a_failure_only_of_what_has_spoken() {
    let refused = || silence(FailureKind::Refused);
    let alone = seen(vec![done("a", vec![refused()])], vec![]);
    let (outcome, reason, rules) = judged(ONE, &alone);
    assert_eq!((outcome, &rules[..]), (Outcome::Undetermined, &["transport".to_owned()][..]));
    assert_eq!(reason, "the service never answered in this run: it was connection refused");

    let after = seen(vec![done("a", vec![ok("")]), done("b", vec![refused()])], vec![]);
    assert_eq!(judged(TWO, &after), (Outcome::Failed, String::new(), vec!["transport".to_owned()]));

    // It spoke in another scenario.
    let mut elsewhere = alone;
    let other = ScenarioFacts {
        id: "other".to_owned(),
        steps: vec![done("a", vec![answer(500, &[], "")])],
        ..ScenarioFacts::default()
    };
    elsewhere.scenarios.push(other);
    assert_eq!(judged(ONE, &elsewhere).0, Outcome::Failed);

    // Half an answer is one.
    let half = seen(vec![done("a", vec![silence(FailureKind::Incomplete)])], vec![]);
    assert_eq!(judged(ONE, &half).0, Outcome::Failed);
}

#[test]
fn what_is_our_own_fault_says_nothing_of_the_service() {
    let facts = seen(vec![done("a", vec![ok("")]), done("b", vec![silence(FailureKind::UnusableRequest)])], vec![]);
    let (outcome, reason, _) = judged(TWO, &facts);
    assert_eq!((outcome, reason.as_str()), (Outcome::Undetermined, "`b` could not be asked: it was unusable request"));
}

#[test]
fn what_was_not_done_is_undetermined() {
    let nothing = Facts::default();
    assert_eq!(judged(ONE, &nothing), (Outcome::Undetermined, "it was not observed".to_owned(), vec![]));
    let stopped = Facts { stopped: Some("interrupted (SIGTERM)".to_owned()), ..Facts::default() };
    assert_eq!(judged(ONE, &stopped).1, "interrupted (SIGTERM)");
    // One step of two; one that is not to its end; one of another name; one without a try.
    let unfinished = StepFacts { unfinished: true, ..done("b", vec![ok("")]) };
    for second in [None, Some(unfinished), Some(done("c", vec![ok("")])), Some(done("b", vec![]))] {
        let steps = std::iter::once(done("a", vec![ok("")])).chain(second).collect();
        assert_eq!(judged(TWO, &seen(steps, vec![])).0, Outcome::Undetermined);
    }
    assert_eq!(judged(TWO, &seen(vec![done("a", vec![ok("")]), done("b", vec![ok("")])], vec![])).0, Outcome::Passed);
}

#[test]
fn a_variable_without_a_value_is_undetermined() {
    let missing = StepFacts { missing: Some("id".to_owned()), ..done("a", vec![]) };
    let (outcome, reason, _) = judged(ONE, &seen(vec![missing], vec![]));
    assert_eq!((outcome, reason.as_str()), (Outcome::Undetermined, "the variable `id` has no value"));

    let version = "steps: [{ name: a, request: GET /, expect: { json: { $.version: '{{ expected_version }}' } } }]";
    let facts = seen(vec![done("a", vec![ok(r#"{"version": "0.1.0"}"#)])], vec![]);
    assert_eq!(judged(version, &facts).0, Outcome::Passed, "Godel's configuration says which");
    let mut unknown = plan(version);
    unknown.expected_version = None;
    let judged = scenario(&unknown, &unknown.scenarios[0].part.value, &facts, true);
    assert_eq!(judged.outcome, Outcome::Undetermined);
    assert!(judged.reason.unwrap().contains("pass `--expect-version VERSION`"));
}

const CLEANED: &str = "steps: [{ name: make, request: POST /, expect: { status: 201 }, capture: { id: $.id } }]
    always: [{ name: clean, request: 'DELETE /{{ id }}', expect: { status: [204, 404] } }]";

#[test]
fn what_is_left_behind_is_a_failure() {
    let made = || vec![done("make", vec![answer(201, &[], r#"{"id": 7}"#)])];
    let cleaned = |always| judged(CLEANED, &seen(made(), always));
    assert_eq!(cleaned(vec![done("clean", vec![answer(204, &[], "")])]), (Outcome::Passed, String::new(), vec![]));
    for always in [
        vec![done("clean", vec![answer(500, &[], "")])],
        vec![done("clean", vec![silence(FailureKind::Reset)])],
        vec![StepFacts { unfinished: true, ..done("clean", vec![]) }],
        vec![],
    ] {
        assert_eq!(cleaned(always), (Outcome::Failed, String::new(), vec![RULE_CLEANUP.to_owned()]));
    }
    let said = whole(CLEANED, &seen(made(), vec![])).findings.remove(0);
    assert!(said.message.contains("it was not done: the run ended first"), "{}", said.message);
    assert!(said.help.unwrap().contains("the run's label"));
}

/// An answer that is wrong and tells what was made all the same.
#[test]
fn what_a_wrong_answer_made_is_to_be_cleaned_up_too() {
    let made = || vec![done("make", vec![answer(200, &[], r#"{"id": 7}"#)])];
    let rules = |always| judged(CLEANED, &seen(made(), always)).2;
    assert_eq!(rules(vec![done("clean", vec![answer(204, &[], "")])]), ["status"]);
    assert_eq!(rules(vec![]), ["status", RULE_CLEANUP]);
    // Nothing was made, or nobody knows what.
    let unknown = seen(vec![done("make", vec![answer(500, &[], "oops")])], vec![]);
    assert_eq!(judged(CLEANED, &unknown).2, ["status"]);
}

#[test]
fn what_cannot_be_captured_is_a_failure() {
    for (capture, body, says) in [
        ("{ id: $.id }", "{}", "nothing at `$.id`"),
        ("{ id: $.id }", "page", "not JSON"),
        ("{ id: { header: location } }", "{}", "no header `location`"),
    ] {
        let step = format!("steps: [{{ name: a, request: GET /, capture: {capture} }}]");
        let judged = whole(&step, &seen(vec![done("a", vec![ok(body)])], vec![]));
        assert_eq!((judged.outcome, judged.findings[0].rule.as_str()), (Outcome::Failed, "capture"));
        assert!(judged.findings[0].seen.as_deref().unwrap().contains(says), "{:?}", judged.findings[0]);
    }
}

#[test]
fn a_captured_value_is_expected_later() {
    let steps = "steps:
      - { name: a, request: POST /, capture: { id: $.id, at: { header: Location } } }
      - { name: b, request: 'GET /{{ id }}', expect: { json: { $.id: '{{ id }}' }, headers: { x: '{{ at }}' } } }";
    let first = || done("a", vec![answer(200, &[("location", "/7")], r#"{"id": "7"}"#)]);
    let second = |id: &str| done("b", vec![answer(200, &[("x", "/7")], &format!(r#"{{"id": "{id}"}}"#))]);
    assert_eq!(judged(steps, &seen(vec![first(), second("7")], vec![])).0, Outcome::Passed);
    assert_eq!(judged(steps, &seen(vec![first(), second("8")], vec![])).2, ["json"]);
}

#[test]
fn asking_again_is_judged_by_the_last_try() {
    let step = "steps: [{ name: a, request: GET /, expect: { json: { $.s: done } },
      until: { every: 100ms, attempts: 3, stop-when: { json: { $.s: broken } } } }]";
    let tries = |states: &[&str]| {
        let exchanges = states.iter().map(|state| ok(&format!(r#"{{"s": "{state}"}}"#))).collect();
        let mut judged = whole(step, &seen(vec![done("a", exchanges)], vec![]));
        (judged.outcome, judged.findings.pop().map(|finding| (finding.rule.clone(), finding.message)))
    };
    assert_eq!(tries(&["new", "done"]), (Outcome::Passed, None));
    let (outcome, finding) = tries(&["new", "new", "new"]);
    let (rule, message) = finding.unwrap();
    assert_eq!((outcome, rule.as_str()), (Outcome::Failed, "until"));
    assert!(message.contains("after 3 tries in 205 ms"), "{message}");
    let (rule, message) = tries(&["new", "broken"]).1.unwrap();
    assert_eq!(rule, "end-state");
    assert!(message.contains("after 2 tries"), "{message}");
}

#[test]
fn a_burst_is_judged_by_every_answer() {
    let step = "steps: [{ name: a, request: GET /, burst: { requests: 3 }, expect: { status: 200, within: 10ms } }]";
    let sample = |status: Option<u16>, duration_ms| Sample { status, failure: None, duration_ms };
    let good = || sample(Some(200), 5.0);
    let reset = || Sample { failure: silence(FailureKind::Reset).failure, ..sample(None, 1.0) };
    for (samples, outcome, rules) in [
        (vec![good(), good(), good()], Outcome::Passed, &[][..]),
        (vec![good(), sample(Some(500), 5.0), good()], Outcome::Failed, &["burst"]),
        (vec![good(), good()], Outcome::Failed, &["burst"]),
        (vec![good(), reset(), good()], Outcome::Failed, &["burst"]),
        (vec![good(), good(), sample(Some(200), 10.5)], Outcome::Failed, &["within"]),
        (vec![reset(), reset(), reset()], Outcome::Undetermined, &["burst"]),
        (vec![], Outcome::Undetermined, &["burst"]),
    ] {
        let facts = seen(vec![StepFacts { burst: Some(samples), ..done("a", vec![]) }], vec![]);
        let (seen, reason, found) = judged(step, &facts);
        assert_eq!(
            (seen, &found[..]),
            (outcome, &rules.iter().map(|rule| (*rule).to_owned()).collect::<Vec<_>>()[..]),
            "{reason}"
        );
    }
}

#[test]
fn the_command_that_shows_more_names_the_secret_and_does_not_hold_it() {
    let step = "steps: [{ name: a, request: POST /, as: default, json: {} }]";
    let facts = seen(
        vec![StepFacts { asked: "POST https://demo/it's".to_owned(), ..done("a", vec![answer(500, &[], "")]) }],
        vec![],
    );
    let mut plan = plan(step);
    plan.connect = Some(("10.0.0.1".to_owned(), 443));
    plan.ca = Some("my ca.pem".into());
    let judged = scenario(&plan, &plan.scenarios[0].part.value, &facts, true);
    assert_eq!(
        judged.findings[0].command.as_deref(),
        Some(
            "curl -sS -i -X POST -H \"X-API-Key: $GODEL_API_KEY\" --connect-to ::10.0.0.1:443 --cacert 'my ca.pem' \
             -H 'Content-Type: application/json' -d '…' 'https://demo/it'\\''s'"
        )
    );
}

#[test]
fn a_secret_of_the_cluster_is_asked_for_by_the_command_too() {
    let cluster = ClusterTarget {
        kubeconfig: Some("my kube".into()),
        context: Some("eu".to_owned()),
        ..ClusterTarget::default()
    };
    let secret: SecretRef = read("{ kubernetes: { secret: demo, key: api.key, namespace: godel } }");
    assert_eq!(
        in_shell(&secret, &cluster),
        "$(kubectl --kubeconfig 'my kube' --context 'eu' -n godel get secret demo -o \
         go-template='{{index .data \"api.key\" | base64decode}}')"
    );
}

#[test]
fn a_scenario_whose_secret_was_not_given_is_undetermined_and_says_what_to_do() {
    let step = "steps: [{ name: a, request: GET /, headers: { x: { kubernetes: { secret: b, key: c } } } }]";
    let mut facts = seen(vec![], vec![]);
    facts.secrets.push(Withheld {
        secret: read("{ kubernetes: { secret: b, key: c } }"),
        unset: false,
        why: "forbidden".to_owned(),
        hint: Some("apply this Role".to_owned()),
    });
    let judged = whole(step, &facts);
    assert_eq!((judged.outcome, judged.reason.as_deref()), (Outcome::Undetermined, Some("forbidden")));
    assert_eq!(judged.findings[0].help.as_deref(), Some("apply this Role"));
    // Another scenario needs it; this one is judged by what was seen.
    facts.scenarios[0].steps.push(done("a", vec![ok("")]));
    assert_eq!(whole(ONE, &facts).outcome, Outcome::Passed);
}

#[test]
fn a_finding_is_told_where_its_expectation_is_written() {
    let step = "steps: [{ name: a, request: GET /, expect: { status: 200, json: { $.a: 1 } } }]";
    let place =
        |exchange| whole(step, &seen(vec![done("a", vec![exchange])], vec![])).findings.remove(0).place.unwrap();
    assert_eq!(place(answer(500, &[], "")).to_string(), "s.yaml:4:58");
    assert_eq!(place(ok(r#"{"a": 2}"#)).to_string(), "s.yaml:4:76");
    assert_eq!(place(silence(FailureKind::Protocol)).to_string(), "s.yaml:4:58");
}
