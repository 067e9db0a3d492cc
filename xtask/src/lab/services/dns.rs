//! CoreDNS: the cluster's names, and those of the lab's machines.

use anyhow::Result;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Service, on_control_plane};
use crate::{
    lab::{files, machine::Machine, net, place::Lab},
    tools,
};

pub(super) static SERVICE: Service = Service {
    name: "dns",
    what: "CoreDNS, the cluster's names",
    address: None,
    ports: &[("dns", 53)],
    tools: &["coredns"],
    end: Signal::TERM,
    needs_api: true,
    start,
    objects,
};

fn start(lab: &Lab, machine: &Machine<'_>) -> Result<()> {
    let corefile = machine.folder().join("Corefile");
    let (hosts, admin) = (lab.folder.join("hosts"), lab.pki("admin.kubeconfig"));
    let text = format!(
        ".:53 {{
    bind {}
    errors
    hosts \"{}\" {{
        reload 1s
        fallthrough
    }}
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig \"{}\"
        ttl 2
    }}
}}
",
        net::CONTROL_PLANE_ADDRESS,
        hosts.display(),
        admin.display()
    );
    files::write(&corefile, &text, 0o644)?;
    let mut coredns = machine.enter(tools::need("coredns")?)?;
    coredns.arg("-conf").arg(corefile);
    machine.start(SERVICE.name, coredns)
}

fn objects(_: &Lab) -> Result<Vec<Value>> {
    let ports = json!([
        { "name": "dns", "port": 53, "protocol": "UDP" },
        { "name": "dns-tcp", "port": 53, "protocol": "TCP" },
    ]);
    let spec = json!({ "clusterIP": net::DNS_SERVICE, "ports": ports });
    Ok(on_control_plane("kube-dns", &spec, &ports).to_vec())
}
