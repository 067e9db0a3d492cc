//! What stands beside the cluster, as a provider's managed services do: PostgreSQL, Redis, a registry, Prometheus,
//! Alertmanagers, each on a machine of its own, so that each can be lost or cut off. And what belongs to the cluster but
//! runs outside of it: DNS, the ingress controller and the metrics server, on the control plane.

mod alertmanager;
mod dns;
mod ingress;
mod metrics;
mod postgres;
mod prometheus;
mod redis;
mod registry;
mod sink;

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;
use serde_json::{Value, json};

pub use self::{postgres::sql, redis::command as redis};
pub(super) use self::{
    redis::DATABASES as REDIS_DATABASES,
    registry::{ADDRESS as REGISTRY, USER as REGISTRY_USER, push},
};
use super::{forward, machine::Machine, net, place::Lab, wait};
use crate::sh;

const PATIENCE: Duration = Duration::from_secs(60);

/// A service of the lab.
#[derive(Debug)]
pub struct Service {
    /// Its name, which is also its machine's and its daemon's.
    pub name: &'static str,
    /// What it is, in a few words.
    pub what: &'static str,
    /// The address of its own machine; none where it runs on the control plane.
    pub address: Option<Ipv4Addr>,
    /// The ports that it listens on, by the name under which the host reaches them.
    pub ports: &'static [(&'static str, u16)],
    /// The tools that it is made of.
    pub tools: &'static [&'static str],
    /// What asks it to end.
    end: Signal,
    /// Whether it can only start when the API server answers.
    needs_api: bool,
    /// Writes what it is configured by, and starts it. Called again after each stop.
    start: fn(&Lab, &Machine<'_>) -> Result<()>,
    /// What the cluster has to know of it.
    objects: fn(&Lab) -> Result<Vec<Value>>,
}

/// All of them.
pub static ALL: [&Service; 10] = [
    &dns::SERVICE,
    &ingress::SERVICE,
    &metrics::SERVICE,
    &postgres::SERVICE,
    &redis::SERVICE,
    &registry::SERVICE,
    &prometheus::SERVICE,
    &alertmanager::FIRST,
    &alertmanager::SECOND,
    &sink::SERVICE,
];

/// The service of this name.
///
/// # Errors
/// When there is none, with the names that there are.
pub fn by_name(name: &str) -> Result<&'static Service> {
    let known = || ALL.iter().map(|service| service.name).collect::<Vec<_>>().join(", ");
    ALL.into_iter()
        .find(|service| service.name == name)
        .with_context(|| format!("no service `{name}`; there are {}", known()))
}

impl Service {
    /// Where it runs.
    #[must_use]
    pub fn machine<'a>(&self, lab: &'a Lab) -> Machine<'a> {
        match self.address {
            Some(address) => Machine::service(lab, self.name, address),
            None => Machine::control_plane(lab),
        }
    }

    /// Whether it has to wait for the API server.
    #[must_use]
    pub fn needs_api(&self) -> bool {
        self.needs_api
    }

    /// Whether it runs.
    #[must_use]
    pub fn runs(&self, lab: &Lab) -> bool {
        self.machine(lab).runs(self.name)
    }

    /// The ports of the host's loopback that lead to it, by name.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub fn open(&self, lab: &Lab) -> Result<Vec<(&'static str, u16)>> {
        let address = self.machine(lab).address;
        self.ports
            .iter()
            .map(|(name, port)| Ok((*name, forward::open(lab, name, &format!("{address}:{port}"))?)))
            .collect()
    }

    /// Starts it, on a machine that is booted if need be. Does not wait for it.
    ///
    /// # Errors
    /// When it cannot be configured or started.
    pub fn start(&self, lab: &Lab, nodes: u8) -> Result<()> {
        let machine = self.machine(lab);
        if !machine.is_running() {
            machine.boot(nodes)?;
        }
        (self.start)(lab, &machine).with_context(|| format!("could not start `{}`", self.name))
    }

    /// Waits until it takes connections; of PostgreSQL, until it answers, for it takes them while it still recovers.
    ///
    /// # Errors
    /// When it does not, or dies.
    pub fn wait(&self, lab: &Lab) -> Result<()> {
        let address = self.machine(lab).address;
        for (name, port) in self.ports {
            if self.name == postgres::SERVICE.name {
                wait::until_in(lab, "PostgreSQL to answer", PATIENCE, || sql(lab, "postgres", "SELECT 1"))?;
            }
            wait::until_in(lab, &format!("`{}` to take connections as {name}", self.name), PATIENCE, || {
                // Bash's own way to connect: a second of patience, for a cable may be out.
                let connect = format!("exec 3<>/dev/tcp/{address}/{port}");
                sh::quietly(Machine::control_plane(lab).enter("timeout")?.args(["1", "bash", "-c", &connect]))
            })?;
        }
        Ok(())
    }

    /// What the cluster has to know of it.
    ///
    /// # Errors
    /// When a certificate cannot be read.
    pub fn objects(&self, lab: &Lab) -> Result<Vec<Value>> {
        (self.objects)(lab)
    }

    /// Ends it: asks it to, or at once, as a crash would.
    ///
    /// # Errors
    /// When it does not run, or does not end.
    pub fn stop(&self, lab: &Lab, at_once: bool) -> Result<()> {
        self.machine(lab).stop(self.name, if at_once { Signal::KILL } else { self.end })
    }

    /// Cuts it off from everybody, or ends that.
    ///
    /// # Errors
    /// When it has no machine of its own.
    pub fn cable(&self, lab: &Lab, plugged: bool) -> Result<()> {
        if self.address.is_none() {
            bail!("`{}` runs on the control plane, and has no cable of its own", self.name);
        }
        self.machine(lab).cable(plugged)
    }
}

/// Nothing to tell the cluster.
fn nothing(_: &Lab) -> Result<Vec<Value>> {
    Ok(Vec::new())
}

/// A Service whose one endpoint is the control plane's machine, where no pod is.
fn on_control_plane(name: &str, spec: &Value, ports: &Value) -> [Value; 2] {
    let metadata = json!({ "name": name, "namespace": "kube-system" });
    [
        json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec }),
        json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": format!("{name}-control-plane"),
                "namespace": "kube-system",
                "labels": { "kubernetes.io/service-name": name },
            },
            "addressType": "IPv4",
            "endpoints": [{ "addresses": [net::CONTROL_PLANE_ADDRESS], "conditions": { "ready": true } }],
            "ports": ports,
        }),
    ]
}
