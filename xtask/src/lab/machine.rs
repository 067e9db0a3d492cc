//! A machine: a tree of processes with network, mount, process, host-name and IPC namespaces of its own, on the lab's
//! LAN. To end its first process is to pull its plug: everything in it is gone at once, but for its folder, its disk.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    net::Ipv4Addr,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::Signal;

use super::{cgroups, files, net, place::Lab, process, wait};
use crate::{repo, sh, tools};

/// How long a machine may take to be there.
const BOOT: Duration = Duration::from_secs(20);
/// How much of a log is shown of a part that died.
const LAST_LINES: usize = 12;

/// What a machine is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The control plane, which is also the switch of the LAN.
    ControlPlane,
    /// A node, with a kubelet.
    Node,
    /// A machine for one managed service.
    Service,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::ControlPlane => "control-plane",
            Self::Node => "node",
            Self::Service => "service",
        }
    }
}

/// A machine of a lab, whether it runs or not.
#[derive(Clone, Debug)]
pub struct Machine<'a> {
    lab: &'a Lab,
    /// Its name, which is its host name.
    pub name: String,
    /// Its address on the LAN.
    pub address: Ipv4Addr,
    /// What it is for.
    pub role: Role,
}

impl<'a> Machine<'a> {
    /// The control plane.
    #[must_use]
    pub fn control_plane(lab: &'a Lab) -> Self {
        Self { lab, name: net::CONTROL_PLANE.to_owned(), address: net::CONTROL_PLANE_ADDRESS, role: Role::ControlPlane }
    }

    /// The node of this number, from 1.
    #[must_use]
    pub fn node(lab: &'a Lab, number: u8) -> Self {
        Self { lab, name: net::node_name(number), address: net::node_address(number), role: Role::Node }
    }

    /// The machine of a managed service.
    #[must_use]
    pub fn service(lab: &'a Lab, name: &str, address: Ipv4Addr) -> Self {
        Self { lab, name: name.to_owned(), address, role: Role::Service }
    }

