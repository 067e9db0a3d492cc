//! PostgreSQL: TLS for everybody from outside, and a password. It refuses to run as root, so it is the user that
//! Debian's package made.

use std::{net::Ipv4Addr, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use super::{Service, nothing};
use crate::{
    lab::{files, machine::Machine, place::Lab},
    sh, tools,
};

pub(super) static SERVICE: Service = Service {
    name: "postgres",
    what: "PostgreSQL, with TLS and passwords",
    address: Some(Ipv4Addr::new(10, 240, 0, 101)),
    ports: &[("postgres", 5432)],
    tools: &[],
    // At SIGTERM it would wait for its clients, who stay.
    end: Signal::INT,
    needs_api: false,
    start,
    objects: nothing,
};

/// Its data, inside its machine.
const DATA: &str = "/var/lib/lab/postgres";
/// Where it listens for the machine's own users.
const SOCKETS: &str = "/var/lib/lab/sockets";

/// Nobody without TLS; and nobody at all from elsewhere than the lab.
const ACCESS: &str = "local all postgres peer
hostssl all all 10.240.0.0/13 scram-sha-256
";

fn start(lab: &Lab, machine: &Machine<'_>) -> Result<()> {
    if !machine.folder().join("data/postgres/PG_VERSION").exists() {
        make(lab, machine)?;
    }
    let mut postgres = as_postgres(machine, program("postgres")?)?;
    postgres.args(["-D", DATA, "-c", "listen_addresses=*", "-c", &format!("unix_socket_directories={SOCKETS}")]);
    for setting in ["ssl=on", "max_connections=400", "shared_buffers=64MB"] {
        postgres.args(["-c", setting]);
    }
    // A lab's data lives as long as the lab: a power cut ends both.
    postgres.args(["-c", "fsync=off"]);
    machine.start(SERVICE.name, postgres)
}

/// A new database cluster.
fn make(lab: &Lab, machine: &Machine<'_>) -> Result<()> {
    let owned = ["--owner=postgres", "--group=postgres"];
    let install = |words: &[&str]| -> Result<()> {
        sh::quietly(machine.enter("install")?.args(owned).args(words))?;
        Ok(())
    };
    install(&["--directory", "--mode=700", DATA, SOCKETS])?;
    let password = machine.folder().join("password");
    files::write(&password, &lab.passwords()?.postgres, 0o600)?;
    let readable = format!("{SOCKETS}/password");
    install(&["--mode=400", &password.display().to_string(), &readable])?;
    let mut initdb = as_postgres(machine, program("initdb")?)?;
    initdb.args(["-D", DATA, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]);
    sh::quietly(initdb.arg(format!("--pwfile={readable}")))?;
    let access = machine.folder().join("pg_hba.conf");
    files::write(&access, ACCESS, 0o644)?;
    let into = |name: &str| format!("{DATA}/{name}");
    install(&["--mode=600", &access.display().to_string(), &into("pg_hba.conf")])?;
    for kind in ["crt", "key"] {
        let file = lab.pki(&format!("{}.{kind}", SERVICE.name)).display().to_string();
        install(&["--mode=600", &file, &into(&format!("server.{kind}"))])?;
    }
    Ok(())
}

/// Runs SQL as the superuser, in the database of this name; what it prints, without decoration.
///
/// # Errors
/// With what PostgreSQL says.
pub fn sql(lab: &Lab, database: &str, text: &str) -> Result<String> {
    let machine = SERVICE.machine(lab);
    let mut psql = as_postgres(&machine, program("psql")?)?;
    psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
    sh::fed(psql.args(["--host", SOCKETS, "--dbname", database, "--file", "-"]), text)
}

fn as_postgres(machine: &Machine<'_>, program: PathBuf) -> Result<Command> {
    let mut command = machine.enter("setpriv")?;
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    Ok(command)
}

/// A program of the newest version that is installed.
fn program(name: &str) -> Result<PathBuf> {
    let server = tools::find("/usr/lib/postgresql/*/bin/postgres");
    Ok(server.context("PostgreSQL is not installed")?.with_file_name(name))
}
