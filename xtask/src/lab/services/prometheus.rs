//! Prometheus: finds pods by their annotations, reads what the kubelets know of containers, and tells two Alertmanagers.

use std::{fs, net::Ipv4Addr};

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Service, alertmanager, nothing};
use crate::{
    lab::{files, machine::Machine, net, place::Lab},
    tools,
};

const PORT: u16 = 9090;

pub(super) static SERVICE: Service = Service {
    name: "prometheus",
    what: "Prometheus, which discovers pods",
    address: Some(Ipv4Addr::new(10, 240, 0, 104)),
    ports: &[("prometheus", PORT)],
    tools: &["prometheus"],
    end: Signal::TERM,
    needs_api: true,
    start,
    objects: nothing,
};

fn start(lab: &Lab, machine: &Machine<'_>) -> Result<()> {
    fs::create_dir_all(lab.folder.join("rules")).context("could not make a folder")?;
    let file = machine.folder().join("prometheus.yml");
    // YAML, and JSON is YAML.
    files::write(&file, &config(lab).to_string(), 0o600)?;
    let mut prometheus = machine.enter(tools::need("prometheus")?)?;
    prometheus
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--web.listen-address={}:{PORT}", machine.address))
        // New rules are taken by a POST to /-/reload.
        .args(["--storage.tsdb.path=/var/lib/lab", "--web.enable-lifecycle", "--storage.tsdb.retention.time=2d"]);
    machine.start(SERVICE.name, prometheus)
}

fn config(lab: &Lab) -> Value {
    let pki = |file: &str| lab.pki(file);
    let discover = |role: &str| json!([{ "role": role, "kubeconfig_file": pki("admin.kubeconfig") }]);
    let tls = json!({
        "ca_file": pki("ca.crt"),
        "cert_file": pki("apiserver-kubelet-client.crt"),
        "key_file": pki("apiserver-kubelet-client.key"),
    });
    let meta = |name: &str| format!("__meta_kubernetes_pod_{name}");
    let copy = |from: &str, to: &str| json!({ "source_labels": [from], "target_label": to });
    json!({
        "global": { "scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s" },
        "rule_files": [lab.folder.join("rules/*.yml")],
        "alerting": { "alertmanagers": [{ "static_configs": [{ "targets": alertmanager::addresses() }] }] },
        "scrape_configs": [
            {
                "job_name": "pods",
                "kubernetes_sd_configs": discover("pod"),
                "relabel_configs": [
                    { "source_labels": [meta("annotation_prometheus_io_scrape")], "regex": "true", "action": "keep" },
                    { "source_labels": [meta("phase")], "regex": "Pending|Succeeded|Failed", "action": "drop" },
                    { "source_labels": [meta("annotation_prometheus_io_path")], "regex": "(.+)", "target_label": "__metrics_path__" },
                    {
                        "source_labels": [meta("ip"), meta("annotation_prometheus_io_port")],
                        "regex": "(.+);(.+)",
                        "replacement": "$1:$2",
                        "target_label": "__address__",
                    },
                    // One pod is one target, however many ports its containers have.
                    copy("__meta_kubernetes_namespace", "namespace"),
                    copy(&meta("name"), "pod"),
                    copy(&meta("node_name"), "node"),
                    copy(&meta("label_app"), "app"),
                ],
            },
            {
                "job_name": "cadvisor",
                "scheme": "https",
                "metrics_path": "/metrics/cadvisor",
                "scrape_interval": "15s",
                "scrape_timeout": "10s",
                "tls_config": tls,
                "kubernetes_sd_configs": discover("node"),
            },
            {
                "job_name": "apiserver",
                "scheme": "https",
                "scrape_interval": "15s",
                "scrape_timeout": "10s",
                "tls_config": tls,
                "static_configs": [{ "targets": [format!("{}:6443", net::CONTROL_PLANE_ADDRESS)] }],
            },
        ],
    })
}
