//! Who has which address. The LAN and the pods' networks exist inside the lab alone: two labs have the same ones.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result};

use super::{
    machine::Machine,
    place::{Lab, MAX_NODES},
    services,
};

/// The control plane's name.
pub(super) const CONTROL_PLANE: &str = "control-plane";
/// Its address, which is also that of DNS, the ingress and the metrics server.
pub(super) const CONTROL_PLANE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 240, 0, 1);
/// The bridge on the control plane that is the LAN.
pub(super) const SWITCH: &str = "lan0";
/// Addresses of Services.
pub(super) const SERVICES: &str = "10.96.0.0/16";
/// The Service of the API server.
pub(super) const API_SERVICE: &str = "10.96.0.1";
/// The Service of DNS.
pub(super) const DNS_SERVICE: &str = "10.96.0.10";
/// Addresses of pods, a /24 a node.
pub(super) const PODS: &str = "10.244.0.0/16";

/// The name of a node.
#[must_use]
pub(super) fn node_name(number: u8) -> String {
    format!("node-{number}")
}

pub(super) fn node_address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 240, 0, 10 + number)
}

/// The first three parts of the addresses of a node's pods.
pub(super) fn pods_of(node: &str) -> Result<String> {
    Ok(format!("10.244.{}", node_number(node).context("no node")?))
}

pub(super) fn node_number(name: &str) -> Option<u8> {
    name.strip_prefix("node-")?.parse().ok().filter(|number| (1..=MAX_NODES).contains(number))
}

/// The machine of this name.
#[must_use]
pub fn machine<'a>(lab: &'a Lab, name: &str) -> Option<Machine<'a>> {
    if name == CONTROL_PLANE {
        return Some(Machine::control_plane(lab));
    }
    if let Some(number) = node_number(name) {
        return Some(Machine::node(lab, number));
    }
    let service = services::by_name(name).ok()?;
    Some(Machine::service(lab, name, service.address?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_machines_have_one_address() {
        let nodes = (1..=MAX_NODES).map(node_address);
        let services = services::ALL.iter().filter_map(|service| service.address);
        let all: Vec<Ipv4Addr> = nodes.chain(services).chain([CONTROL_PLANE_ADDRESS]).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn a_node_is_known_by_its_number() {
        assert_eq!(node_number("node-3"), Some(3));
        for none in ["node-0", "node-41", "node-", "postgres", "node-1a"] {
            assert_eq!(node_number(none), None, "{none}");
        }
        assert_eq!(pods_of("node-3").unwrap(), "10.244.3");
    }
}
