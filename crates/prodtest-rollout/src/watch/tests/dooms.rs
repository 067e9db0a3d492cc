//! Each kind of doom, as a real cluster shows it.

use std::time::Duration;

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        state(include_str!(concat!("../fixtures/", $name, ".json")))
    };
}

/// Looks once, and again when all patience is over: (before, after).
fn looked(state: &State, subject: &Subject) -> (Tracker, Tracker) {
    let mut tracker = tracker(std::slice::from_ref(subject));
    tracker.look(state, true, 1_000);
    let first = tracker.clone();
    tracker.look(state, true, 1_000 + 600_000);
    (first, tracker)
}

fn deployment(name: &str) -> Subject {
    Subject::new(Kind::Deployment, name)
}

/// The doom of a fixture whose Deployment has its name, and after what time it was certain.
#[track_caller]
fn doom(state: &State, subject: &Subject, kind: DoomKind) -> (Evidence, Duration) {
    let (_, tracker) = looked(state, subject);
    match tracker.facts().verdict(&Patience::default()) {
        RolloutVerdict::Doomed { at_ms, dooms } => {
            let doom = dooms.first().unwrap().clone();
            assert_eq!(doom.kind, kind, "{doom:?}");
            (doom, Duration::from_millis(at_ms - 1_000))
        }
        other => panic!("{subject}: {other:?} {:?}", tracker.facts().evidence),
    }
}

#[test]
fn an_image_that_cannot_be_had_dooms_at_once() {
    let at_once = |name: &str, state: State, kind, words: &str| {
        let (doom, after) = doom(&state, &deployment(name), kind);
        assert_eq!((after, doom.container.as_deref()), (Duration::ZERO, Some("app")), "{name}");
        assert!(doom.message.contains(words), "{}", doom.message);
    };
    at_once("image-refused", fixture!("image-refused"), DoomKind::ImageRefused, "401 Unauthorized");
    at_once("image-invalid", fixture!("image-invalid"), DoomKind::ImageName, "must be lowercase");
    at_once("image-never", fixture!("image-never"), DoomKind::ImageNotFound, "is not present");
}

#[test]
fn a_registry_that_is_not_reached_is_borne_for_20_s() {
    let (doom, after) = doom(&fixture!("image-unreachable"), &deployment("image-unreachable"), DoomKind::ImagePull);
    assert_eq!(after, Duration::from_secs(20));
    assert!(doom.message.contains("no route to host"), "{}", doom.message);
}

#[test]
fn a_refusal_without_the_login_is_borne_while_the_kubelet_may_have_been_late() {
    let mut state = fixture!("image-refused");
    let (pod, _) = state.pods.iter().next().unwrap();
    let uid = state.pods[pod].metadata.uid.clone();
    let message = "Unable to retrieve some image pull secrets (login); attempting to pull the image may not succeed.";
    state.take(&serde_json::json!({
        "kind": "Event", "apiVersion": "v1", "metadata": { "name": "late", "uid": "late", "namespace": "shop" },
        "involvedObject": { "kind": "Pod", "name": pod, "uid": uid }, "message": message, "type": "Warning",
        "reason": "FailedToRetrieveImagePullSecret", "count": 1, "lastTimestamp": "2026-01-01T00:00:00Z",
    }));
    assert!(state.unreadable.is_empty(), "{:?}", state.unreadable);
    let (_, after) = doom(&state, &deployment("image-refused"), DoomKind::ImagePull);
    assert_eq!(after, Duration::from_secs(20));
}

#[test]
fn what_is_not_there_is_borne_for_5_s() {
    for (name, state, words) in [
        ("config-key", fixture!("config-key"), "couldn't find key absent in ConfigMap shop/some"),
        ("config-secret", fixture!("config-secret"), "secret \"absent\" not found"),
        ("config-volume", fixture!("config-volume"), "secret \"absent\" not found"),
        ("config-volume-key", fixture!("config-volume-key"), "non-existent config key: absent"),
    ] {
        let (doom, after) = doom(&state, &deployment(name), DoomKind::MissingConfig);
        assert_eq!(after, Duration::from_secs(5), "{name}");
        assert!(doom.message.contains(words), "{name}: {}", doom.message);
    }
}

