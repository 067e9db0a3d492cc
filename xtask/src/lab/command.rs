//! `cargo xtask lab`: its words and what they do.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::{
    down, etcd,
    godel::{self, Godel},
    images,
    machine::{self, Machine},
    net, node_again,
    place::{self, Lab},
    services, status, up,
};
use crate::{image, interrupt, say, sh};

/// Options of `cargo xtask lab`.
#[derive(Debug, Args)]
pub struct Options {
    /// Which lab; several run side by side
    #[arg(long, value_name = "NAME", default_value = place::DEFAULT, global = true)]
    lab: String,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start a Kubernetes with what stands beside it; installs and builds what is missing
    Up(Up),
    /// End it, and leave nothing of it
    Down {
        /// Every lab that there is
        #[arg(long)]
        all: bool,
    },
    /// What runs, where, and how it is reached
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// What a shell has to be told: eval "$(cargo xtask lab env)"
    Env,
    /// A shell inside a machine, or one command there
    Shell {
        /// The machine: control-plane, node-1, postgres, …
        #[arg(long, value_name = "NAME", default_value = net::CONTROL_PLANE)]
        on: String,
        /// The command; a shell if there is none
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Load images into every node: archives of `docker save`, or OCI
    Load {
        /// The archives
        #[arg(required = true, value_name = "FILE")]
        archives: Vec<PathBuf>,
    },
    /// Deploy Godel with its stores: its image to the registry, its chart by Helm
    Godel {
        /// The namespace, which is also the first part of its host name
        #[arg(long, value_name = "NAME", default_value = godel::RELEASE)]
        namespace: String,
        /// Break it; `cargo run -p godel --features faults -- --list-faults` shows how
        #[arg(long, value_name = "NAME", value_delimiter = ',')]
        fault: Vec<String>,
    },
    /// What etcd really holds under a key, as it is
    Stored {
        /// The key, `/registry/secrets/NAMESPACE/NAME`
        key: String,
    },
    /// What a part has said: kubelet of node-1, postgres, …
    Logs {
        /// The machine
        machine: String,
        /// The part; without it, the parts are listed
        part: Option<String>,
    },
    /// Lose a node, and bring it back
    Node {
        /// What to do
        what: NodeVerb,
        /// Which node
        name: String,
    },
    /// Lose a managed service, and bring it back
    Service {
        /// What to do
        what: ServiceVerb,
        /// Which service; `cargo xtask lab status` names them
        name: String,
    },
}

#[derive(Debug, Args)]
struct Up {
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 1)]
    nodes: u8,
    /// Notice a lost node in 8 s instead of 50
    #[arg(long)]
    fast: bool,
    /// Only these services, with commas; all of them if not given
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    with: Vec<String>,
    /// Install and build nothing; say what is missing
    #[arg(long)]
    no_install: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum NodeVerb {
    /// Pull its plug
    Stop,
    /// Start it again, with its disk as it was
    Start,
    /// Pull its cable out; what runs on it goes on
    Partition,
    /// Plug it in again
    Heal,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ServiceVerb {
    /// Ask it to end
    Stop,
    /// End it at once, as a crash would
    Kill,
    /// Start it again, with its data as it was
    Start,
    /// Stop and start
    Restart,
    /// Pull its cable out; it goes on, reached by nobody
    Partition,
    /// Plug it in again
    Heal,
}

/// Does it.
///
/// # Errors
/// With what to do.
pub fn run(options: &Options) -> Result<ExitCode> {
    let lab = Lab::named(&options.lab)?;
    match &options.verb {
        Verb::Up(wanted) => {
            let wanted = up::Options {
                nodes: wanted.nodes,
                fast: wanted.fast,
                with: wanted.with.clone(),
                install: !wanted.no_install,
            };
            interrupt::catch()?;
            up(&lab, &wanted)?;
            let env = format!("eval \"$(cargo xtask lab env{})\"", lab.flag());
            say::line(format_args!("  look around: {env}; kubectl get pods --all-namespaces"));
        }
        Verb::Down { all: false } => down(&lab)?,
        Verb::Down { all: true } => {
            // One that cannot be ended is no reason to leave the others.
            let ended: Vec<Result<()>> = Lab::all()?.iter().map(down).collect();
            ended.into_iter().collect::<Result<()>>()?;
        }
        Verb::Status { json } => status::show(&lab, *json)?,
        Verb::Env => {
            for (name, value) in status::environment(&lab)? {
                say::data(format_args!("export {name}='{value}'"));
            }
        }
        Verb::Shell { on, command } => return shell(&lab, on, command),
        Verb::Load { archives } => {
            let _lock = lab.lock()?;
            archives.iter().try_for_each(|archive| images::load(&lab, archive))?;
        }
        Verb::Godel { namespace, fault } => deploy(&lab, namespace, fault)?,
        Verb::Stored { key } => {
            lab.running()?;
            std::io::stdout().lock().write_all(&etcd::stored(&lab, key)?).context("could not write it out")?;
        }
        Verb::Logs { machine, part } => logs(&lab, machine, part.as_deref())?,
        Verb::Node { what, name } => {
            let nodes = lab.running()?.nodes;
            let Some(number) = net::node_number(name).filter(|number| *number <= nodes) else {
                let known = (1..=nodes).map(net::node_name).collect::<Vec<_>>().join(", ");
                bail!("no node `{name}`; there are {known}\n  hint: managed services have `cargo xtask lab service`");
            };
            let _lock = lab.lock()?;
            match what {
                NodeVerb::Stop => Machine::node(&lab, number).halt()?,
                NodeVerb::Start => node_again(&lab, number)?,
                NodeVerb::Partition => Machine::node(&lab, number).cable(false)?,
                NodeVerb::Heal => Machine::node(&lab, number).cable(true)?,
            }
        }
        Verb::Service { what, name } => {
            let service = services::by_name(name)?;
            let nodes = lab.running()?.nodes;
            let _lock = lab.lock()?;
            let start = || service.start(&lab, nodes).and_then(|()| service.wait(&lab));
            match what {
                ServiceVerb::Stop => service.stop(&lab, false)?,
                ServiceVerb::Kill => service.stop(&lab, true)?,
                ServiceVerb::Start => start()?,
                ServiceVerb::Restart => service.stop(&lab, false).and_then(|()| start())?,
                ServiceVerb::Partition => service.cable(&lab, false)?,
                ServiceVerb::Heal => service.cable(&lab, true)?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn deploy(lab: &Lab, namespace: &str, faults: &[String]) -> Result<()> {
    let image = image::build(&image::Options { faults: !faults.is_empty(), ..image::Options::default() })?;
    let begun = Instant::now();
    let godel = Godel::prepare(lab, namespace, &godel::push(lab, &image)?)?;
    godel.deploy(&json!({ "faults": faults }))?;
    say::line(format_args!("Godel is ready in the namespace `{namespace}` after {}", say::time(begun.elapsed())));
    let curl = format!("curl --cacert {} --connect-to ::{}", lab.pki("ca.crt").display(), godel.connect()?);
    say::line(format_args!("  ask it: {curl} {}/api/health/ready", godel.url()));
    Ok(())
}

/// One of its machines. A lab that is not whole has some, too: their logs say why.
fn machine<'a>(lab: &'a Lab, name: &str) -> Result<Machine<'a>> {
    if lab.settings()?.is_none() {
        lab.running()?;
    }
    let known = || machine::all(lab).into_iter().map(|machine| machine.name).collect::<Vec<_>>().join(", ");
    net::machine(lab, name).with_context(|| format!("no machine `{name}`; there are {}", known()))
}

fn shell(lab: &Lab, on: &str, command: &[String]) -> Result<ExitCode> {
    let machine = machine(lab, on)?;
    let mut shell: Command = match command {
        [] => machine.enter("bash")?,
        [program, arguments @ ..] => {
            let mut command = machine.enter(program)?;
            command.args(arguments);
            command
        }
    };
    // Inside, the API server is where the administrator's own kubeconfig says.
    shell.env("KUBECONFIG", lab.pki("admin.kubeconfig")).env("LAB_CA", lab.pki("ca.crt"));
    shell.env("PATH", status::path(lab)?);
    let status = shell.stdin(Stdio::inherit()).status().context("could not start `nsenter`")?;
    Ok(ExitCode::from(sh::code(status)))
}

fn logs(lab: &Lab, name: &str, part: Option<&str>) -> Result<()> {
    let machine = machine(lab, name)?;
    let logs = machine.folder().join("log");
    let listed = std::fs::read_dir(&logs).with_context(|| format!("no logs of `{name}`"))?;
    let mut parts: Vec<String> = listed
        .flatten()
        .filter_map(|entry| entry.file_name().to_string_lossy().strip_suffix(".log").map(str::to_owned))
        .collect();
    parts.sort();
    match part {
        // A machine of one service has one log worth reading.
        None if parts.contains(&name.to_owned()) => logs_of(&machine, name),
        None => {
            say::data(parts.join("\n"));
            Ok(())
        }
        Some(part) if parts.iter().any(|known| known == part) => logs_of(&machine, part),
        Some(part) => bail!("nothing called `{part}` ran on `{name}`; there are {}", parts.join(", ")),
    }
}

fn logs_of(machine: &Machine<'_>, part: &str) -> Result<()> {
    let log = machine.log(part);
    let text = std::fs::read(&log).with_context(|| format!("could not read `{}`", log.display()))?;
    say::data(String::from_utf8_lossy(&text).trim_end());
    Ok(())
}
