use prodtest_gate::{Gate, Outcome, Pardons, settle};
use prodtest_http::{CertificateFacts, Exchange};

use super::*;
use crate::{
    facts::{ScenarioFacts, StepFacts},
    fixture::{answer, done, plan, seen},
    gate::Smoke,
};

/// What the control server really shows.
async fn shown() -> Vec<ControlFacts> {
    let facts = observe().await;
    assert_eq!(facts.len(), WRONGS.len());
    facts
}

fn untripped(facts: &Facts) -> Vec<String> {
    judge(facts).into_iter().filter(|control| !control.tripped).map(|control| control.name).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn a_sound_instrument_trips_every_control() {
    let facts = Facts { controls: shown().await, ..Facts::default() };
    assert_eq!(untripped(&facts), Vec::<String>::new());
}

/// Each wrong answer in turn is taken for the right one, and the right one for a wrong one.
#[tokio::test(flavor = "current_thread")]
async fn each_control_that_does_not_trip_is_noticed() {
    let controls = shown().await;
    // However slow this machine is just now, it is not that which is tested.
    let quick = |exchange: Exchange| Exchange { duration_ms: 1.0, ..exchange };
    let exchange = |name: &str| quick(controls.iter().find(|control| control.name == name).unwrap().exchange.clone());
    for wrong in &WRONGS {
        let mut facts = Facts { controls: controls.clone(), ..Facts::default() };
        let control = facts.controls.iter_mut().find(|control| control.name == wrong.name).unwrap();
        control.exchange = exchange(if wrong.rule.is_some() { "right" } else { "status" });
        assert_eq!(untripped(&facts), [wrong.what]);
        facts.controls.retain(|control| control.name != wrong.name);
        assert_eq!(untripped(&facts), [wrong.what], "one that was not made proves nothing");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn no_check_counts_as_measured_then() {
    let plan = plan("steps: [{ name: a, request: GET / }]");
    let outcomes = |facts: &Facts| {
        let (checks, judged) = (Smoke::checks(&plan, Some(facts)), Smoke::judge(&plan, facts));
        let controls = Smoke::controls(&plan, facts);
        let settled = settle("smoke", checks, judged, &controls, &Pardons::default(), jiff::civil::date(2026, 3, 1));
        settled.checks.into_iter().map(|check| (check.outcome, check.reason)).collect::<Vec<_>>()
    };
    for (status, outcome) in [(200, Outcome::Passed), (500, Outcome::Failed)] {
        let mut facts = seen(vec![done("a", vec![answer(status, &[], "")])], vec![]);
        facts.controls = shown().await;
        assert_eq!(outcomes(&facts), [(outcome, None)]);
        facts.controls[1].exchange = facts.controls[0].exchange.clone();
        let [(outcome, Some(reason))] = &outcomes(&facts)[..] else { panic!("{:?}", outcomes(&facts)) };
        assert_eq!(*outcome, Outcome::Undetermined);
        assert!(reason.contains("a status of 500 where 200 is asked for` did not trip: accepted"), "{reason}");
    }
}

#[test]
fn a_client_that_accepts_any_name_proves_nothing_of_a_certificate() {
    let chain = vec![prodtest_http::Certificate {
        subject: String::new(),
        issuer: String::new(),
        names: vec![],
        not_before: jiff::Timestamp::UNIX_EPOCH,
        not_after: jiff::Timestamp::UNIX_EPOCH,
        fingerprint: String::new(),
    }];
    let by_certificate = |certificate: CertificateFacts| {
        let step = StepFacts { certificate: Some(certificate), ..StepFacts::default() };
        let scenario = ScenarioFacts { id: "tls".to_owned(), steps: vec![step], ..ScenarioFacts::default() };
        let controls = judge(&Facts { scenarios: vec![scenario], ..Facts::default() });
        controls.into_iter().skip(WRONGS.len()).map(|control| (control.tripped, control.proves)).collect::<Vec<_>>()
    };
    let proves = || vec![plan::id("tls")];
    let facts =
        |wrong_name_refused| CertificateFacts { chain: chain.clone(), wrong_name_refused, ..Default::default() };
    assert_eq!(by_certificate(facts(true)), [(true, proves())]);
    assert_eq!(by_certificate(facts(false)), [(false, proves())]);
    assert_eq!(by_certificate(CertificateFacts::default()), []);
}
