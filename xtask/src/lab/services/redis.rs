//! Redis, with a password.

use std::net::Ipv4Addr;

use anyhow::Result;
use rustix::process::Signal;

use super::{Service, nothing};
use crate::{
    lab::{files, machine::Machine, place::Lab},
    sh,
};

pub(super) static SERVICE: Service = Service {
    name: "redis",
    what: "Redis, with a password",
    address: Some(Ipv4Addr::new(10, 240, 0, 102)),
    ports: &[("redis", 6379)],
    tools: &[],
    end: Signal::TERM,
    needs_api: false,
    start,
    objects: nothing,
};

/// One a deployment, so that no two see each other's keys.
pub(in crate::lab) const DATABASES: u32 = 512;

fn start(lab: &Lab, machine: &Machine<'_>) -> Result<()> {
    let file = machine.folder().join("redis.conf");
    let password = lab.passwords()?.redis;
    // A drill makes it read its data again, from a shell of its own machine.
    let text = format!(
        "bind 0.0.0.0\nport 6379\nrequirepass {password}\ndatabases {DATABASES}\ndir /var/lib/lab\nsave 60 1\nappendonly yes\n\
         enable-debug-command local\n"
    );
    files::write(&file, &text, 0o600)?;
    let mut redis = machine.enter("redis-server")?;
    redis.arg(file);
    machine.start(SERVICE.name, redis)
}

/// What Redis answers to a command.
///
/// # Errors
/// When it does not answer, or says no.
pub fn command(lab: &Lab, words: &[&str]) -> Result<String> {
    let mut client = SERVICE.machine(lab).enter("redis-cli")?;
    // Not among the arguments, where everybody would see it.
    client.env("REDISCLI_AUTH", lab.passwords()?.redis).arg("-e").args(words);
    Ok(sh::quietly(&mut client)?.trim().to_owned())
}
