//! etcd, the API server, the controller manager and the scheduler, on the control plane's machine.

use std::{process::Command, time::Duration};

use anyhow::Result;
use serde_json::json;

use super::{
    files, forward,
    kubectl::{self, kubectl},
    machine::Machine,
    net, pki,
    place::{Lab, Settings},
    wait,
};
use crate::{random, sh, tools};

const PATIENCE: Duration = Duration::from_secs(60);

/// Starts etcd and the API server, and does not wait for them.
pub(super) fn start_api(lab: &Lab, settings: &Settings) -> Result<()> {
    let machine = Machine::control_plane(lab);
    machine.boot(settings.nodes)?;
    let pki = |file: &str| lab.pki(file).display().to_string();

    let data = machine.folder().join("etcd");
    let mut etcd = component(&machine, "etcd")?;
    etcd.args(["--name=lab", "--log-level=warn"])
        .arg(format!("--data-dir={}", data.display()))
        // A lab's data lives as long as the lab: what a power cut would do to it is nobody's loss.
        .arg("--unsafe-no-fsync")
        .args(["--listen-client-urls=https://127.0.0.1:2379", "--advertise-client-urls=https://127.0.0.1:2379"])
        .args(["--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380"])
        .arg("--initial-cluster=lab=http://127.0.0.1:2380")
        .arg(format!("--cert-file={}", pki("etcd.crt")))
        .arg(format!("--key-file={}", pki("etcd.key")))
        .arg(format!("--trusted-ca-file={}", pki("ca.crt")))
        .arg("--client-cert-auth");
    machine.start("etcd", etcd)?;

    let mut api = component(&machine, "kube-apiserver")?;
    api.arg(format!("--advertise-address={}", net::CONTROL_PLANE_ADDRESS))
        .args(["--secure-port=6443", "--etcd-servers=https://127.0.0.1:2379"])
        .arg(format!("--etcd-cafile={}", pki("ca.crt")))
        .arg(format!("--etcd-certfile={}", pki("etcd.crt")))
        .arg(format!("--etcd-keyfile={}", pki("etcd.key")))
        .arg(format!("--client-ca-file={}", pki("ca.crt")))
        .arg(format!("--tls-cert-file={}", pki("apiserver.crt")))
        .arg(format!("--tls-private-key-file={}", pki("apiserver.key")))
        .arg(format!("--kubelet-client-certificate={}", pki("apiserver-kubelet-client.crt")))
        .arg(format!("--kubelet-client-key={}", pki("apiserver-kubelet-client.key")))
        .arg(format!("--kubelet-certificate-authority={}", pki("ca.crt")))
        .arg("--kubelet-preferred-address-types=InternalIP")
        .arg("--service-account-issuer=https://kubernetes.default.svc.cluster.local")
        .arg(format!("--service-account-key-file={}", pki("sa.pub")))
        .arg(format!("--service-account-signing-key-file={}", pki("sa.key")))
        .arg(format!("--requestheader-client-ca-file={}", pki("front-proxy-ca.crt")))
        .args(["--requestheader-allowed-names=front-proxy-client", "--requestheader-username-headers=X-Remote-User"])
        .args(["--requestheader-group-headers=X-Remote-Group", "--requestheader-extra-headers-prefix=X-Remote-Extra-"])
        .arg(format!("--proxy-client-cert-file={}", pki("front-proxy-client.crt")))
        .arg(format!("--proxy-client-key-file={}", pki("front-proxy-client.key")))
        // There is no kube-proxy on this machine: it calls a Service by the addresses behind it.
        .arg("--enable-aggregator-routing=true")
        .arg(format!("--service-cluster-ip-range={}", net::SERVICES))
        .arg(format!("--encryption-provider-config={}", encryption(lab)?))
        .args(["--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction"])
        .arg("--profiling=false");
    machine.start("kube-apiserver", api)
}

