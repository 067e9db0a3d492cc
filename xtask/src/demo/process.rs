//! The service as a process on loopback, with TLS by an authority made on the spot.

use std::{
    env::consts::EXE_SUFFIX,
    fs::File,
    path::Path,
    process::{Child, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{GATE, gate};
use crate::{
    describe, pki,
    service::{Keys, Service},
};

/// One run of the gate against a service of its own. Its output goes to `log`, or to where this program's goes.
///
/// # Errors
/// When the service or the gate cannot be started.
pub fn once(programs: &Path, fault: Option<&str>, out: &Path, log: Option<&Path>) -> Result<ExitStatus> {
    let folder = tempfile::tempdir().context("could not make a folder")?;
    let pki = pki::make(folder.path())?;
    let keys = Keys::new()?;
    // From here on, a signal does not end this program: the gate gets it too, and the service outlives the gate.
    let signals = Signals::catch()?;
    let godel = programs.join(format!("godel{EXE_SUFFIX}"));
    let service = Service::start(&godel, &keys, Some(&pki), fault, &folder.path().join("godel.log"))?;

    let (_, environment) = describe::EXAMPLE;
    let mut gate = gate(programs, GATE, environment, out);
    gate.args(["--url", &service.url, "--ca"]).arg(&pki.ca).envs(keys.variables());
    if let Some(log) = log {
        let log = File::create(log).with_context(|| format!("could not write `{}`", log.display()))?;
        let errors = log.try_clone().context("could not share a file")?;
        gate.stdin(Stdio::null()).stdout(log).stderr(errors);
    }
    let gate = gate.spawn().context("could not start the gate")?;
    signals.wait(gate)
}

/// Signals that were caught, and wait to be passed on.
pub(super) struct Signals {
    terminate: Arc<AtomicBool>,
}

impl Signals {
    pub(super) fn catch() -> Result<Self> {
        // SIGINT comes from the terminal, which sends it to the gate as well: nothing is left to do.
        signal_hook::flag::register(SIGINT, Arc::default()).context("could not catch SIGINT")?;
        let terminate = Arc::default();
        signal_hook::flag::register(SIGTERM, Arc::clone(&terminate)).context("could not catch SIGTERM")?;
        Ok(Self { terminate })
    }

    /// Waits for the gate; passes SIGTERM on, which comes to this program alone.
    pub(super) fn wait(&self, mut gate: Child) -> Result<ExitStatus> {
        loop {
            if let Some(status) = gate.try_wait().context("could not wait for the gate")? {
                return Ok(status);
            }
            if self.terminate.swap(false, Ordering::Relaxed) {
                // Gone already: then it is waited for next.
                let _ = kill_process(Pid::from_child(&gate), Signal::TERM);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}
