//! The lab's certificates: one authority for everything that serves, one for the aggregation layer, and an access for
//! each component, as `kubeadm` hands them out.
//! <https://kubernetes.io/docs/setup/best-practices/certificates/>

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::KeyPair;

use super::{files, net, place::Lab};
use crate::pki::{Authority, Certificate, Names};

/// Names that the ingress serves: of the cluster's side and of the user's.
const INGRESS_NAMES: [&str; 4] = ["*.lab", "*.lab.example", "localhost", "127.0.0.1"];

/// Makes all of them. `services` are the names and addresses of the managed services.
pub(super) fn make(lab: &Lab, nodes: u8, services: &[(&str, Ipv4Addr)]) -> Result<()> {
    let ca = Authority::new("lab authority")?;
    let front = Authority::new("lab front-proxy authority")?;
    let save = |name: &str, certificate: &Certificate| -> Result<()> {
        files::write(&lab.pki(&format!("{name}.crt")), &certificate.chain, 0o644)?;
        files::write(&lab.pki(&format!("{name}.key")), &certificate.key, 0o600)
    };
    files::write(&lab.pki("ca.crt"), &ca.pem(), 0o644)?;
    files::write(&lab.pki("ca.key"), &ca.key(), 0o600)?;
    files::write(&lab.pki("front-proxy-ca.crt"), &front.pem(), 0o644)?;
    save("front-proxy-client", &front.issue(&Names::client("front-proxy-client", None))?)?;

    let control_plane = net::CONTROL_PLANE_ADDRESS.to_string();
    let local = ["localhost", "127.0.0.1"];
    save("etcd", &ca.issue(&Names::both("etcd", None, &local))?)?;
    let service =
        ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"];
    let names = [&local[..], &[&control_plane, net::API_SERVICE], &service].concat();
    save("apiserver", &ca.issue(&Names::server("kube-apiserver", &names))?)?;
    let masters = Some("system:masters");
    save("apiserver-kubelet-client", &ca.issue(&Names::client("kube-apiserver-kubelet-client", masters))?)?;
    let metrics = ["metrics-server.kube-system.svc", &control_plane];
    save("metrics-server", &ca.issue(&Names::server("metrics-server", &metrics))?)?;
    save("ingress", &ca.issue(&Names::server("ingress", &INGRESS_NAMES))?)?;
    for (name, address) in services {
        let names = [&format!("{name}.lab"), *name, &address.to_string(), local[0], local[1]];
        save(name, &ca.issue(&Names::server(name, &names))?)?;
    }

    // What service accounts' tokens are signed with.
    let tokens = KeyPair::generate().context("could not make a key")?;
    files::write(&lab.pki("sa.key"), &tokens.serialize_pem(), 0o600)?;
    files::write(&lab.pki("sa.pub"), &tokens.public_key_pem(), 0o644)?;

    let access = |file: &str, user: &str, group: Option<&str>| -> Result<()> {
        let certificate = ca.issue(&Names::client(user, group))?;
        let server = format!("https://{control_plane}:6443");
        files::write(
            &lab.pki(&format!("{file}.kubeconfig")),
            &kubeconfig(&server, &ca.pem(), user, &certificate),
            0o600,
        )
    };
    access("admin", "lab-admin", masters)?;
    access("controller-manager", "system:kube-controller-manager", None)?;
    access("scheduler", "system:kube-scheduler", None)?;
    access("proxy", "system:kube-proxy", None)?;
    for number in 1..=nodes {
        let (node, address) = (net::node_name(number), net::node_address(number).to_string());
        let user = format!("system:node:{node}");
        let both = Names::both(&user, Some("system:nodes"), &[&node, &address, local[1]]);
        save(&format!("kubelet-{node}"), &ca.issue(&both)?)?;
        access(&format!("kubelet-{node}"), &user, Some("system:nodes"))?;
    }
    Ok(())
}

/// A kubeconfig is YAML, and JSON is YAML.
fn kubeconfig(server: &str, ca: &str, user: &str, certificate: &Certificate) -> String {
    let encoded = |pem: &str| base64(pem.as_bytes());
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "lab", "cluster": { "server": server, "certificate-authority-data": encoded(ca) } }],
        "users": [{ "name": user, "user": {
            "client-certificate-data": encoded(&certificate.chain),
            "client-key-data": encoded(&certificate.key),
        } }],
        "contexts": [{ "name": "lab", "context": { "cluster": "lab", "user": user } }],
        "current-context": "lab",
    })
    .to_string()
}

/// Base 64, as Kubernetes writes bytes.
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The text that was written so.
pub(super) fn unbase64(text: &str) -> Result<String> {
    String::from_utf8(STANDARD.decode(text).context("not base 64")?).context("not a text")
}
