//! The demo on a cluster of the user's: in a namespace of its own, which goes afterwards. What the lab has beside its
//! cluster is not there: Godel keeps everything in memory, and is reached by `kubectl port-forward`.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::{GATE, Options, gate, process::Signals};
use crate::{
    env, interrupt,
    lab::godel::{CHART, RELEASE, WORKLOAD},
    random, repo, say, sh, tools,
};

const NAMESPACE: &str = "prodtest-demo";
const PATIENCE: Duration = Duration::from_secs(20);

/// The namespace, until it is removed.
struct Namespace {
    kubectl: PathBuf,
    keep: bool,
}

impl Namespace {
    fn kubectl(&self) -> Command {
        let mut kubectl = sh::program(&self.kubectl);
        kubectl.args(["--namespace", NAMESPACE]);
        kubectl
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if self.keep {
            say::line(format_args!("the namespace `{NAMESPACE}` is left: kubectl delete namespace {NAMESPACE}"));
        } else if let Err(error) = sh::quietly(self.kubectl().args(["delete", "namespace", NAMESPACE, "--wait=false"]))
        {
            say::line(format_args!("`{NAMESPACE}` could not be removed: {error:#}"));
        }
    }
}

/// Shows it, and says how the gate ended.
pub(super) fn show(programs: &Path, options: &Options, image: &str, out: &Path) -> Result<ExitStatus> {
    let kubectl = match env::which("kubectl") {
        Some(kubectl) => kubectl,
        None => tools::need("kube")?.with_file_name("kubectl"),
    };
    let helm = match env::which("helm") {
        Some(helm) => helm,
        None => tools::need("helm3")?,
    };
    let context = sh::quietly(sh::program(&kubectl).args(["config", "current-context"]))
        .context("there is no current cluster\n  hint: export KUBECONFIG=FILE, or kubectl config use-context NAME")?;
    say::title(format_args!("Godel on `{}`, in the namespace `{NAMESPACE}`", context.trim()));
    interrupt::catch()?;
    let there = sh::quietly(sh::program(&kubectl).args([
        "get",
        "namespace",
        NAMESPACE,
        "--ignore-not-found",
        "--output=name",
    ]))?;
    ensure!(
        there.trim().is_empty(),
        "the namespace `{NAMESPACE}` is there already\n  hint: kubectl delete namespace {NAMESPACE}"
    );
    sh::quietly(sh::program(&kubectl).args(["create", "namespace", NAMESPACE]))?;
    let namespace = Namespace { kubectl, keep: options.keep };
    let keys = json!({ "key": random::hex()?, "other-key": random::hex()?, "admin-key": random::hex()? });
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": "godel-api-key" },
        "stringData": keys,
    });
    sh::fed(namespace.kubectl().args(["create", "--filename", "-"]), &secret.to_string())?;

    let mut upgrade = sh::program(helm);
    upgrade.args(["--namespace", NAMESPACE, "upgrade", "--install", RELEASE, CHART, "--values"]);
    upgrade.arg(Path::new(CHART).join("values-lab.yaml")).args(["--values", "-"]);
    sh::fed(&mut upgrade, &values(image, options.fault.as_deref())?.to_string())?;
    sh::run(namespace.kubectl().args(["rollout", "status", WORKLOAD, "--timeout=120s"]))?;

    let forward = Forward::open(&namespace)?;
    say::line("not there, and so not judged: TLS and an ingress, PostgreSQL, Redis");
    let signals = Signals::catch()?;
    let mut gate = gate(programs, GATE, "lab", out);
    gate.args(["--namespace", NAMESPACE, "--url", &forward.url]);
    signals.wait(gate.spawn().context("could not start the gate")?)
}

fn values(image: &str, fault: Option<&str>) -> Result<Value> {
    let (repository, digest, tag) = match image.split_once('@') {
        Some((repository, digest)) => (repository, digest, ""),
        // A colon before a slash is that of a port.
        None => match image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((repository, tag)) => (repository, "", tag),
            None => bail!("`{image}` has neither a digest nor a tag\n  hint: REGISTRY/godel@sha256:…"),
        },
    };
    Ok(json!({
        "image": { "repository": repository, "digest": digest, "tag": tag },
        "version": repo::VERSION,
        "database": { "secret": "" },
        "redis": { "secret": "" },
        "ingress": { "enabled": false },
        "faults": fault.into_iter().collect::<Vec<_>>(),
    }))
}

/// `kubectl port-forward` to the service; ends with this.
struct Forward {
    child: Child,
    url: String,
}

impl Forward {
    fn open(namespace: &Namespace) -> Result<Self> {
        let mut kubectl = namespace.kubectl();
        kubectl.args(["port-forward", "service/godel-api", ":80"]).stdout(Stdio::piped());
        let mut child = kubectl.spawn().context("could not start `kubectl port-forward`")?;
        let stdout = child.stdout.take().context("no standard output")?;
        let mut forward = Self { child, url: String::new() };
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            // It says more for each connection; nobody reads that, and it must not block.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let line = receiver.recv_timeout(PATIENCE).context("`kubectl port-forward` does not say its port")?;
        // Forwarding from 127.0.0.1:40123 -> 7373
        let address = line.split_whitespace().find(|word| word.starts_with("127.0.0.1:"));
        forward.url = format!("http://{}", address.with_context(|| format!("`kubectl port-forward` says `{line}`"))?);
        Ok(forward)
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