#[test]
fn a_crash_dooms_with_its_second_exit() {
    for (name, state, kind, container, code) in [
        ("crash", fixture!("crash"), DoomKind::Crash, "app", 2),
        ("start-error", fixture!("start-error"), DoomKind::Crash, "app", 128),
        ("oom", fixture!("oom"), DoomKind::Crash, "app", 137),
        ("sidecar-crash", fixture!("sidecar-crash"), DoomKind::Crash, "sidecar", 2),
        ("init-crash", fixture!("init-crash"), DoomKind::InitCrash, "prepare", 128),
        ("init-exit", fixture!("init-exit"), DoomKind::InitCrash, "prepare", 2),
    ] {
        let (doom, _) = doom(&state, &deployment(name), kind);
        assert_eq!((doom.container.as_deref(), doom.exit_code), (Some(container), Some(code)), "{name}");
        assert!(doom.count >= 2, "{name}: {}", doom.count);
    }
    let (oom, _) = doom(&fixture!("oom"), &deployment("oom"), DoomKind::Crash);
    assert_eq!((oom.reason.as_deref(), oom.signal()), (Some("OOMKilled"), Some(9)));
}

#[test]
fn a_first_exit_is_borne() {
    let mut state = fixture!("crash");
    for pod in state.pods.values_mut() {
        let status = &mut pod.status.container_statuses[0];
        status.restart_count = 0;
        status.last_state = objects::ContainerState::default();
    }
    let (_, tracker) = looked(&state, &deployment("crash"));
    assert_eq!(tracker.assessment(), Assessment::Progressing, "{:?}", tracker.facts().evidence);
    assert_eq!(tracker.facts().evidence[0].count, 1);
}

#[test]
fn exits_from_before_do_not_count() {
    let state = fixture!("crash");
    let aim = Aim { workloads: vec![deployment("crash")], hooks: Vec::new() };
    let mut tracker = Tracker::new(aim, Noted::of(&state), Patience::default());
    tracker.look(&state, true, 0);
    tracker.look(&state, true, 600_000);
    assert_eq!(tracker.assessment(), Assessment::Progressing, "{:?}", tracker.facts().evidence);
}

#[test]
fn what_helm_has_not_come_to_yet_is_none_of_its_doing() {
    let state = fixture!("image-refused");
    let mut before = Noted::of(&state);
    // The pod is new, but of the template that was there: an autoscaler made it.
    before.pods.clear();
    let look = |noted: Noted, applied| {
        let aim = Aim { workloads: vec![deployment("image-refused")], hooks: Vec::new() };
        let mut tracker = Tracker::new(aim, noted, Patience::default());
        tracker.look(&state, applied, 0);
        tracker.assessment()
    };
    assert_eq!(look(before.clone(), false), Assessment::Progressing);
    assert_eq!(look(before.clone(), true), Assessment::Doomed);
    before.templates.clear();
    assert_eq!(look(before, false), Assessment::Doomed);
}

#[test]
fn a_container_that_its_probe_ends_names_the_probe() {
    for (name, state, words) in [
        ("liveness", fixture!("liveness"), "Liveness probe failed: Get"),
        ("startup", fixture!("startup"), "Startup probe failed: Get"),
    ] {
        let (doom, _) = doom(&state, &deployment(name), DoomKind::Crash);
        assert!(doom.message.starts_with(words), "{name}: {}", doom.message);
    }
}

#[test]
fn a_probe_that_fails_until_the_progress_deadline_dooms_with_its_words() {
    let (doom, after) = doom(&fixture!("readiness"), &deployment("readiness"), DoomKind::Probe);
    assert_eq!(after, Duration::ZERO);
    assert!(doom.message.starts_with("Readiness probe failed: Get"), "{}", doom.message);
}

