//! Traefik, the ingress controller; TLS by the secrets that Ingresses name.

use anyhow::Result;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::Service;
use crate::{
    lab::{files, machine::Machine, net, place::Lab},
    tools,
};

pub(super) static SERVICE: Service = Service {
    name: "ingress",
    what: "Traefik, the ingress controller (class `traefik`)",
    address: None,
    ports: &[("http", 80), ("https", 443)],
    tools: &["traefik"],
    end: Signal::TERM,
    needs_api: true,
    start,
    objects,
};

fn start(lab: &Lab, machine: &Machine<'_>) -> Result<()> {
    let address = net::CONTROL_PLANE_ADDRESS;
    // Who asks for a name that no Secret is for gets the lab's own certificate. `old@file` is for who wants old TLS.
    let dynamic = json!({ "tls": {
        "stores": { "default": { "defaultCertificate": {
            "certFile": lab.pki("ingress.crt"), "keyFile": lab.pki("ingress.key"),
        } } },
        "options": { "old": { "minVersion": "VersionTLS10" } },
    } });
    let file = machine.folder().join("traefik.yml");
    files::write(&file, &dynamic.to_string(), 0o644)?;
    let mut traefik = machine.enter(tools::need("traefik")?)?;
    traefik
        .env("KUBECONFIG", lab.pki("admin.kubeconfig"))
        .args(["--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=INFO"])
        .arg(format!("--entrypoints.web.address={address}:80"))
        .arg(format!("--entrypoints.websecure.address={address}:443"))
        .arg("--entrypoints.websecure.http.tls=true")
        // Below every Ingress: one that says it is for plain HTTP too is served there.
        .arg("--entrypoints.web.http.redirections.entrypoint.to=websecure")
        .args(["--entrypoints.web.http.redirections.entrypoint.priority=1", "--providers.file.watch=false"])
        .arg(format!("--providers.file.filename={}", file.display()))
        .arg("--providers.kubernetesingress=true")
        // A service without a ready pod is answered for with 503, as other controllers do, not with 404.
        .arg("--providers.kubernetesingress.allowemptyservices=true")
        .arg(format!("--providers.kubernetesingress.ingressendpoint.ip={address}"))
        // As good as at once: what is tested is the service, not how long an ingress controller gathers changes.
        .args(["--providers.kubernetesingress.throttleduration=100ms", "--providers.providersthrottleduration=100ms"]);
    machine.start(SERVICE.name, traefik)
}

fn objects(_: &Lab) -> Result<Vec<Value>> {
    Ok(vec![json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {
            "name": "traefik",
            "annotations": { "ingressclass.kubernetes.io/is-default-class": "true" },
        },
        "spec": { "controller": "traefik.io/ingress-controller" },
    })])
}
