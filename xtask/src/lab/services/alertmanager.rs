//! Two Alertmanagers that know each other; all that they say goes to the sink.

use std::net::Ipv4Addr;

use anyhow::Result;
use rustix::process::Signal;
use serde_json::json;

use super::{Service, nothing, sink};
use crate::lab::{files, machine::Machine, place::Lab};

const PORT: u16 = 9093;
const GOSSIP: u16 = 9094;
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 240, 0, 105), Ipv4Addr::new(10, 240, 0, 106)];

pub(super) static FIRST: Service = Service {
    name: "alertmanager-1",
    what: "the first of two Alertmanagers",
    address: Some(ADDRESSES[0]),
    ports: &[("alertmanager-1", PORT)],
    tools: &[],
    end: Signal::TERM,
    needs_api: false,
    start,
    objects: nothing,
};

pub(super) static SECOND: Service = Service {
    name: "alertmanager-2",
    what: "the second of two Alertmanagers",
    address: Some(ADDRESSES[1]),
    ports: &[("alertmanager-2", PORT)],
    tools: &[],
    end: Signal::TERM,
    needs_api: false,
    start,
    objects: nothing,
};

/// Where Prometheus finds them.
pub(super) fn addresses() -> [String; 2] {
    ADDRESSES.map(|address| format!("{address}:{PORT}"))
}

fn start(_: &Lab, machine: &Machine<'_>) -> Result<()> {
    let file = machine.folder().join("alertmanager.yml");
    let config = json!({
        // As good as at once: what is tested is whether an alert arrives, not how long it is held back.
        "route": {
            "receiver": "sink",
            "group_by": ["..."],
            "group_wait": "0s",
            "group_interval": "250ms",
            "repeat_interval": "1h",
        },
        "receivers": [{ "name": "sink", "webhook_configs": [{ "url": sink::url(), "send_resolved": true }] }],
    });
    files::write(&file, &config.to_string(), 0o644)?;
    let mut alertmanager = machine.enter("prometheus-alertmanager")?;
    let own = machine.address;
    alertmanager
        .arg(format!("--config.file={}", file.display()))
        .arg("--storage.path=/var/lib/lab")
        .arg(format!("--web.listen-address={own}:{PORT}"))
        .arg(format!("--cluster.listen-address={own}:{GOSSIP}"))
        // How long the second waits for the first to have sent an alert, before it sends it itself.
        .arg("--cluster.peer-timeout=1s");
    for peer in ADDRESSES.iter().filter(|peer| **peer != own) {
        alertmanager.arg(format!("--cluster.peer={peer}:{GOSSIP}"));
    }
    machine.start(&machine.name, alertmanager)
}
