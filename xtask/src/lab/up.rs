//! Starts a lab: everything that does not wait for another at once.

use std::{
    fs,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use super::{
    control_plane, down, files, images,
    kubectl::{self, kubectl},
    machine::{self, Machine},
    net, node, pki,
    place::{Lab, MAX_NODES, Passwords, Settings},
    services::{self, Service},
    wait,
};
use crate::{env, interrupt, random, say, sh, tools};

const PATIENCE: Duration = Duration::from_secs(90);

/// What a lab is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many nodes.
    pub nodes: u8,
    /// Whether a lost node is noticed in 8 s instead of 50.
    pub fast: bool,
    /// Which services; none means all.
    pub with: Vec<String>,
    /// Whether what is missing may be installed.
    pub install: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { nodes: 1, fast: false, with: Vec::new(), install: true }
    }
}

/// Starts the lab, or leaves it as it is if it runs as it is wanted. What another `up` left half done is ended first.
///
/// # Errors
/// When something is missing, cannot be started, or does not get ready in time; then nothing of it is left running.
pub fn up(lab: &Lab, options: &Options) -> Result<Settings> {
    ensure!((1..=MAX_NODES).contains(&options.nodes), "`--nodes` takes 1 to {MAX_NODES}");
    let services = chosen(&options.with)?;
    possible()?;
    install(&services, options.install)?;
    let _lock = lab.lock()?;
    let settings = Settings {
        nodes: options.nodes,
        fast: options.fast,
        services: services.iter().map(|service| service.name.to_owned()).collect(),
        ready: true,
    };
    if let Ok(running) = lab.running() {
        return already(lab, running, &settings);
    }
    down::end(lab)?;
    let begun = Instant::now();
    match start(lab, &settings, &services, &Progress { begun }) {
        Ok(()) => {
            say::line(format_args!("lab `{}` is up after {}", lab.name, say::time(begun.elapsed())));
            Ok(settings)
        }
        Err(error) => {
            // The logs go with the folder; what matters of them is in the error.
            down::end(lab).with_context(|| format!("and could not clean up after: {error:#}"))?;
            Err(error)
        }
    }
}

/// A lab that runs is not changed under those who use it, but for services that it lacks.
fn already(lab: &Lab, mut running: Settings, wanted: &Settings) -> Result<Settings> {
    if let Some(dead) = machine::dead(lab) {
        bail!(
            "the lab `{0}` is up, but {dead}\n  hint: cargo xtask lab down{1} && cargo xtask lab up{1}",
            lab.name,
            lab.flag()
        );
    }
    let same = running.nodes == wanted.nodes && running.fast == wanted.fast;
    ensure!(
        same,
        "the lab `{}` is up with {} node(s){}\n  hint: `cargo xtask lab down{}` first, or another one by `--lab NAME`",
        lab.name,
        running.nodes,
        if running.fast { " and --fast" } else { "" },
        lab.flag()
    );
    for name in &wanted.services {
        let service = services::by_name(name)?;
        if !service.runs(lab) {
            service.start(lab, running.nodes)?;
        }
        if !running.services.contains(name) {
            kubectl::apply(lab, &service.objects(lab)?)?;
            // Known before it is waited for: what was started must be found again.
            running.services.push(name.clone());
            write_resolver(lab, &running.services)?;
            lab.remember(&running)?;
        }
        service.wait(lab)?;
        service.open(lab)?;
    }
    say::line(format_args!("lab `{}` is up already", lab.name));
    Ok(running)
}

fn chosen(names: &[String]) -> Result<Vec<&'static Service>> {
    if names.is_empty() {
        return Ok(services::ALL.to_vec());
    }
    for name in names {
        services::by_name(name)?;
    }
    Ok(services::ALL.into_iter().filter(|service| names.iter().any(|name| name == service.name)).collect())
}

