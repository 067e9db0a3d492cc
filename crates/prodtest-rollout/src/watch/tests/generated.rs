//! Generated sequences of states: a small model of a Deployment's controller, kubelets and an autoscaler, seen through
//! watches that lag behind each other. A rollout that gets there is never called doomed, and one that is not there is
//! never called done.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A pod of the model.
#[derive(Clone, Debug)]
struct ModelPod {
    id: usize,
    template: u32,
    stage: Stage,
    ending: bool,
    exits: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Scheduled,
    PullFails,
    Ended,
    Running,
    Ready,
}

/// What a controller wrote last.
#[derive(Clone, Debug, Default)]
struct Status {
    generation: i64,
    replicas: usize,
    updated: usize,
    ready: usize,
    /// Whether it was true, of the pods, that all is there.
    finished: bool,
}

#[derive(Clone, Debug)]
struct Model {
    template: u32,
    generation: i64,
    replicas: usize,
    pods: Vec<ModelPod>,
    status: Status,
    made: usize,
    /// The image of the newest template cannot be pulled.
    broken: bool,
    /// The revision before has passed its deadline.
    stale_deadline: bool,
}

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    Reconcile,
    WriteStatus,
    Kubelet(usize),
    Hiccup(usize),
    Crash(usize),
    Scale(usize),
    Deliver(u8),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        3 => Just(Step::Reconcile),
        3 => Just(Step::WriteStatus),
        6 => (0..6usize).prop_map(Step::Kubelet),
        1 => (0..6usize).prop_map(Step::Hiccup),
        1 => (0..6usize).prop_map(Step::Crash),
        1 => (1..5usize).prop_map(Step::Scale),
        8 => (0..3u8).prop_map(Step::Deliver),
        2 => (0..150u64).prop_map(Step::Wait),
    ];
    prop::collection::vec(one, 0..120)
}

impl Model {
    /// A Deployment that ran before, with pods that may have crashed often.
    fn before(replicas: usize, crashes: u32, stale_deadline: bool) -> Self {
        let pods = (0..replicas)
            .map(|id| ModelPod { id, template: 1, stage: Stage::Ready, ending: false, exits: crashes })
            .collect();
        let mut model = Self {
            template: 1,
            generation: 4,
            replicas,
            pods,
            status: Status::default(),
            made: replicas,
            broken: false,
            stale_deadline,
        };
        model.write_status();
        model
    }