    /// Its folder: logs, and what must outlive it.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.lab.machine_folder(&self.name)
    }

    /// The log of something that runs on it.
    #[must_use]
    pub fn log(&self, daemon: &str) -> PathBuf {
        self.folder().join("log").join(format!("{daemon}.log"))
    }

    /// Its first process, if it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        let pid = fs::read_to_string(self.folder().join("pid")).ok()?.trim().parse().ok()?;
        let arguments = process::arguments(pid)?;
        let ours = arguments.contains(&self.lab.mark()) && arguments.contains(&format!("--machine={}", self.name));
        ours.then_some(pid)
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.pid().is_some()
    }

    /// Starts it and connects it to the LAN. The control plane comes first, for it is the switch.
    ///
    /// # Errors
    /// When there are no namespaces to be had, or its set-up fails.
    pub fn boot(&self, nodes: u8) -> Result<()> {
        ensure!(!self.is_running(), "the machine `{}` runs already", self.name);
        let folder = self.folder();
        fs::create_dir_all(folder.join("log")).with_context(|| format!("could not make `{}`", folder.display()))?;
        // Daemons of its last life.
        let _ = fs::remove_dir_all(folder.join("daemons"));
        let pause = tools::need("pause")?;
        let log = File::create(self.log("machine")).context("could not make a log")?;
        let mut unshare = Command::new("setsid");
        unshare
            .args(["unshare", "--net", "--mount", "--uts", "--ipc", "--propagation", "private"])
            .args(["--pid", "--fork", "--kill-child", "--mount-proc", "--"])
            .arg(pause)
            .args([self.lab.mark(), format!("--machine={}", self.name)])
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("could not share a log")?)
            .stderr(log);
        let unshare = unshare.spawn().context("could not start `setsid unshare`")?.id();
        // The namespaces are whole when `pause` runs in them.
        let pid = wait::until(&format!("the namespaces of the machine `{}`", self.name), BOOT, || {
            let child = process::children(unshare).into_iter().next();
            let arguments = child.and_then(process::arguments).unwrap_or_default();
            if arguments.first().is_some_and(|program| program.ends_with("/pause")) {
                return Ok(child);
            }
            ensure!(!process::is_running(unshare), "they are being made");
            Ok(None)
        })?;
        let said = || fs::read_to_string(self.log("machine")).unwrap_or_default();
        let pid = pid.with_context(|| format!("`unshare` gives no namespaces: {}", said().trim()))?;
        files::write(&folder.join("pid"), &pid.to_string(), 0o644)?;
        let plugged = if self.role == Role::ControlPlane { Ok(()) } else { self.plug(pid) };
        let made = plugged.and_then(|()| self.set_up(nodes));
        if made.is_err() {
            // Half a machine would be taken for a whole one.
            let _ = self.halt();
        }
        made
    }

    /// A cable from the machine to the switch. It has the same hardware address in each of its lives, or its
    /// neighbours would send to the old one for half a minute.
    fn plug(&self, pid: u32) -> Result<()> {
        let port = self.port();
        let last = self.address.octets()[3];
        let hardware = format!("02:00:0a:f0:00:{last:02x}");
        let switch = Self::control_plane(self.lab);
        let netns = pid.to_string();
        let cable =
            ["link", "add", &port, "type", "veth", "peer", "name", "eth0", "address", &hardware, "netns", &netns];
        // The kernel takes away the old one when it comes to it; nobody else is sorry if that is now.
        let _ = sh::quietly(switch.network("ip")?.args(["link", "del", &port]));
        sh::quietly(switch.network("ip")?.args(cable))?;
        sh::quietly(switch.network("ip")?.args(["link", "set", &port, "master", net::SWITCH, "up"]))?;
        Ok(())
    }

    fn port(&self) -> String {
        format!("port-{}", self.address.octets()[3])
    }

    /// What a machine has to be before anything is started on it.
    fn set_up(&self, nodes: u8) -> Result<()> {
        let script = repo::root().join("tests/lab/machine.sh");
        if self.role == Role::Node {
            cgroups::make(self.lab, &self.name)?;
        }
        let mut setup = self.enter("bash")?;
        setup
            .arg(script)
            .arg(self.role.name())
            .env("LAB_NAME", &self.name)
            .env("LAB_ADDRESS", self.address.to_string())
            .env("LAB_NODES", nodes.to_string())
            .env("LAB_FOLDER", &self.lab.folder)
            .env("LAB_MACHINE", self.folder());
        sh::quietly(&mut setup).with_context(|| format!("could not set up the machine `{}`", self.name))?;
        Ok(())
    }

    /// A program inside the machine: its namespaces, the host's files but for those that it has for itself.
    ///
    /// # Errors
    /// When the machine does not run.
    pub fn enter(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        self.inside(&["--mount", "--net", "--pid", "--uts", "--ipc", "--wdns=/"], program)
    }

    /// A program of the host on the machine's network: it knows processes by their numbers on the host.
    fn network(&self, program: &str) -> Result<Command> {
        self.inside(&["--net"], program)
    }

    fn inside(&self, namespaces: &[&str], program: impl AsRef<OsStr>) -> Result<Command> {
        let Some(pid) = self.pid() else {
            bail!("the machine `{}` does not run", self.name);
        };
        let mut command = Command::new("nsenter");
        command.args(["--target", &pid.to_string()]).args(namespaces);
        // The mark is the shell's own name: so `nsenter`, which waits outside for what it started, bears it as well.
        command.args(["--", "sh", "-c", r#"exec "$@""#, &self.lab.mark()]).arg(program).stdin(Stdio::null());
        Ok(command)
    }

    /// Starts something that runs until it is stopped or its machine ends. `command` is one made by [`Machine::enter`].
    ///
    /// # Errors
    /// When it cannot be started, or runs already.
    pub fn start(&self, daemon: &str, mut command: Command) -> Result<()> {
        ensure!(self.daemon(daemon).is_none(), "`{daemon}` runs already on the machine `{}`", self.name);
        let log =
            OpenOptions::new().create(true).append(true).open(self.log(daemon)).context("could not open a log")?;
        let errors = log.try_clone().context("could not share a log")?;
        // It must outlive this program, and its terminal.
        let mut detached = Command::new("setsid");
        detached.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => detached.env(name, value),
                None => detached.env_remove(name),
            };
        }
        command = detached;
        let child = command
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .with_context(|| format!("could not start `{daemon}`"))?;
        files::write(&self.folder().join("daemons").join(daemon), &child.id().to_string(), 0o644)
    }

    /// The `nsenter` that waits for a daemon, as long as that runs.
    fn daemon(&self, daemon: &str) -> Option<u32> {
        let pid = fs::read_to_string(self.folder().join("daemons").join(daemon)).ok()?.trim().parse().ok()?;
        let machine = self.pid()?.to_string();
        process::arguments(pid)?.contains(&machine).then_some(pid)
    }

    /// Whether a daemon runs.
    #[must_use]
    pub fn runs(&self, daemon: &str) -> bool {
        self.daemon(daemon).is_some()
    }

    /// The names of the daemons that were started on it and not stopped.
    fn daemons(&self) -> Vec<String> {
        let listed = fs::read_dir(self.folder().join("daemons")).into_iter().flatten().flatten();
        let mut names: Vec<String> = listed.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        names
    }

    /// Sends a daemon a signal and waits for its end.
    ///
    /// # Errors
    /// When it does not run, or does not end.
    pub fn stop(&self, daemon: &str, signal: Signal) -> Result<()> {
        let waiting = self.daemon(daemon).with_context(|| format!("`{daemon}` does not run"))?;
        // Under a name that nobody looks for: it is not one that died.
        let known = self.folder().join("daemons");
        let (own, stopping) = (known.join(daemon), known.join(format!(".{daemon}")));
        fs::rename(&own, &stopping).context("could not rename a file")?;
        let ended = process::children(waiting)
            .into_iter()
            .try_for_each(|pid| process::signal(pid, signal))
            .and_then(|()| process::gone(waiting, Duration::from_secs(30)));
        match ended {
            Ok(()) => fs::remove_file(stopping).context("could not remove a file"),
            Err(error) => {
                fs::rename(stopping, own).context("could not rename a file")?;
                Err(error)
            }
        }
    }

    /// Pulls its plug.
    ///
    /// # Errors
    /// When it does not end.
    pub fn halt(&self) -> Result<()> {
        let _ = fs::remove_dir_all(self.folder().join("daemons"));
        if let Some(pid) = self.pid() {
            process::end(pid)?;
        }
        cgroups::remove(self.lab, Some(&self.name))
    }

    /// Pulls its cable out, or plugs it in again. Its processes go on.
    ///
    /// # Errors
    /// When it does not run, or is the switch itself.
    pub fn cable(&self, plugged: bool) -> Result<()> {
        if self.role == Role::ControlPlane {
            bail!("the control plane is the switch, and has no cable\n  hint: name a node or a managed service");
        }
        ensure!(self.is_running(), "the machine `{}` does not run", self.name);
        let state = if plugged { "up" } else { "down" };
        let switch = Self::control_plane(self.lab);
        sh::quietly(switch.network("ip")?.args(["link", "set", &self.port(), state]))?;
        Ok(())
    }

    /// Whether its cable is in.
    ///
    /// # Errors
    /// When the switch does not run.
    pub fn is_plugged(&self) -> Result<bool> {
        if self.role == Role::ControlPlane {
            return Ok(true);
        }
        let link =
            sh::quietly(Self::control_plane(self.lab).network("ip")?.args(["-br", "link", "show", &self.port()]))?;
        Ok(!link.split_whitespace().any(|word| word == "DOWN"))
    }

    /// The end of a daemon's log.
    #[must_use]
    pub fn last_words(&self, daemon: &str) -> String {
        let log = fs::read(self.log(daemon)).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

/// Every machine that the lab has a folder for.
#[must_use]
pub(super) fn all(lab: &Lab) -> Vec<Machine<'_>> {
    let listed = fs::read_dir(lab.folder.join("machines")).into_iter().flatten().flatten();
    let mut machines: Vec<Machine<'_>> =
        listed.filter_map(|entry| net::machine(lab, entry.file_name().to_str()?)).collect();
    machines.sort_by_key(|machine| machine.address);
    machines
}

/// What to say of the first daemon that was started, never stopped, and is no more: its name and the end of its log.
pub(super) fn dead(lab: &Lab) -> Option<String> {
    all(lab).iter().find_map(|machine| {
        let daemon = machine.daemons().into_iter().find(|daemon| !machine.runs(daemon))?;
        let words = machine.last_words(&daemon);
        let log = machine.log(&daemon);
        Some(format!("`{daemon}` on the machine `{}` ended; the end of `{}`:\n{words}", machine.name, log.display()))
    })
}
