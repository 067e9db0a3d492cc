//! What is said of a doom.

use super::{
    server::{Api, Script},
    *,
};

#[tokio::test]
async fn a_diagnosis_has_the_reason_the_events_and_a_command() {
    let state = state(include_str!("../fixtures/sidecar-crash.json"));
    let mut tracker = tracker(&[Subject::new(Kind::Deployment, "sidecar-crash")]);
    tracker.look(&state, true, 0);
    let RolloutVerdict::Doomed { dooms, .. } = tracker.facts().verdict(&Patience::default()) else { panic!() };
    // A server that has no logs.
    let api = Api::start(Script { forbidden: vec!["/log"], ..Script::default() }).await;
    let all = diagnose(&api.cluster, "shop", &state, &dooms).await;
    let diagnosis = all.first().unwrap();
    assert_eq!(diagnosis.reason, "container `sidecar` of deployment/sidecar-crash: it ended 4 times, exit code 2");
    assert!(diagnosis.events[0].starts_with("4 times BackOff: Back-off restarting failed"), "{:?}", diagnosis.events);
    assert!(diagnosis.events.len() <= 10 && diagnosis.events.iter().any(|line| line.contains("Scaled up")));
    let pod = dooms[0].pod.as_deref().unwrap();
    assert_eq!(diagnosis.command, format!("kubectl --namespace shop logs {pod} --container sidecar --previous"));
    assert_eq!(diagnosis.logs.iter().map(|log| log.previous).collect::<Vec<_>>(), [false, true]);
    assert!(
        diagnosis.logs.iter().all(|log| log.problem.as_ref().unwrap().contains("forbidden")),
        "{:?}",
        diagnosis.logs
    );
}

#[test]
fn what_a_namespace_must_allow_is_all_that_is_asked_for() {
    let rules = rules("shop");
    for kind in ["pods", "pods/log", "events", "replicasets", "controllerrevisions", "jobs", "horizontalpodautoscalers"]
    {
        assert!(rules.iter().any(|rule| rule.resources.iter().any(|resource| resource == kind)), "{kind}");
    }
}
