//! The metrics server, registered as `metrics.k8s.io`: `kubectl top`, and autoscalers by processor and memory.

use std::fs;

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Service, on_control_plane};
use crate::{
    lab::{machine::Machine, pki::base64, place::Lab},
    tools,
};

const PORT: u16 = 4443;

pub(super) static SERVICE: Service = Service {
    name: "metrics",
    what: "metrics-server, `kubectl top` and autoscalers",
    address: None,
    ports: &[("metrics", PORT)],
    tools: &["metrics-server"],
    end: Signal::TERM,
    needs_api: true,
    start,
    objects,
};

fn start(lab: &Lab, machine: &Machine<'_>) -> Result<()> {
    let pki = |file: &str| lab.pki(file).display().to_string();
    let access =
        ["", "authentication-", "authorization-"].map(|kind| format!("--{kind}kubeconfig={}", pki("admin.kubeconfig")));
    let mut server = machine.enter(tools::need("metrics-server")?)?;
    server
        .args(access)
        .arg(format!("--secure-port={PORT}"))
        .arg(format!("--bind-address={}", machine.address))
        .arg(format!("--tls-cert-file={}", pki("metrics-server.crt")))
        .arg(format!("--tls-private-key-file={}", pki("metrics-server.key")))
        .arg(format!("--kubelet-certificate-authority={}", pki("ca.crt")))
        .arg("--kubelet-preferred-address-types=InternalIP")
        // The least that it takes, and only with a patience for kubelets that is shorter.
        .args(["--metric-resolution=10s", "--kubelet-request-timeout=5s"]);
    machine.start(SERVICE.name, server)
}

fn objects(lab: &Lab) -> Result<Vec<Value>> {
    let ca = fs::read(lab.pki("ca.crt")).context("could not read the authority's certificate")?;
    let spec = json!({ "ports": [{ "name": "https", "port": 443, "targetPort": PORT }] });
    let mut objects = on_control_plane("metrics-server", &spec, &json!([{ "name": "https", "port": PORT }])).to_vec();
    objects.push(json!({
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": { "name": "v1beta1.metrics.k8s.io" },
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "service": { "name": "metrics-server", "namespace": "kube-system" },
            "caBundle": base64(&ca),
        },
    }));
    Ok(objects)
}
