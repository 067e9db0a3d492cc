//! Who is measured, and how each of them says that a rollout is done or will not be.

use std::{
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::bed::{Bed, CHART, LIMIT, RELEASE};
use crate::{describe, lab::godel::Helm, repo, sh};

/// One of those who are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contestant {
    /// The gate, with this Helm under it.
    Gate(Helm),
    /// `helm upgrade --wait` of version 3.
    Helm3,
    /// `helm upgrade --wait=watcher` of version 4, its default way to wait.
    Helm4Watcher,
    /// `helm upgrade --wait=legacy` of version 4, as version 3 does it.
    Helm4Legacy,
    /// `helm upgrade` of version 3 without a wait, then `kubectl rollout status`.
    Kubectl,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// From the start of Helm to the verdict.
    pub(super) after: Duration,
    /// Whether it said that the rollout is good.
    pub(super) is_good: bool,
    /// Whether it only ran out of time.
    pub(super) is_late: bool,
    /// What it said.
    pub(super) said: String,
}

impl Contestant {
    pub(super) const ALL: [Self; 6] = [
        Self::Gate(Helm::Three),
        Self::Gate(Helm::Four),
        Self::Helm3,
        Self::Helm4Watcher,
        Self::Helm4Legacy,
        Self::Kubectl,
    ];

    /// As the tables call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gate(Helm::Three) => "prodtest-deploy, Helm 3",
            Self::Gate(Helm::Four) => "prodtest-deploy, Helm 4",
            Self::Helm3 => "helm 3 `--wait`",
            Self::Helm4Watcher => "helm 4 `--wait=watcher`",
            Self::Helm4Legacy => "helm 4 `--wait=legacy`",
            Self::Kubectl => "helm 3, `kubectl rollout status`",
        }
    }

    /// As part of the name of a namespace.
    pub(super) const fn short(self) -> &'static str {
        match self {
            Self::Gate(Helm::Three) => "gate-3",
            Self::Gate(Helm::Four) => "gate-4",
            Self::Helm3 => "helm-3",
            Self::Helm4Watcher => "helm-4-watcher",
            Self::Helm4Legacy => "helm-4-legacy",
            Self::Kubectl => "kubectl",
        }
    }

    /// Deploys these values and waits for the verdict.
    ///
    /// # Errors
    /// When it cannot be started, or ends without a verdict.
    pub(super) fn measure(self, bed: &Bed<'_>, programs: &Path, values: &Value) -> Result<Outcome> {
        let timeout = format!("--timeout={LIMIT}s");
        let waiting = |helm, wait: &str| {
            let begun = Instant::now();
            let output = run(bed.upgrade(helm, values)?.args([wait, &timeout]))?;
            Ok(of(&output, begun))
        };
        match self {
            Self::Gate(helm) => gate(bed, programs, helm, values),
            Self::Helm3 => waiting(Helm::Three, "--wait"),
            Self::Helm4Watcher => waiting(Helm::Four, "--wait=watcher"),
            Self::Helm4Legacy => waiting(Helm::Four, "--wait=legacy"),
            Self::Kubectl => {
                let begun = Instant::now();
                let output = run(bed.upgrade(Helm::Three, values)?.arg(&timeout))?;
                if !output.status.success() {
                    return Ok(of(&output, begun));
                }
                // The same minute for both.
                let left = Duration::from_secs(LIMIT).saturating_sub(begun.elapsed());
                let status = ["rollout", "status", "deployment/doomed", &format!("--timeout={}ms", left.as_millis())];
                let output = run(bed.godel.kubectl()?.args(status))?;
                Ok(of(&output, begun))
            }
        }
    }
}

fn run(command: &mut Command) -> Result<Output> {
    command.output().context("could not start a contestant")
}

fn of(output: &Output, begun: Instant) -> Outcome {
    let after = begun.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    let is_good = output.status.success();
    Outcome {
        after,
        is_good,
        is_late: !is_good && after >= Duration::from_secs(LIMIT),
        said: said.trim().lines().next_back().unwrap_or_default().to_owned(),
    }
}

/// The gate tells when it started Helm and when it knew: what it did before that, a lock, a dry run and a backup, no
/// peer does.
fn gate(bed: &Bed<'_>, programs: &Path, helm: Helm, values: &Value) -> Result<Outcome> {
    let config = json!({
        "service": "bench",
        "environments": { "bench": {
            "kubernetes": { "namespace": bed.godel.namespace, "release": RELEASE },
            "chart": { "path": repo::root().join(CHART), "values": [bed.values(values)?] },
        } },
        "deploy": { "timeout": format!("{LIMIT}s"), "hook-timeout": format!("{LIMIT}s"), "on-failure": "keep" },
    });
    let file = bed.folder.path().join("prodtest.yaml");
    std::fs::write(&file, config.to_string()).context("could not write a file")?;
    let out = bed.folder.path().join("out");
    let mut gate = sh::program(programs.join(describe::program("deploy")));
    gate.arg("--config").arg(&file).args(["--env", "bench", "--kubeconfig"]).arg(bed.lab.kubeconfig());
    gate.arg("--helm").arg(helm.program()?).arg("--out").arg(&out);
    let output = run(&mut gate)?;
    let record = std::fs::read(out.join("deploy.run.json")).context("the gate left no record")?;
    let record: Value = serde_json::from_slice(&record).context("the gate's record is no JSON")?;
    let said = || String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned();
    let (after, is_good) = verdict(&record["facts"]).with_context(said)?;
    ensure!(is_good == output.status.success(), "the gate's exit code and its record disagree\n{}", said());
    let reason = record["findings"][0]["message"].as_str().unwrap_or_default();
    Ok(Outcome { after, is_good, is_late: false, said: reason.lines().next().unwrap_or_default().to_owned() })
}

/// From the start of Helm to the moment in which the gate knew, and whether that is good.
fn verdict(facts: &Value) -> Result<(Duration, bool)> {
    let began = facts["upgrade"]["started-ms"].as_u64().context("the gate did not start Helm")?;
    let moments = facts["rollout"]["moments"].as_array().context("the gate saw no rollout")?;
    let at =
        |what: &str| moments.iter().find(|moment| moment["what"] == what).and_then(|moment| moment["atMs"].as_u64());
    // Where the cluster is later than Helm with the news of a hook, it is Helm that was believed.
    let failed = || facts["upgrade"]["trouble"].as_object().and(facts["upgrade"]["ended-ms"].as_u64());
    let (ended, is_good) = match (at("done"), at("doomed").or_else(failed)) {
        (Some(done), _) => (done, true),
        (None, Some(doomed)) => (doomed, false),
        (None, None) => anyhow::bail!("the gate had no verdict"),
    };
    Ok((Duration::from_millis(ended.saturating_sub(began)), is_good))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_the_moment_in_which_the_gate_knew() {
        let moments = json!([{ "what": "pod-created", "atMs": 1200 }, { "what": "doomed", "atMs": 2500 }]);
        let doomed = json!({ "upgrade": { "started-ms": 1000 }, "rollout": { "moments": moments } });
        assert_eq!(verdict(&doomed).unwrap(), (Duration::from_millis(1500), false));
        let hook = json!({
            "upgrade": { "started-ms": 1000, "ended-ms": 4000, "trouble": {} }, "rollout": { "moments": [] },
        });
        assert_eq!(verdict(&hook).unwrap(), (Duration::from_millis(3000), false));
        assert!(verdict(&json!({ "upgrade": { "started-ms": 1 }, "rollout": { "moments": [] } })).is_err());
    }
}