    fn write_status(&mut self) {
        let count = |is: &dyn Fn(&ModelPod) -> bool| self.pods.iter().filter(|pod| !pod.ending && is(pod)).count();
        let ready = count(&|pod| pod.stage == Stage::Ready);
        let updated = count(&|pod| pod.template == self.template);
        let replicas = count(&|_| true);
        let finished = updated == self.replicas && replicas == self.replicas && ready == self.replicas;
        self.status = Status { generation: self.generation, replicas, updated, ready, finished };
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Reconcile => self.reconcile(),
            Step::WriteStatus => self.write_status(),
            Step::Kubelet(which) => {
                let broken = self.broken.then_some(self.template);
                let Some(pod) = self.pods.get_mut(which) else { return };
                if pod.ending {
                    self.pods.remove(which);
                    return;
                }
                pod.stage = match pod.stage {
                    Stage::Waiting => Stage::Scheduled,
                    Stage::Scheduled | Stage::PullFails if broken == Some(pod.template) => Stage::PullFails,
                    Stage::Scheduled | Stage::PullFails | Stage::Ended => Stage::Running,
                    Stage::Running | Stage::Ready => Stage::Ready,
                };
            }
            Step::Hiccup(which) => {
                if let Some(pod) = self.pods.get_mut(which).filter(|pod| pod.stage == Stage::Scheduled) {
                    pod.stage = Stage::PullFails;
                }
            }
            Step::Crash(which) => {
                let newest = self.template;
                // Old ones end as often as they like; a new one once.
                let may = |pod: &&mut ModelPod| pod.stage == Stage::Ready || pod.stage == Stage::Running;
                if let Some(pod) = self.pods.get_mut(which).filter(may)
                    && (pod.template != newest || pod.exits == 0)
                {
                    pod.exits += 1;
                    pod.stage = Stage::Ended;
                }
            }
            Step::Scale(replicas) => {
                if self.replicas != replicas {
                    self.replicas = replicas;
                    self.generation += 1;
                }
            }
            Step::Deliver(_) | Step::Wait(_) => {}
        }
    }

    /// One pod too many at most, none too few.
    fn reconcile(&mut self) {
        let live: Vec<usize> = (0..self.pods.len()).filter(|index| !self.pods[*index].ending).collect();
        let new = live.iter().filter(|index| self.pods[**index].template == self.template).count();
        let ready = live.iter().filter(|index| self.pods[**index].stage == Stage::Ready).count();
        if new < self.replicas && live.len() < self.replicas + 1 {
            let pod =
                ModelPod { id: self.made, template: self.template, stage: Stage::Waiting, ending: false, exits: 0 };
            self.pods.push(pod);
            self.made += 1;
        } else if let Some(index) = live.iter().copied().find(|index| {
            let pod = &self.pods[*index];
            let surplus = new > self.replicas && pod.template == self.template;
            (pod.template != self.template && (ready > self.replicas || pod.stage != Stage::Ready)) || surplus
        }) {
            self.pods[index].ending = true;
        }
    }

    fn template(&self, number: u32) -> Value {
        json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "app", "image": format!("web:{number}") }] } })
    }

    fn objects(&self, kind: u8) -> Vec<Value> {
        match kind {
            0 => self.pods.iter().map(|pod| self.pod(pod)).collect(),
            1 => (1..=self.template)
                .map(|number| {
                    let mut template = self.template(number);
                    template["metadata"]["labels"]["pod-template-hash"] = json!(format!("h{number}"));
                    let owner = json!({ "kind": "Deployment", "name": "web", "uid": "web", "controller": true });
                    json!({
                        "kind": "ReplicaSet",
                        "metadata": { "name": format!("web-h{number}"), "uid": format!("set-{number}"), "ownerReferences": [owner] },
                        "spec": { "template": template },
                        // The old one may not make pods any more; nobody wants it to.
                        "status": if number == self.template { json!({}) } else { json!({ "conditions": [{ "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota" }] }) },
                    })
                })
                .collect(),
            _ => {
                let deadline = json!({ "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "ReplicaSet \"web-h1\" has timed out progressing." });
                let Status { generation, replicas, updated, ready, .. } = self.status;
                vec![json!({
                    "kind": "Deployment",
                    "metadata": { "name": "web", "uid": "web", "generation": self.generation },
                    "spec": { "replicas": self.replicas, "progressDeadlineSeconds": 600, "template": self.template(self.template) },
                    "status": {
                        "observedGeneration": generation, "replicas": replicas, "updatedReplicas": updated,
                        "readyReplicas": ready, "availableReplicas": ready,
                        "conditions": if self.stale_deadline { json!([deadline]) } else { json!([]) },
                    },
                })]
            }
        }
    }

    fn pod(&self, pod: &ModelPod) -> Value {
        let ended = json!({ "terminated": { "exitCode": 1, "reason": "Error" } });
        let (restarts, last) =
            if pod.stage == Stage::Ended { (pod.exits - 1, json!({})) } else { (pod.exits, ended.clone()) };
        let status = match pod.stage {
            Stage::Waiting => None,
            Stage::Scheduled => Some(json!({ "waiting": { "reason": "ContainerCreating" } })),
            Stage::PullFails if self.broken && pod.template == self.template => {
                Some(json!({ "waiting": { "reason": "ErrImagePull", "message": "web:2: not found" } }))
            }
            Stage::PullFails => {
                Some(json!({ "waiting": { "reason": "ErrImagePull", "message": "503 Service Unavailable" } }))
            }
            Stage::Ended => Some(ended),
            Stage::Running | Stage::Ready => Some(json!({ "running": {} })),
        };
        let last = if pod.exits == 0 { json!({}) } else { last };
        let statuses: Vec<Value> = status
            .map(|state| json!({ "name": "app", "restartCount": restarts, "state": state, "lastState": last }))
            .into_iter()
            .collect();
        let owner = json!({ "kind": "ReplicaSet", "uid": format!("set-{}", pod.template), "controller": true });
        let unschedulable =
            json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1" });
        let ready = json!({ "type": "Ready", "status": if pod.stage == Stage::Ready { "True" } else { "False" } });
        json!({
            "kind": "Pod",
            "metadata": {
                "name": format!("web-{}", pod.id), "uid": format!("pod-{}", pod.id), "ownerReferences": [owner],
                "deletionTimestamp": pod.ending.then_some("now"),
            },
            "spec": { "nodeName": if pod.stage == Stage::Waiting { "" } else { "node-1" }, "restartPolicy": "Always" },
            "status": {
                "phase": "Running", "containerStatuses": statuses,
                "conditions": if pod.stage == Stage::Waiting { json!([unschedulable]) } else { json!([ready]) },
            },
        })
    }
}

/// What is seen of a model: each kind as it was when its watch told of it last.
#[derive(Clone)]
struct View {
    state: State,
    finished: bool,
}

impl View {
    fn deliver(&mut self, model: &Model, kind: u8) {
        let objects = model.objects(kind);
        match kind {
            0 => self.state.replace::<Pod>(&objects),
            1 => self.state.replace::<ReplicaSet>(&objects),
            _ => {
                self.state.replace::<Deployment>(&objects);
                self.finished = model.status.finished && model.status.generation == model.generation;
            }
        }
    }
}

struct Run {
    model: Model,
    view: View,
    tracker: Tracker,
    applied: bool,
    now: u64,
}