/// How Secrets are stored: encrypted, by a key of the lab's own. What was stored before is read as it is.
/// <https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/>
fn encryption(lab: &Lab) -> Result<String> {
    let file = lab.pki("encryption.json");
    // A key that is lost takes all Secrets with it.
    if !file.exists() {
        let key = pki::base64(&random::hex()?.as_bytes()[..32]);
        let providers = json!([{ "aescbc": { "keys": [{ "name": "lab", "secret": key }] } }, { "identity": {} }]);
        let config = json!({
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "EncryptionConfiguration",
            "resources": [{ "resources": ["secrets"], "providers": providers }],
        });
        files::write_json(&file, &config)?;
    }
    Ok(file.display().to_string())
}

/// Waits for the API server, writes the administrator's kubeconfig for the host, makes what the cluster is to have from
/// the beginning, and starts the controllers.
pub(super) fn start_controllers(lab: &Lab, settings: &Settings) -> Result<()> {
    let inside = format!("https://{}:6443", net::CONTROL_PLANE_ADDRESS);
    let port = forward::open(lab, "apiserver", "127.0.0.1:6443")?;
    let admin = std::fs::read_to_string(lab.pki("admin.kubeconfig"))?;
    files::write(&lab.kubeconfig(), &admin.replace(&inside, &format!("https://127.0.0.1:{port}")), 0o600)?;
    wait::until_in(lab, "the API server to be ready", PATIENCE, || {
        sh::quietly(kubectl(lab)?.args(["get", "--raw=/readyz", "--request-timeout=5s"]))
    })?;
    // Made here, so that `spec.podCIDR` says what is really routed; the kubelets take them over.
    let nodes: Vec<_> = (1..=settings.nodes)
        .map(|number| {
            let (name, pods) = (net::node_name(number), format!("10.244.{number}.0/24"));
            json!({
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": { "name": name, "labels": { "kubernetes.io/hostname": name } },
                "spec": { "podCIDR": pods, "podCIDRs": [pods] },
            })
        })
        .collect();
    kubectl::apply(lab, &nodes)?;
    start_manager(lab, settings)
}

fn start_manager(lab: &Lab, settings: &Settings) -> Result<()> {
    let machine = Machine::control_plane(lab);
    let pki = |file: &str| lab.pki(file).display().to_string();
    let access = |name: &str| {
        let file = pki(&format!("{name}.kubeconfig"));
        ["", "authentication-", "authorization-"].map(|kind| format!("--{kind}kubeconfig={file}"))
    };
    let mut manager = component(&machine, "kube-controller-manager")?;
    manager
        .args(access("controller-manager"))
        .arg(format!("--service-account-private-key-file={}", pki("sa.key")))
        .arg(format!("--root-ca-file={}", pki("ca.crt")))
        .arg(format!("--cluster-signing-cert-file={}", pki("ca.crt")))
        .arg(format!("--cluster-signing-key-file={}", pki("ca.key")))
        .arg(format!("--cluster-cidr={}", net::PODS))
        .args(["--use-service-account-credentials", "--bind-address=127.0.0.1", "--leader-elect=false"])
        // An autoscaler looks every two seconds, not every fifteen.
        .arg("--horizontal-pod-autoscaler-sync-period=2s")
        // At its default rate it takes five seconds more until the first namespaces have their service account.
        .args(["--kube-api-qps=300", "--kube-api-burst=600", "--controller-start-interval=0", "--profiling=false"]);
    if settings.fast {
        manager.args(["--node-monitor-grace-period=8s", "--node-monitor-period=1s"]);
    }
    machine.start("kube-controller-manager", manager)?;
    let mut scheduler = component(&machine, "kube-scheduler")?;
    scheduler.args(access("scheduler")).args(["--bind-address=127.0.0.1", "--leader-elect=false", "--profiling=false"]);
    machine.start("kube-scheduler", scheduler)
}

/// A component, to be started on a machine.
pub(super) fn component(machine: &Machine<'_>, name: &str) -> Result<Command> {
    machine.enter(tools::need("kube")?.with_file_name(name))
}
