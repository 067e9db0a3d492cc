//! The lab: a real Kubernetes of one node or several, with what stands beside it, made of namespaces on this machine.
//!
//! A *machine* is a tree of processes in namespaces of its own, on a LAN that exists nowhere else. The control plane is
//! one, and the switch of that LAN; each node is one, with its own containerd and kubelet; each managed service is one.
//! So each can be lost, cut off and brought back. On the host there are only a folder in the cache, a few ports on
//! loopback, and cgroups; `down` removes all of it, and finds it by the mark that every process of a lab bears, whatever
//! became of `up`.
//!
//! What runs on the machines is in `tests/lab`: Kubernetes from its own Go modules, and the script that sets a machine
//! up.

mod cgroups;
pub mod command;
mod control_plane;
pub mod down;
pub mod etcd;
mod files;
mod forward;
pub mod godel;
mod images;
mod kubectl;
mod machine;
mod net;
mod node;
mod pki;
mod place;
mod process;
pub mod services;
mod status;
pub mod up;
mod wait;

use anyhow::Result;

pub use self::{
    down::down,
    forward::port,
    images::load,
    kubectl::{apply, get, kubectl},
    machine::Machine,
    net::machine,
    place::{Lab, Settings},
    services::Service,
    up::up,
    wait::until,
};

/// Starts a node that was stopped, with its disk as it was.
///
/// # Errors
/// When it runs, or cannot be started.
pub fn node_again(lab: &Lab, number: u8) -> Result<()> {
    let settings = lab.running()?;
    node::boot(lab, &settings, number)?;
    node::start(lab, &settings, number)
}