#[test]
fn a_deadline_of_the_revision_before_is_none_of_this_one() {
    let mut state = fixture!("readiness");
    for deployment in state.deployments.values_mut() {
        for condition in &mut deployment.status.conditions {
            condition.message = condition.message.replace("readiness-", "readiness-0");
        }
    }
    let (first, _) = looked(&state, &deployment("readiness"));
    assert_eq!(first.facts().evidence, []);
}

#[test]
fn a_pod_that_no_node_takes_is_borne_for_30_s() {
    for (name, state, kind, words) in [
        ("unschedulable", fixture!("unschedulable"), DoomKind::Unschedulable, "Insufficient cpu"),
        ("selector", fixture!("selector"), DoomKind::Unschedulable, "node affinity/selector"),
        ("claim-absent", fixture!("claim-absent"), DoomKind::UnboundVolume, "\"absent\" not found"),
        ("claim-unbound", fixture!("claim-unbound"), DoomKind::UnboundVolume, "storageclass.storage.k8s.io \"absent\""),
        ("mount-failed", fixture!("mount-failed"), DoomKind::Mount, "hostPath type check failed"),
    ] {
        let (doom, after) = doom(&state, &deployment(name), kind);
        assert_eq!(after, Duration::from_secs(30), "{name}");
        assert!(doom.message.contains(words), "{name}: {}", doom.message);
    }
}

#[test]
fn a_container_that_cannot_be_made_is_borne_for_20_s() {
    for (name, subject, state, words) in [
        ("nonroot", "nonroot", fixture!("nonroot"), "runAsUser breaks non-root policy"),
        ("sandbox-oom", "oom", fixture!("sandbox-oom"), "OOM-killed"),
    ] {
        let (doom, after) = doom(&state, &deployment(subject), DoomKind::Start);
        assert_eq!(after, Duration::from_secs(20), "{name}");
        assert!(doom.message.contains(words), "{name}: {}", doom.message);
    }
}

#[test]
fn pods_that_may_not_be_made_are_borne_for_5_s() {
    let stateful = Subject::new(Kind::StatefulSet, "quota-set");
    for (subject, state, kind, words) in [
        (deployment("quota"), fixture!("quota"), DoomKind::Quota, "exceeded quota: pods"),
        (stateful, fixture!("quota-set"), DoomKind::Quota, "exceeded quota: pods"),
        (deployment("admission"), fixture!("admission"), DoomKind::Admission, "violates PodSecurity"),
    ] {
        let (doom, after) = doom(&state, &subject, kind);
        assert_eq!(after, Duration::from_secs(5), "{subject}");
        assert!(doom.message.contains(words), "{subject}: {}", doom.message);
    }
}

#[test]
fn a_quota_is_borne_while_old_pods_make_room() {
    let mut state = fixture!("quota");
    state.pods.values_mut().for_each(|pod| pod.metadata.deletion_timestamp = Some("now".to_owned()));
    let (_, mut tracker) = looked(&state, &deployment("quota"));
    assert_eq!(tracker.assessment(), Assessment::Progressing, "{:?}", tracker.facts().evidence);
    // They are gone, and still there is no room.
    state.pods.clear();
    tracker.look(&state, true, 610_000);
    tracker.look(&state, true, 620_000);
    assert_eq!(tracker.assessment(), Assessment::Doomed);
}

