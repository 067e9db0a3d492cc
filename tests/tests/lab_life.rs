//! The lab itself: it comes, it goes, and whatever became of it, nothing of it is left.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use prodtest_testkit::binary;
use prodtest_tests::OwnLab;
use rustix::process::{Pid, Signal, kill_process};
use xtask::lab::{self, Lab, down, services, until, up};

const PATIENCE: Duration = Duration::from_secs(120);

fn options(with: &[&str]) -> up::Options {
    up::Options { with: with.iter().map(|name| (*name).to_owned()).collect(), ..up::Options::default() }
}

/// What a lab could leave on the machine.
fn traces(lab: &Lab) -> BTreeSet<String> {
    let mut traces = BTreeSet::new();
    let mark = lab.mark();
    let own_mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        // What runs inside a machine does not bear the mark, but sees the lab's folder mounted.
        let mounts = fs::read_to_string(process.path().join("mounts")).unwrap_or_default();
        let mounted = fs::read_to_string(process.path().join("mountinfo")).unwrap_or_default();
        let inside = mounts != own_mounts && mounted.contains(&*lab.folder.to_string_lossy());
        if line.contains(&mark) || inside {
            traces.insert(format!("process {} {line}", process.file_name().display()));
        }
    }
    for mount in own_mounts.lines() {
        traces.insert(format!("mount {mount}"));
    }
    for interface in fs::read_dir("/sys/class/net").into_iter().flatten().flatten() {
        traces.insert(format!("interface {}", interface.file_name().display()));
    }
    for controller in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
        for group in [controller.path().join(lab.cgroup()), Path::new("/sys/fs/cgroup").join(lab.cgroup())] {
            if group.exists() {
                traces.insert(format!("cgroup {}", group.display()));
            }
        }
    }
    // The folders that daemons have built in.
    for folder in ["/var/lib", "/var/log", "/run", "/etc", "/opt", "/usr/libexec", "/usr/lib/cni"] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            traces.insert(format!("file {}", entry.path().display()));
        }
    }
    if lab.folder.exists() {
        traces.insert(format!("file {}", lab.folder.display()));
    }
    traces
}

/// What was left since `before`.
fn left(lab: &Lab, before: &BTreeSet<String>) -> Vec<String> {
    traces(lab).difference(before).cloned().collect()
}

const NOTHING: [String; 0] = [];

fn nodes_answer(lab: &Lab) {
    let nodes = lab::get(lab, &["nodes"]).expect("an answer");
    assert_eq!(nodes["items"].as_array().map(Vec::len), Some(1));
}

#[test]
fn lab_life_ten_times_up_and_down_leave_nothing() {
    let Some(own) = OwnLab::named("t-ten") else { return };
    let before = traces(&own);
    for round in 1..=10 {
        up(&own, &options(&["dns", "postgres", "redis"])).unwrap_or_else(|error| panic!("round {round}: {error:#}"));
        nodes_answer(&own);
        let during = left(&own, &before);
        for kind in ["process", "cgroup", "file"] {
            let seen = during.iter().any(|trace| trace.starts_with(kind));
            assert!(seen, "a running lab shows no {kind}: this looks in the wrong place");
        }
        down(&own).unwrap_or_else(|error| panic!("round {round}: {error:#}"));
        assert_eq!(left(&own, &before), NOTHING, "after round {round}");
    }
}

/// Each is a file that `up` makes, early, in the middle, and near the end.
const MOMENTS: [&str; 3] = ["machines/control-plane/pid", "kubeconfig", "machines/node-1/daemons/kubelet"];

