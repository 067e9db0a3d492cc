//! What is done inside of a container, from outside: its processes are this machine's own, found by their cgroup.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use anyhow::{Context as _, ensure};
use prodtest_tests::Release;
use serde_json::Value;
use xtask::{lab::until, sh};

use super::PATIENCE;

/// The first pod of the release.
pub(super) fn first(release: &Release<'_>) -> Value {
    release.objects("pods").into_iter().find(|pod| pod["metadata"]["labels"]["app"] == "godel").expect("a pod")
}

/// What `kubectl` calls it.
pub(super) fn named(pod: &Value) -> String {
    format!("pod/{}", pod["metadata"]["name"].as_str().expect("a name"))
}

pub(super) fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().any(|it| it["type"] == "Ready" && it["status"] == "True")
}

/// The groups of its container, one in each hierarchy.
fn groups(release: &Release<'_>, pod: &Value) -> Vec<PathBuf> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let id = text(&pod["status"]["containerStatuses"][0]["containerID"]);
    let id = id.strip_prefix("containerd://").expect("an id of containerd").to_owned();
    let below = Path::new(&release.lab().cgroup())
        .join(text(&pod["spec"]["nodeName"]))
        .join("kubepods/burstable")
        .join(format!("pod{}", text(&pod["metadata"]["uid"])))
        .join(id);
    let root = Path::new("/sys/fs/cgroup");
    let roots: Vec<PathBuf> =
        ["", "memory", "cpu"].into_iter().map(|hierarchy| root.join(hierarchy).join(&below)).collect();
    let found: Vec<PathBuf> = roots.into_iter().filter(|group| group.join("cgroup.procs").exists()).collect();
    assert!(!found.is_empty(), "the container has no group `{}`", below.display());
    found
}

/// Sends a signal to its processes.
pub(super) fn signal(release: &Release<'_>, pod: &Value, signal: &str) {
    let groups = groups(release, pod);
    let processes = fs::read_to_string(groups[0].join("cgroup.procs")).expect("its processes");
    let mut kill = sh::program("kill");
    kill.args(["-s", signal, "--"]).args(processes.split_whitespace());
    sh::quietly(&mut kill).expect("the signal");
}

/// Writes a line to where its process writes its own.
pub(super) fn say(release: &Release<'_>, pod: &Value, line: &str) {
    let processes = fs::read_to_string(groups(release, pod)[0].join("cgroup.procs")).expect("its processes");
    let process = processes.split_whitespace().next().expect("a process");
    fs::write(format!("/proc/{process}/fd/1"), format!("{line}\n")).expect("a line");
    until("the line to be logged", PATIENCE, || {
        let log = sh::quietly(release.kubectl()?.args(["logs", &named(pod)]))?;
        ensure!(log.contains(line), "it is not there");
        Ok(())
    })
    .expect("a line in the log");
}

/// Ends it at once, and waits until it is ready again.
pub(super) fn kill(release: &Release<'_>, pod: &Value) {
    signal(release, pod, "KILL");
    restarted(release, pod);
}

/// Waits until its container has been started again, and is ready.
pub(super) fn restarted(release: &Release<'_>, pod: &Value) {
    until("the container to be started again", PATIENCE, || {
        let now = release.object(&named(pod));
        let times = now["status"]["containerStatuses"][0]["restartCount"].as_u64().context("no count")?;
        ensure!(times > 0 && is_ready(&now), "it was {times} times, and ready: {}", is_ready(&now));
        Ok(())
    })
    .expect("a container that was started again");
}

/// A shell and its children that count as the container's own. They end with this.
pub(super) struct Guest(Child);

impl Guest {
    /// Lets them do that.
    pub(super) fn new(release: &Release<'_>, pod: &Value, script: &str) -> Self {
        let enter =
            groups(release, pod).into_iter().map(|group| format!("echo $$ > {}/cgroup.procs\n", group.display()));
        let mut shell = sh::program("sh");
        shell.args(["-ec", &(enter.collect::<String>() + script)]).stderr(Stdio::null()).process_group(0);
        Self(shell.spawn().expect("a shell"))
    }

    /// Waits for their end, whatever it is.
    pub(super) fn end(mut self) {
        self.0.wait().expect("its end");
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        // It may have ended.
        let _ = sh::quietly(sh::program("kill").args(["-s", "KILL", "--", &group]));
        let _ = self.0.wait();
    }
}