#[test]
fn a_failed_job_or_hook_dooms_while_helm_still_runs() {
    let of = |kind, name: &str, state: &State| {
        let aim = Aim { workloads: Vec::new(), hooks: vec![Subject::new(kind, name)] };
        let mut new = Tracker::new(aim.clone(), Noted::default(), Patience::default());
        new.look(state, false, 5);
        // The one of the last release is still there.
        let mut old = Tracker::new(aim, Noted::of(state), Patience::default());
        old.look(state, false, 5);
        assert_eq!(old.assessment(), Assessment::Progressing, "{name}");
        let RolloutVerdict::Doomed { dooms, .. } = new.facts().verdict(&Patience::default()) else { panic!("{name}") };
        let doom = dooms.first().unwrap();
        (doom.kind, doom.reason.clone().unwrap(), doom.exit_code)
    };
    let failed = |reason: &str, code| (DoomKind::JobFailed, reason.to_owned(), code);
    assert_eq!(of(Kind::Job, "job-failed", &fixture!("job-failed")), failed("BackoffLimitExceeded", Some(2)));
    assert_eq!(of(Kind::Job, "job-deadline", &fixture!("job-deadline")), failed("DeadlineExceeded", None));
    assert_eq!(of(Kind::Pod, "hook-pod", &fixture!("hook-pod")), failed("Error", Some(2)));
}

#[test]
fn a_deployment_that_is_paused_is_called() {
    let (_, after) = doom(&fixture!("paused"), &deployment("paused"), DoomKind::Paused);
    assert_eq!(after, Duration::from_secs(5));
}

#[test]
fn a_node_that_is_gone_under_a_pod_is_borne_for_a_minute() {
    let mut state = fixture!("readiness");
    state.deployments.values_mut().for_each(|it| it.status.conditions.clear());
    state.nodes = Some(Shelf::new());
    let (doom, after) = doom(&state, &deployment("readiness"), DoomKind::NodeGone);
    assert_eq!((after, doom.message.as_str()), (Duration::from_secs(60), "node `node-1` is not there any more"));
}

#[test]
fn a_daemon_set_or_stateful_set_has_a_deadline_of_ours() {
    let mut set = fixture!("db");
    set.stateful_sets.values_mut().for_each(|it| it.status.ready_replicas = 0);
    let mut daemons = fixture!("agent");
    daemons.daemon_sets.values_mut().for_each(|it| it.status.number_ready = 0);
    for (subject, state) in
        [(Subject::new(Kind::StatefulSet, "db"), set), (Subject::new(Kind::DaemonSet, "agent"), daemons)]
    {
        let (doom, after) = doom(&state, &subject, DoomKind::Stalled);
        assert_eq!(after, Duration::from_secs(600), "{subject}");
        assert_eq!(doom.message, "0 of 1 pods are ready");
    }
}

#[test]
fn what_is_there_is_done() {
    let daemons = Subject::new(Kind::DaemonSet, "agent");
    for (subject, state) in [
        (deployment("good"), fixture!("good")),
        (Subject::new(Kind::StatefulSet, "db"), fixture!("db")),
        (daemons.clone(), fixture!("agent")),
    ] {
        assert_eq!(looked(&state, &subject).0.assessment(), Assessment::Done, "{subject}");
        let mut helm_runs = tracker(std::slice::from_ref(&subject));
        helm_runs.look(&state, false, 0);
        assert_eq!(helm_runs.assessment(), Assessment::Progressing, "{subject}");
    }
    assert_eq!(revision::new_pods(&fixture!("agent"), &daemons).len(), 1);
}

#[test]
fn the_evidence_of_a_back_off_without_a_cause_is_the_first_one() {
    let mut state = fixture!("image-refused");
    state.events.clear();
    let mut tracker = tracker(&[deployment("image-refused")]);
    let say = |state: &mut State, words: &str| {
        let status = &mut state.pods.values_mut().next().unwrap().status.container_statuses[0];
        status.state.waiting.as_mut().unwrap().message = words.to_owned();
    };
    say(&mut state, "failed to resolve reference \"a\": 503 Service Unavailable");
    tracker.look(&state, true, 0);
    say(&mut state, "Back-off pulling image \"registry.lab:5000/nothing:none2\"");
    tracker.look(&state, true, 19_000);
    assert_eq!(tracker.assessment(), Assessment::Progressing);
    assert_eq!(tracker.facts().evidence.len(), 1, "{:?}", tracker.facts().evidence);
    assert!(tracker.facts().evidence[0].message.contains("503"));
    tracker.look(&state, true, 20_000);
    assert_eq!(tracker.assessment(), Assessment::Doomed);
}
