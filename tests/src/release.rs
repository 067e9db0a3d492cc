//! Godel in a namespace of its own, and a gate that is sent at it through the ingress.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    ops::Deref,
    path::Path,
    sync::{Mutex, PoisonError},
};

use prodtest_testkit::{GateCommand, binary};
use serde_json::{Value, json};
use xtask::{
    image,
    lab::{
        Lab,
        godel::{self, Godel, Helm, Pushed},
    },
};

/// Godel on a lab. The namespace goes with this.
#[derive(Debug)]
pub struct Release<'a> {
    godel: Godel<'a>,
    lab: &'a Lab,
}

impl<'a> Release<'a> {
    /// A namespace with everything that the chart needs, and nothing deployed. `faults`: of the image that has switches.
    ///
    /// # Panics
    /// When the image cannot be built, or the lab does not take it.
    #[must_use]
    pub fn prepare(lab: &'a Lab, namespace: &str, faults: bool) -> Self {
        let godel = Godel::prepare(lab, namespace, &pushed(lab, faults)).expect("a namespace");
        Self { godel, lab }
    }

    /// One pod, healthy or with these faults, that answers through the ingress.
    ///
    /// # Panics
    /// When it does not get there.
    #[must_use]
    pub fn one(lab: &'a Lab, namespace: &str, faults: &[&str]) -> Self {
        let release = Self::prepare(lab, namespace, !faults.is_empty());
        release.godel.deploy(&json!({ "replicaCount": 1, "faults": faults })).expect("Godel");
        release
    }

