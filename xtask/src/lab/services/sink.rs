//! Where the webhooks of Alertmanager end: it keeps what it is sent, and shows it to whoever asks.

use std::net::Ipv4Addr;

use anyhow::Result;
use rustix::process::Signal;

use super::{Service, nothing};
use crate::{
    lab::{machine::Machine, place::Lab},
    tools,
};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 240, 0, 107);
const PORT: u16 = 8080;

pub(super) static SERVICE: Service = Service {
    name: "sink",
    what: "a sink for webhooks",
    address: Some(ADDRESS),
    ports: &[("sink", PORT)],
    tools: &[],
    end: Signal::TERM,
    needs_api: false,
    start,
    objects: nothing,
};

pub(super) fn url() -> String {
    format!("http://{ADDRESS}:{PORT}/alerts")
}

fn start(_: &Lab, machine: &Machine<'_>) -> Result<()> {
    let mut sink = machine.enter(tools::need("kube")?)?;
    sink.args(["sink", "-listen", &format!("{ADDRESS}:{PORT}"), "-file", "/var/lib/lab/received.jsonl"]);
    machine.start(SERVICE.name, sink)
}
