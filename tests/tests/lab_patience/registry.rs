//! The lab's registry by another name, with a fault before it: what the kubelet pulls from there goes through a relay of
//! the test.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use xtask::{
    lab::{self, Lab, Machine, until},
    random, tools,
};

use super::relay::{Act, Relay};

/// It is gone when this is dropped.
pub(super) struct Registry {
    /// How images of it are called, without their name: nobody has pulled anything under it before.
    pub(super) host: String,
    known: PathBuf,
    inside: Child,
    _relay: Relay,
    _folder: tempfile::TempDir,
}

impl Registry {
    /// With this before it. The node has nothing to say of who it is: that is added on the way.
    pub(super) fn behind(lab: &Lab, fault: impl Fn() -> Option<&'static str> + Send + Sync + 'static) -> Self {
        let password = lab.passwords().expect("passwords").registry;
        let login = format!("Authorization: Basic {}", STANDARD.encode(format!("lab:{password}")));
        let real = lab::port(lab, "registry").expect("a registry");
        let relay = Relay::start(real, move |_| match fault() {
            Some(answer) => Act::Answer(answer),
            None => Act::Pass(vec![login.clone()]),
        });
        let folder = tempfile::tempdir().expect("a folder");
        let port_file = folder.path().join("port");
        let node = Machine::node(lab, 1).pid().expect("a node");
        // On the node's loopback, and from there to the host's: nothing else of the host is to be reached from a lab.
        let inside = Command::new("nsenter")
            .args([&format!("--target={node}"), "--net", "--"])
            .arg(tools::need("kube").expect("`kube`"))
            .args(["forward", "-netns", &format!("/proc/{}/ns/net", std::process::id())])
            .args(["-to", &format!("127.0.0.1:{}", relay.port), "-port-file"])
            .arg(&port_file)
            .stdin(Stdio::null())
            .spawn()
            .expect("`nsenter` starts");
        let host = format!("patience-{}.lab:5000", &random::hex().expect("a random number")[..8]);
        let known = lab.folder.join("registries").join(&host);
        let registry = Self { host, known, inside, _relay: relay, _folder: folder };
        let port: u16 = until("the registry's port on the node", Duration::from_secs(10), || {
            fs::read_to_string(&port_file)?.trim().parse().context("no port")
        })
        .expect("a port");
        fs::create_dir_all(&registry.known).expect("a folder");
        let url = format!("http://127.0.0.1:{port}");
        let hosts = format!("server = \"{url}\"\n[host.\"{url}\"]\n  capabilities = [\"pull\", \"resolve\"]\n");
        fs::write(registry.known.join("hosts.toml"), hosts).expect("a file");
        registry
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.known);
        let _ = self.inside.kill();
        let _ = self.inside.wait();
    }
}