/// An `up` that has come so far.
fn start(lab: &Lab, moment: &str) -> Child {
    let mut command = Command::new(binary("xtask"));
    command.args(["lab", "up", "--lab", &lab.name, "--with", "dns,redis"]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    until(&format!("`{moment}`"), PATIENCE, || {
        anyhow::ensure!(lab.folder.join(moment).exists(), "it is not there yet");
        Ok(())
    })
    .expect("`up` gets there");
    child
}

#[test]
fn lab_life_an_up_that_is_killed_is_cleaned_by_the_next() {
    let Some(own) = OwnLab::named("t-killed") else { return };
    let before = traces(&own);
    for moment in MOMENTS {
        let mut child = start(&own, moment);
        child.kill().expect("it is still there");
        child.wait().expect("it ends");
        assert_ne!(left(&own, &before), NOTHING, "killed at `{moment}`, it left nothing: that is too early");
        assert!(own.running().is_err(), "half a lab is none");
        up(&own, &options(&["dns", "redis"])).unwrap_or_else(|error| panic!("after `{moment}`: {error:#}"));
        nodes_answer(&own);
        down(&own).expect("it ends");
        assert_eq!(left(&own, &before), NOTHING, "after `{moment}`");
    }
}

#[test]
fn lab_life_an_up_that_is_interrupted_cleans_up_by_itself() {
    let Some(own) = OwnLab::named("t-interrupted") else { return };
    let before = traces(&own);
    for moment in MOMENTS {
        let mut child = start(&own, moment);
        kill_process(Pid::from_child(&child), Signal::INT).expect("it is still there");
        let status = child.wait().expect("it ends");
        assert!(!status.success(), "interrupted at `{moment}`, it says that all is well");
        assert_eq!(left(&own, &before), NOTHING, "after `{moment}`");
    }
}

#[test]
fn lab_life_two_stand_side_by_side() {
    let (Some(one), Some(other)) = (OwnLab::named("t-one"), OwnLab::named("t-other")) else { return };
    thread::scope(|scope| {
        for lab in [&one, &other] {
            scope.spawn(|| up(lab, &options(&["redis"])).expect("a lab"));
        }
    });
    services::redis(&one, &["SET", "whose", "one"]).expect("an answer");
    services::redis(&other, &["SET", "whose", "other"]).expect("an answer");
    assert_eq!(services::redis(&one, &["GET", "whose"]).expect("an answer"), "one");
    down(&one).expect("it ends");
    nodes_answer(&other);
    assert_eq!(services::redis(&other, &["GET", "whose"]).expect("an answer"), "other");
}

#[test]
fn lab_life_a_part_that_dies_is_named_with_the_end_of_its_log() {
    let Some(own) = OwnLab::up("t-dies", &options(&["redis"])) else { return };
    let machine = lab::machine(&own, "redis").expect("a machine");
    // Not by the lab's own hand, which would know of it.
    let killed = machine.enter("pkill").expect("it runs").args(["-KILL", "redis-server"]).status().expect("it starts");
    assert!(killed.success());
    let error = until("the lab to notice", PATIENCE, || match up(&own, &options(&["redis"])) {
        Ok(_) => anyhow::bail!("it says that all is well"),
        Err(error) => Ok(format!("{error:#}")),
    });
    let error = error.expect("it notices");
    assert!(error.contains("`redis` on the machine `redis` ended"), "{error}");
    assert!(error.contains("Ready to accept connections"), "the end of its log is not in: {error}");
    assert!(error.contains("hint: cargo xtask lab down"), "{error}");
}

#[test]
fn lab_life_another_number_of_nodes_is_refused_while_it_is_up() {
    let Some(own) = OwnLab::up("t-nodes", &options(&["redis"])) else { return };
    let error = up(&own, &up::Options { nodes: 2, ..options(&["redis"]) }).expect_err("two are not one");
    assert!(error.to_string().contains("is up with 1 node(s)"), "{error}");
    // More services are not another lab.
    let more = up(&own, &options(&["redis", "sink"])).expect("one more");
    assert_eq!(more.services, ["redis", "sink"]);
}

/// `xtask` as somebody else, with a cache that is empty.
fn elsewhere(wrapper: &[&str], arguments: &[&str]) -> String {
    let cache = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("env");
    let output =
        command.args(wrapper).arg(binary("xtask")).args(arguments).env("PRODTEST_CACHE", cache.path()).output();
    let output = output.expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn lab_life_what_is_missing_is_said_and_not_installed() {
    if OwnLab::named("t-none").is_none() {
        return;
    }
    let said = elsewhere(&[], &["lab", "up", "--no-install"]);
    assert!(said.contains("to be built: kube, pause, coredns, traefik"), "{said}");
}

#[test]
fn lab_life_who_cannot_have_one_is_told_what_else_there_is() {
    if OwnLab::named("t-none").is_none() {
        return;
    }
    let said = elsewhere(&["setpriv", "--reuid=65534", "--clear-groups"], &["lab", "up"]);
    for way in ["a lab needs root", "--cluster current", "demo --local"] {
        assert!(said.contains(way), "{said}");
    }
}
