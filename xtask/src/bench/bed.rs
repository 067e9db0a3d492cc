//! Where a contestant is measured: a namespace of its own, with a good release of three pods in it.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{contestant::Contestant, doom};
use crate::{
    lab::{
        Lab,
        godel::{Godel, Helm, Pushed},
    },
    repo, sh,
};

/// The chart, and the name of the release.
pub(super) const CHART: &str = "tests/bench/chart";
pub(super) const RELEASE: &str = "doomed";

/// How long a good release may take, and how long each contestant is given to notice a bad one, in seconds.
pub(super) const LIMIT: u64 = 60;

/// A namespace with a good release. It goes with this.
#[derive(Debug)]
pub(super) struct Bed<'a> {
    pub(super) godel: Godel<'a>,
    pub(super) lab: &'a Lab,
    pub(super) contestant: Contestant,
    /// Where the gate reports to, and where its configuration is.
    pub(super) folder: tempfile::TempDir,
}

impl<'a> Bed<'a> {
    /// Makes it, with nothing deployed.
    pub(super) fn make(lab: &'a Lab, contestant: Contestant, image: &Pushed) -> Result<Self> {
        let godel = Godel::prepare(lab, &format!("bench-{}", contestant.short()), image)?;
        let folder = tempfile::tempdir().context("could not make a folder")?;
        Ok(Self { godel, lab, contestant, folder })
    }

    /// The good image, by its digest.
    pub(super) fn image(&self) -> String {
        format!("{}@{}", self.godel.image.repository, self.godel.image.digest)
    }

    /// `helm upgrade` with these values, and whatever the contestant adds.
    pub(super) fn upgrade(&self, helm: Helm, values: &Value) -> Result<Command> {
        let mut command = self.godel.helm(helm)?;
        command.args(["upgrade", "--install", RELEASE]).arg(repo::root().join(CHART)).arg("--values");
        command.arg(self.values(values)?);
        Ok(command)
    }

    /// A file with these values.
    pub(super) fn values(&self, values: &Value) -> Result<PathBuf> {
        let file = self.folder.path().join("values.json");
        std::fs::write(&file, values.to_string()).context("could not write a file")?;
        Ok(file)
    }

    /// A good release, whatever was there.
    pub(super) fn reset(&self, stamp: &str) -> Result<()> {
        let mut upgrade = self.upgrade(Helm::Three, &doom::good(&self.image(), stamp))?;
        sh::quietly(upgrade.args(["--wait", &format!("--timeout={LIMIT}s")]))?;
        let mut jobs = self.godel.kubectl()?;
        sh::quietly(jobs.args(["delete", "jobs", "--all", "--wait=true"]))?;
        // What is still ending would take part in the next measurement.
        crate::lab::until("three pods, and no others", std::time::Duration::from_secs(LIMIT), || {
            let pods = crate::lab::get(self.lab, &["--namespace", &self.godel.namespace, "pods"])?;
            let count = pods["items"].as_array().map_or(0, Vec::len);
            ensure!(count == 3, "there are {count}");
            Ok(())
        })
    }
}

impl Drop for Bed<'_> {
    fn drop(&mut self) {
        // The table is what counts; a namespace that is left over goes with the lab.
        let _ = self.godel.remove();
    }
}
