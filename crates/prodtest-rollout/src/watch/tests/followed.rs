//! A rollout that is followed, against a server that tells of it late, or not at all.

use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    server::{Answer, Api, Script, event, list, status},
    *,
};

const SOON: Duration = Duration::from_secs(10);

/// A Deployment of one pod. `observed`: the generation that its status is of.
fn deployment(version: u32, generation: i64, observed: i64, ready: i64) -> Value {
    json!({
        "kind": "Deployment",
        "metadata": { "name": "web", "uid": "web", "generation": generation, "resourceVersion": version.to_string() },
        "spec": { "replicas": 1, "progressDeadlineSeconds": 600 },
        "status": {
            "observedGeneration": observed, "replicas": 1, "updatedReplicas": 1, "readyReplicas": ready,
            "availableReplicas": ready,
        },
    })
}

async fn started(script: Script) -> (Api, Watch) {
    let api = Api::start(Script { of: "deployments", ..script }).await;
    let watch = timeout(SOON, Watch::start(&api.cluster, "shop")).await.expect("a start in time").unwrap();
    let first_watch = async {
        while !api.asked.lock().unwrap().iter().any(|asked| asked == "watch 5") {
            api.was_asked.notified().await;
        }
    };
    timeout(SOON, first_watch).await.expect("a watch in time");
    (api, watch)
}

fn aim() -> Aim {
    Aim { workloads: vec![Subject::new(Kind::Deployment, "web")], hooks: Vec::new() }
}

fn begin(watch: &mut Watch) -> Follow<'_> {
    // Helm has ended already, and nobody says more.
    let (_, applied) = watch::channel(Some(0));
    let noted = Noted::of(&watch.state());
    Follow::new(watch, Tracker::new(aim(), noted, Patience::default()), Instant::now(), applied)
}

#[tokio::test]
async fn what_was_heard_before_helm_ended_makes_nothing_done() {
    // The first list is of before: all is well there. No watch tells of the change.
    let lists = [list(5, &[deployment(5, 1, 1, 1)]), list(9, &[deployment(9, 2, 1, 1)])];
    let (_api, mut watch) = started(Script { lists: lists.into(), ..Script::default() }).await;
    let mut follow = begin(&mut watch);
    let assessment = timeout(SOON, follow.run(Duration::from_millis(500), |_| {})).await.unwrap();
    assert_eq!(assessment, Assessment::Progressing);
    let why = "deployment/web: its controller has not seen the change yet".to_owned();
    assert_eq!(follow.facts().verdict(&Patience::default()), RolloutVerdict::Unfinished { why });
}

#[tokio::test]
async fn a_rollout_is_followed_to_its_end_and_outlives_whoever_stops_following() {
    let steps = vec![event("MODIFIED", &deployment(10, 2, 2, 0))];
    let done = vec![event("MODIFIED", &deployment(11, 2, 2, 1))];
    let lists = [list(5, &[deployment(5, 1, 1, 1)]), list(9, &[deployment(9, 2, 1, 1)])];
    let watches = [Answer::Open(Vec::new()), Answer::Lines(steps), Answer::Open(done)];
    let (_api, mut watch) = started(Script { lists: lists.into(), watches: watches.into(), ..Script::default() }).await;
    let mut follow = begin(&mut watch);
    let mut told = Vec::new();
    let stopped = timeout(Duration::ZERO, follow.run(SOON, |moment| told.push(moment.what))).await;
    assert!(stopped.is_err());
    assert_eq!(follow.facts().applied_ms, Some(0));
    let assessment = timeout(SOON, follow.run(SOON, |moment| told.push(moment.what))).await.unwrap();
    assert_eq!(assessment, Assessment::Done);
    assert_eq!(told, [What::Applied, What::Done]);
    assert!(matches!(follow.facts().verdict(&Patience::default()), RolloutVerdict::Done { .. }));
}

#[tokio::test]
async fn a_cluster_that_goes_away_leaves_it_unknown() {
    let (_api, mut watch) = started(Script {
        lists: [list(5, &[deployment(5, 2, 2, 0)]), list(5, &[deployment(5, 2, 2, 0)])].into(),
        watches: [Answer::Open(Vec::new()), status(500, "InternalError")].into(),
        ..Script::default()
    })
    .await;
    let mut follow = begin(&mut watch);
    let assessment = timeout(SOON, follow.run(Duration::from_secs(1), |_| {})).await.unwrap();
    assert_eq!(assessment, Assessment::Progressing);
    let RolloutVerdict::Unknown { why } = follow.facts().verdict(&Patience::default()) else {
        panic!("{:?}", follow.facts())
    };
    assert!(why.contains("deployments"), "{why}");
}
