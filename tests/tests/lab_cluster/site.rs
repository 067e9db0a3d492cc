//! A namespace with nothing in it, and the lab's API as the gates ask it.

use std::path::Path;

use prodtest_kube::{Access, Cluster, Server};
use serde_json::json;
use xtask::{
    lab::{self, Lab, kubectl},
    sh,
};

/// A namespace that goes with this.
pub(crate) struct Namespace<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) name: &'a str,
}

impl<'a> Namespace<'a> {
    pub(crate) fn new(lab: &'a Lab, name: &'a str) -> Self {
        // What an earlier run, cut off, left behind.
        sh::quietly(kubectl(lab).expect("kubectl").args(["delete", "namespace", name, "--ignore-not-found"]))
            .expect("no such namespace");
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        lab::apply(lab, &[namespace]).expect("a namespace");
        Self { lab, name }
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let mut command = kubectl(self.lab).expect("kubectl");
        sh::quietly(command.args(["--namespace", self.name]).args(arguments)).expect("kubectl does it")
    }
}

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        // A test that fails says why by itself.
        let _ = kubectl(self.lab)
            .and_then(|mut kubectl| sh::quietly(kubectl.args(["delete", "namespace", self.name, "--wait=false"])));
    }
}

/// Does it on one thread, as the gates do.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

/// The API of this kubeconfig.
pub(crate) async fn cluster(kubeconfig: &Path) -> Cluster {
    let access = Access { kubeconfig: Some(kubeconfig.to_owned()), context: None };
    Cluster::connect(&Server::find(&access).expect("a server")).await.expect("a connection")
}