impl Run {
    fn new(model: Model, patience: &Patience) -> Self {
        let mut view = View { state: State::default(), finished: false };
        (0..3).for_each(|kind| view.deliver(&model, kind));
        let aim = Aim { workloads: vec![Subject::new(Kind::Deployment, "web")], hooks: Vec::new() };
        let tracker = Tracker::new(aim, Noted::of(&view.state), patience.clone());
        Self { model, view, tracker, applied: false, now: 0 }
    }

    fn step(&mut self, step: &Step) {
        self.model.step(step);
        match *step {
            Step::Deliver(kind) => self.view.deliver(&self.model, kind),
            Step::Wait(millis) => self.now += millis,
            _ => {}
        }
        self.look();
    }

    fn look(&mut self) {
        let before = self.tracker.assessment();
        self.tracker.look(&self.view.state, self.applied, self.now);
        let assessment = self.tracker.assessment();
        let is_done = before != assessment && assessment == Assessment::Done;
        assert!(!is_done || self.view.finished, "done, and it is not: {:?}", self.model);
        assert!(self.model.broken || assessment != Assessment::Doomed, "{:?}", self.tracker.facts().evidence);
    }

    /// Helm has put the next template in, and ended: lists that were asked for then are there.
    fn apply(&mut self) {
        self.model.template += 1;
        self.model.generation += 1;
        self.view.deliver(&self.model, 2);
        self.look();
        self.applied = true;
    }

    /// All goes on until nothing more happens.
    fn settle(&mut self) {
        for _ in 0..60 {
            self.model.reconcile();
            (0..self.model.pods.len()).rev().for_each(|pod| self.model.step(&Step::Kubelet(pod)));
            self.model.write_status();
            (0..3).for_each(|kind| self.step(&Step::Deliver(kind)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_rollout_that_gets_there_is_done_and_was_never_doomed(
        replicas in 1..4usize, crashes in 0..9u32, stale in any::<bool>(), before in steps(), after in steps(),
    ) {
        let mut run = Run::new(Model::before(replicas, crashes, stale), &Patience::default());
        before.iter().for_each(|step| run.step(step));
        run.apply();
        after.iter().for_each(|step| run.step(step));
        run.settle();
        prop_assert_eq!(run.tracker.assessment(), Assessment::Done, "{:?}", run.tracker.facts());
    }

    #[test]
    fn a_rollout_of_an_image_that_is_not_there_is_doomed_and_was_never_done(
        replicas in 1..4usize, crashes in 0..9u32, before in steps(), after in steps(),
    ) {
        let mut run = Run::new(Model::before(replicas, crashes, false), &Patience::default());
        before.iter().for_each(|step| run.step(step));
        prop_assert_eq!(run.tracker.assessment(), Assessment::Progressing);
        run.model.broken = true;
        run.apply();
        after.iter().for_each(|step| run.step(step));
        run.settle();
        prop_assert_eq!(run.tracker.assessment(), Assessment::Doomed, "{:?}", run.tracker.facts());
        let noted = Noted::of(&Run::new(Model::before(replicas, crashes, false), &Patience::default()).view.state);
        let aim = Aim { workloads: vec![Subject::new(Kind::Deployment, "web")], hooks: Vec::new() };
        let old_are_there = run.model.pods.iter().any(|pod| pod.template == 1 && pod.id < replicas);
        prop_assert_eq!(old_pods_gone(&run.view.state, &noted, &aim), !old_are_there);
    }

    #[test]
    fn the_order_of_objects_does_not_matter_and_looks_are_repeatable(
        replicas in 1..4usize, crashes in 0..9u32, all in steps(), seed in any::<u64>(),
    ) {
        let mut run = Run::new(Model::before(replicas, crashes, true), &Patience::default());
        run.apply();
        let mut other = run.tracker.clone();
        for step in all.iter().step_by(4) {
            run.step(step);
            let mut objects: Vec<Value> = Vec::new();
            let mut shuffled = State::default();
            objects.extend(run.view.state.pods.values().map(|it| json!({ "kind": "Pod" }).with(it)));
            objects.extend(run.view.state.replica_sets.values().map(|it| json!({ "kind": "ReplicaSet" }).with(it)));
            objects.extend(run.view.state.deployments.values().map(|it| json!({ "kind": "Deployment" }).with(it)));
            objects.sort_by_key(|it| it.to_string().bytes().fold(seed, |hash, byte| hash.rotate_left(5) ^ u64::from(byte)));
            objects.iter().for_each(|object| shuffled.take(object));
            prop_assert_eq!(&shuffled, &run.view.state);
            other.look(&shuffled, run.applied, run.now);
            prop_assert_eq!(other.facts(), run.tracker.facts());
        }
    }
}

trait With {
    fn with(self, object: &impl serde::Serialize) -> Self;
}

impl With for Value {
    /// The object's fields beside these.
    fn with(mut self, object: &impl serde::Serialize) -> Self {
        let fields = serde_json::to_value(object).unwrap();
        self.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self
    }
}
