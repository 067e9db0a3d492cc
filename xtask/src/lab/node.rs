//! A node: containerd, the kubelet, kube-proxy, and the program that enforces NetworkPolicies.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{
    control_plane::component,
    files, images,
    machine::Machine,
    net,
    place::{Lab, Settings},
    wait,
};
use crate::{sh, tools};

const SOCKET: &str = "/run/containerd/containerd.sock";
const PATIENCE: Duration = Duration::from_secs(60);

/// Boots the machine and starts containerd, with the images that every node has. The API server is not needed yet.
pub(super) fn boot(lab: &Lab, settings: &Settings, number: u8) -> Result<()> {
    let machine = Machine::node(lab, number);
    machine.boot(settings.nodes)?;
    let folder = machine.folder();
    let pods = net::pods_of(&machine.name)?;
    files::write(&folder.join("containerd.toml"), &containerd(lab, &folder), 0o644)?;
    files::write(&folder.join("cni/conf/10-pods.conflist"), &cni(&pods).to_string(), 0o644)?;
    let mut containerd = machine.enter("containerd")?;
    containerd.arg("--config").arg(folder.join("containerd.toml"));
    machine.start("containerd", containerd)?;
    wait::until_in(lab, &format!("containerd on `{}`", machine.name), PATIENCE, || {
        sh::quietly(machine.enter("ctr")?.args(["--address", SOCKET, "version"]))
    })?;
    for archive in images::preloaded(lab)? {
        import(&machine, &archive)?;
    }
    Ok(())
}

/// Loads an archive of images into a node.
pub(super) fn import(machine: &Machine<'_>, archive: &Path) -> Result<()> {
    let mut import = machine.enter("ctr")?;
    import.args(["--address", SOCKET, "--namespace", "k8s.io", "images", "import", "--all-platforms"]).arg(archive);
    sh::quietly(&mut import).with_context(|| format!("`{}` cannot be loaded", archive.display()))?;
    Ok(())
}

/// Starts what needs the API server.
pub(super) fn start(lab: &Lab, settings: &Settings, number: u8) -> Result<()> {
    let machine = Machine::node(lab, number);
    let (folder, name) = (machine.folder(), &machine.name);
    files::write(&folder.join("kubelet.json"), &kubelet(lab, settings, name).to_string(), 0o644)?;
    let access = |who: &str| format!("--kubeconfig={}", lab.pki(&format!("{who}.kubeconfig")).display());
    let mut kubelet = component(&machine, "kubelet")?;
    kubelet
        .arg(format!("--config={}", folder.join("kubelet.json").display()))
        .arg(access(&format!("kubelet-{name}")))
        .arg(format!("--hostname-override={name}"))
        .arg(format!("--node-ip={}", machine.address));
    machine.start("kubelet", kubelet)?;
    let mut proxy = component(&machine, "kube-proxy")?;
    proxy
        .arg(access("proxy"))
        .arg(format!("--hostname-override={name}"))
        .arg(format!("--bind-address={}", machine.address))
        .arg(format!("--cluster-cidr={}", net::PODS))
        .args(["--proxy-mode=iptables", "--iptables-min-sync-period=100ms"])
        // Zero leaves the kernel's settings as they are: they are the whole machine's.
        .args(["--conntrack-max-per-core=0", "--conntrack-min=0"])
        .args(["--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0"]);
    machine.start("kube-proxy", proxy)?;
    let mut policy = machine.enter(tools::need("kube")?)?;
    let admin = lab.pki("admin.kubeconfig");
    policy.args(["policy", "-node", name, "-kubeconfig"]).arg(admin);
    machine.start("policy", policy)
}

fn containerd(lab: &Lab, folder: &Path) -> String {
    let (folder, certs) = (folder.display(), lab.folder.join("registries"));
    let (image, certs) = (images::PAUSE, certs.display());
    format!(
        r#"version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{image}"
  # Root in a sandbox may lack CAP_SYS_RESOURCE, and can then not lower the score of what it starts.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{certs}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni/conf"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"#
    )
}

/// `pods` are the first three parts of the node's addresses. The first is the gateway's, and some are to spare.
fn cni(pods: &str) -> Value {
    json!({
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                // Every packet is routed, between two pods of one node as well: so policies hold for it, whether or not
                // the kernel can filter on bridges.
                "type": "ptp",
                "ipMasq": false,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{
                        "subnet": format!("{pods}.0/24"),
                        "rangeStart": format!("{pods}.10"),
                        "gateway": format!("{pods}.1"),
                    }]],
                    "routes": [{ "dst": "0.0.0.0/0" }],
                },
            },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    })
}

fn kubelet(lab: &Lab, settings: &Settings, node: &str) -> Value {
    let pki = |file: &str| lab.pki(file).display().to_string();
    let mut config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        // Since 1.35 it refuses version 1 of the kernel's cgroups unless told otherwise.
        "failCgroupV1": false,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}/{node}", lab.cgroup()),
        "containerRuntimeEndpoint": format!("unix://{SOCKET}"),
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": pki("ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        "tlsCertFile": pki(&format!("kubelet-{node}.crt")),
        "tlsPrivateKeyFile": pki(&format!("kubelet-{node}.key")),
        "clusterDomain": "cluster.local",
        "clusterDNS": [net::DNS_SERVICE],
        "resolvConf": lab.folder.join("resolv.conf"),
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        "failSwapOn": false,
        "serializeImagePulls": false,
        // The disk is the host's: how full it is says nothing of the lab.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": { "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
    });
    if settings.fast {
        config["nodeStatusUpdateFrequency"] = "2s".into();
        config["nodeStatusReportFrequency"] = "2s".into();
        config["nodeLeaseDurationSeconds"] = 8.into();
    }
    config
}
