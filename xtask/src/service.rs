//! The reference service, for as long as it is needed.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{pki::Pki, random};

/// How long the service may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Keys that are made for one run.
#[derive(Clone, Debug)]
pub struct Keys([(&'static str, String); 3]);

impl Keys {
    /// New ones.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new() -> Result<Self> {
        Ok(Self([
            ("GODEL_API_KEY", random::hex()?),
            ("GODEL_API_KEY_OTHER", random::hex()?),
            ("GODEL_ADMIN_KEY", random::hex()?),
        ]))
    }

    /// As variables of the environment: the service and the gate know them by the same names.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

/// A running service. It stops when this is dropped.
#[derive(Debug)]
pub struct Service {
    child: Child,
    /// Where it listens, `https://localhost:45678`.
    pub url: String,
}

impl Service {
    /// Starts `program` on a free port of loopback, broken by `fault` if there is one, and waits until it listens. Its
    /// log goes to `log`.
    ///
    /// # Errors
    /// When it does not listen in time, with what it said.
    pub fn start(program: &Path, keys: &Keys, pki: Option<&Pki>, fault: Option<&str>, log: &Path) -> Result<Self> {
        let errors = File::create(log).with_context(|| format!("could not write `{}`", log.display()))?;
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0"]).envs(keys.variables());
        if let Some(pki) = pki {
            command.arg("--tls-cert").arg(&pki.cert).arg("--tls-key").arg(&pki.key);
        }
        if let Some(fault) = fault {
            command.args(["--fault", fault]);
        }
        // A group of its own: Ctrl-C is for the gate, which still has to clean up on the service.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().with_context(|| format!("could not start `{}`", program.display()))?;
        let stdout = child.stdout.take();
        let mut service = Self { child, url: String::new() };
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let _ = stdout.map(|stdout| BufReader::new(stdout).read_line(&mut line));
            let _ = sender.send(line);
        });
        let line = receiver.recv_timeout(PATIENCE).unwrap_or_default();
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            let said = fs::read_to_string(log).unwrap_or_default();
            let name = program.file_name().unwrap_or_default().display();
            bail!("`{name}` does not listen after {} s at most\n{}{}", PATIENCE.as_secs(), line, said.trim());
        };
        service.url = match pki {
            // The name in the certificate.
            Some(_) => url.replace("127.0.0.1", "localhost"),
            None => url.to_owned(),
        };
        Ok(service)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It keeps nothing, so nothing is lost.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