    /// The lab that it is on.
    #[must_use]
    pub fn lab(&self) -> &'a Lab {
        self.lab
    }

    /// The smoke gate with Godel's configuration for the lab. The keys come from the cluster.
    ///
    /// # Panics
    /// When the lab has no ingress.
    #[must_use]
    pub fn smoke(&self) -> GateCommand {
        GateCommand::new("smoke")
            .args(["--config", "examples/godel/prodtest.yaml", "--env", "lab"])
            .args(self.target().expect("an ingress"))
    }

    /// The deploy gate with Godel's configuration for the lab, these values over those of the lab, and Helm 3.
    ///
    /// # Panics
    /// When the lab has no ingress or no registry.
    #[must_use]
    pub fn deploy_gate(&self, values: &Value) -> GateCommand {
        self.deploy_gate_by(Helm::Three, values)
    }

    /// The same, by that Helm.
    ///
    /// # Panics
    /// When the lab has no ingress or no registry.
    #[must_use]
    pub fn deploy_gate_by(&self, helm: Helm, values: &Value) -> GateCommand {
        self.changed_by("deploy", helm, values)
    }

    /// The rollback gate with Godel's configuration for the lab, these values over those of the lab, and that Helm.
    ///
    /// # Panics
    /// When the lab has no ingress or no registry.
    #[must_use]
    pub fn rollback_gate_by(&self, helm: Helm, values: &Value) -> GateCommand {
        self.changed_by("rollback", helm, values)
    }

    fn changed_by(&self, gate: &str, helm: Helm, values: &Value) -> GateCommand {
        GateCommand::new(gate)
            .args(["--config", "examples/godel/prodtest.yaml", "--env", "lab"])
            .args(self.target().expect("an ingress"))
            .args(["--repository", &self.image.repository])
            .args(self.deploy_target(helm, values).expect("a registry"))
    }

    /// The precheck gate with Godel's configuration for the lab, these values over those of the lab, and Helm 3.
    ///
    /// # Panics
    /// When the lab has no registry or no stores.
    #[must_use]
    pub fn precheck(&self, values: &Value) -> GateCommand {
        self.precheck_as(&self.lab.kubeconfig(), values)
    }

    /// The same, as whoever that kubeconfig says.
    ///
    /// # Panics
    /// When the lab has no registry or no stores.
    #[must_use]
    pub fn precheck_as(&self, kubeconfig: &Path, values: &Value) -> GateCommand {
        self.precheck_by(Path::new("examples/godel/prodtest.yaml"), kubeconfig, values)
    }

    /// The same, with that configuration.
    ///
    /// # Panics
    /// When the lab has no registry or no stores.
    #[must_use]
    pub fn precheck_of(&self, config: &Path, values: &Value) -> GateCommand {
        self.precheck_by(config, &self.lab.kubeconfig(), values)
    }

    fn precheck_by(&self, config: &Path, kubeconfig: &Path, values: &Value) -> GateCommand {
        GateCommand::new("precheck")
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .arg("--config")
            .arg(config)
            .args(["--env", "lab"])
            .args(self.precheck_target(Helm::Three, values).expect("a registry and stores"))
            .args(["--repository", &self.image.repository])
    }

    /// The verify gate with Godel's configuration for the lab.
    ///
    /// # Panics
    /// When the lab has no ingress or no stores, or does not take the image of the probe.
    #[must_use]
    pub fn verify(&self) -> GateCommand {
        self.verify_as(&self.lab.kubeconfig())
    }

    /// The same, as whoever that kubeconfig says.
    ///
    /// # Panics
    /// As [`Self::verify`].
    #[must_use]
    pub fn verify_as(&self, kubeconfig: &Path) -> GateCommand {
        GateCommand::new("verify").args(self.verify_words(kubeconfig))
    }

    /// What the verify gate is told.
    ///
    /// # Panics
    /// As [`Self::verify`].
    #[must_use]
    pub fn verify_words(&self, kubeconfig: &Path) -> Vec<OsString> {
        let mut words: Vec<OsString> =
            ["--config", "examples/godel/prodtest.yaml", "--env", "lab"].map(OsString::from).to_vec();
        words.extend(self.target_as(kubeconfig).expect("an ingress"));
        let target = self.verify_target(&probe(self.lab), &binary("xtask"));
        words.extend(target.expect("an ingress and stores"));
        words
    }

    /// Objects of its namespace.
    ///
    /// # Panics
    /// When the API does not answer.
    #[must_use]
    pub fn objects(&self, kind: &str) -> Vec<Value> {
        let all = xtask::lab::get(self.lab, &["--namespace", &self.namespace, kind]).expect("an answer");
        all["items"].as_array().expect("a list").clone()
    }

    /// One object of its namespace, `deployment/godel-api`.
    ///
    /// # Panics
    /// When there is none, or the API does not answer.
    #[must_use]
    pub fn object(&self, name: &str) -> Value {
        xtask::lab::get(self.lab, &["--namespace", &self.namespace, name]).expect("an object")
    }
}

impl<'a> Deref for Release<'a> {
    type Target = Godel<'a>;

    fn deref(&self) -> &Godel<'a> {
        &self.godel
    }
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        // A test that fails says why by itself.
        let _ = self.godel.remove();
    }
}

/// The image of the probe, pushed once to each lab.
fn probe(lab: &Lab) -> Pushed {
    static DONE: Mutex<BTreeMap<String, Pushed>> = Mutex::new(BTreeMap::new());
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    let push = || {
        let image = image::build(&image::Options { probe: true, ..image::Options::default() }).expect("an image");
        godel::push(lab, &image).expect("a registry that takes it")
    };
    done.entry(lab.name.clone()).or_insert_with(push).clone()
}

/// Each image is pushed once to each lab.
fn pushed(lab: &Lab, faults: bool) -> Pushed {
    static DONE: Mutex<BTreeMap<(String, bool), Pushed>> = Mutex::new(BTreeMap::new());
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    let push = || {
        let image = image::build(&image::Options { faults, ..image::Options::default() }).expect("an image");
        godel::push(lab, &image).expect("a registry that takes it")
    };
    done.entry((lab.name.clone(), faults)).or_insert_with(push).clone()
}