/// Whether this machine can carry a lab at all.
///
/// # Errors
/// With the three ways that there are.
pub fn possible() -> Result<()> {
    let ways = "there are three ways:
    1. a lab: Linux, Go, and root (sudo env \"PATH=$PATH\" PRODTEST_CACHE=DIR CARGO_TARGET_DIR=DIR/target cargo xtask …)
    2. a cluster of yours: cargo xtask demo --cluster current --image IMAGE, with `KUBECONFIG` naming it (kind, minikube, …)
    3. no cluster: cargo xtask demo --local judges what can be judged of a process";
    ensure!(cfg!(target_os = "linux"), "a lab needs Linux: it is made of namespaces; {ways}");
    ensure!(rustix::process::geteuid().is_root(), "a lab needs root: it makes namespaces and networks; {ways}");
    ensure!(env::which("go").is_some(), "a lab needs Go, of which Kubernetes is made, and `go` is not on PATH; {ways}");
    // Root of a container may have none. To build Kubernetes first would be a long way to learn that.
    let mut unshare = sh::program("unshare");
    unshare.args(["--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--mount-proc", "true"]);
    let tried = sh::quietly(&mut unshare);
    tried.map(drop).map_err(|why| anyhow!("a lab needs namespaces, and this machine gives none: {why:#}; {ways}"))
}

fn install(services: &[&Service], allowed: bool) -> Result<()> {
    let missing = tools::missing(tools::LAB_SYSTEM);
    let of_services = services.iter().flat_map(|service| service.tools.iter().copied());
    let wanted = ["kube", "pause"].into_iter().chain(of_services);
    if !allowed {
        let unbuilt: Vec<&str> = wanted.filter(|tool| tools::find(tool).is_none()).collect();
        if missing.is_empty() && unbuilt.is_empty() {
            return Ok(());
        }
        let install =
            if missing.is_empty() { String::new() } else { format!("\n  missing: {}", tools::apt_command(&missing)) };
        let build = if unbuilt.is_empty() { String::new() } else { format!("\n  to be built: {}", unbuilt.join(", ")) };
        bail!("not everything is there, and `--no-install` was given{install}{build}");
    }
    tools::ensure_system(tools::LAB_SYSTEM)?;
    for tool in wanted {
        ensure!(!interrupt::happened(), "interrupted");
        tools::need(tool)?;
    }
    Ok(())
}

/// Tells when what was reached.
struct Progress {
    begun: Instant,
}

impl Progress {
    fn reached(&self, what: &str) {
        say::line(format_args!("{:>8}  {what}", say::time(self.begun.elapsed())));
    }
}

fn start(lab: &Lab, settings: &Settings, services: &[&'static Service], progress: &Progress) -> Result<()> {
    prepare(lab, settings)?;
    control_plane::start_api(lab, settings)?;
    // Machines do not wait for the API server, nor for each other.
    let mut jobs: Vec<Job<'_>> = vec![Box::new(|| control_plane::start_controllers(lab, settings))];
    for number in 1..=settings.nodes {
        jobs.push(Box::new(move || node::boot(lab, settings, number)));
    }
    let (late, early): (Vec<&Service>, Vec<&Service>) = services.iter().partition(|service| service.needs_api());
    for service in early {
        jobs.push(Box::new(|| service.start(lab, settings.nodes)));
    }
    side_by_side(jobs)?;
    progress.reached("machines and control plane");
    let mut jobs: Vec<Job<'_>> = vec![Box::new(|| {
        let objects = services.iter().map(|service| service.objects(lab)).collect::<Result<Vec<_>>>()?.concat();
        kubectl::apply(lab, &objects)
    })];
    for number in 1..=settings.nodes {
        jobs.push(Box::new(move || node::start(lab, settings, number)));
    }
    for service in late {
        jobs.push(Box::new(|| service.start(lab, settings.nodes)));
    }
    side_by_side(jobs)?;
    wait::until_in(lab, "every node to be ready", PATIENCE, || {
        let ready = ["wait", "--for=condition=Ready", "node", "--all", "--timeout=5s"];
        sh::quietly(kubectl(lab)?.args(ready))
    })?;
    progress.reached(&format!("{} ready", if settings.nodes == 1 { "the node is" } else { "all nodes are" }));
    wait::until_in(lab, "the first service account", PATIENCE, || {
        kubectl::get(lab, &["--namespace", "default", "serviceaccount", "default"])
    })?;
    for service in services {
        service.wait(lab)?;
        service.open(lab)?;
    }
    progress.reached("services take connections");
    lab.remember(settings)
}

/// The files that everything else reads.
fn prepare(lab: &Lab, settings: &Settings) -> Result<()> {
    lab.remember(&Settings { ready: false, ..settings.clone() })?;
    lab.keep_passwords(&Passwords { postgres: random::hex()?, redis: random::hex()?, registry: random::hex()? })?;
    let managed: Vec<_> = services::ALL.iter().filter_map(|service| Some((service.name, service.address?))).collect();
    pki::make(lab, settings.nodes, &managed)?;
    images::make_pause(lab)?;
    let mut hosts = format!("127.0.0.1 localhost\n{} {}\n", net::CONTROL_PLANE_ADDRESS, net::CONTROL_PLANE);
    for number in 1..=settings.nodes {
        let node = Machine::node(lab, number);
        hosts += &format!("{} {}\n", node.address, node.name);
    }
    for (name, address) in &managed {
        hosts += &format!("{address} {name}.lab {name}\n");
    }
    files::write(&lab.folder.join("hosts"), &hosts, 0o644)?;
    fs::write(lab.folder.join("resolv.conf"), "").context("could not write `resolv.conf`")?;
    write_resolver(lab, &settings.services)?;
    fs::create_dir_all(lab.folder.join("registries")).context("could not make a folder")
}

/// Where names are asked for. Written in place: the machines have this very file, not one of its name.
fn write_resolver(lab: &Lab, services: &[String]) -> Result<()> {
    let has_dns = services.iter().any(|service| service == "dns");
    let text = if has_dns { format!("nameserver {}\n", net::CONTROL_PLANE_ADDRESS) } else { String::new() };
    fs::write(lab.folder.join("resolv.conf"), text).context("could not write `resolv.conf`")
}

/// Something that can be done while others are.
type Job<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;

/// Does them all at the same time, and returns the first error: the others are mostly its consequences.
fn side_by_side(jobs: Vec<Job<'_>>) -> Result<()> {
    let failed = Mutex::new(None);
    thread::scope(|scope| {
        for job in jobs {
            let failed = &failed;
            scope.spawn(move || {
                if let Err(error) = job() {
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}
