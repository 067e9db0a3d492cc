//! Helm, as a user runs it, and what comes out of it.

use std::{path::PathBuf, process::Output};

use prodtest_testkit::repository;
use serde_json::Value;

use crate::common::{alone, said, tool};

/// The releases of Helm that people have.
pub(crate) const HELMS: [&str; 2] = ["helm3", "helm4"];
/// The files of values, each an environment.
pub(crate) const VALUES: [&str; 4] = ["values", "values-staging", "values-production", "values-lab"];
/// Where it is installed, in these tests; nowhere else is that name.
pub(crate) const NAMESPACE: &str = "somewhere-else";

/// One Helm and the chart.
pub(crate) struct Helm {
    program: PathBuf,
    home: tempfile::TempDir,
}

impl Helm {
    /// The Helm of that name; nothing, loudly, where it is missing.
    pub(crate) fn find(name: &str) -> Option<Self> {
        Some(Self { program: tool(name)?, home: tempfile::tempdir().expect("a temporary folder") })
    }

    /// Those that are here.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        HELMS.into_iter().filter_map(Self::find)
    }

    /// `helm <verb>`, with that file of values and these further ones. What looks like JSON is: it alone can say an
    /// empty list, and its numbers are read as those of a file.
    pub(crate) fn run(&self, verb: &[&str], values: &str, set: &[&str]) -> Output {
        let chart = repository().join("examples/godel/chart");
        let file = chart.join(format!("{values}.yaml"));
        assert!(file.is_file(), "no {}", file.display());
        let mut helm = alone(&self.program, self.home.path());
        helm.args(verb).arg(&chart).arg("--values").arg(file).args(["--namespace", NAMESPACE]);
        for value in set {
            let json = value.contains("=[") || value.contains("={\"");
            helm.args([if json { "--set-json" } else { "--set" }, value]);
        }
        helm.output().expect("helm starts")
    }

    /// The manifests of a release that is called `shop`.
    pub(crate) fn render(&self, values: &str, set: &[&str]) -> Manifests {
        let output = self.run(&["template", "shop"], values, set);
        assert!(output.status.success(), "{}", said(&output));
        let text = String::from_utf8(output.stdout).expect("text");
        Manifests(serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{error}\n{text}")))
    }
}

/// Everything that would be sent to the cluster.
#[derive(Debug, PartialEq)]
pub(crate) struct Manifests(pub(crate) Vec<Value>);

impl Manifests {
    /// Those of that kind.
    pub(crate) fn of(&self, kind: &str) -> Vec<&Value> {
        self.0.iter().filter(|manifest| manifest["kind"] == kind).collect()
    }

    /// The only one of that kind.
    pub(crate) fn one(&self, kind: &str) -> &Value {
        let found = self.of(kind);
        assert_eq!(found.len(), 1, "{kind}: {found:#?}");
        found[0]
    }

    /// What the Deployment's pods are made from.
    pub(crate) fn pod(&self) -> &Value {
        &self.one("Deployment")["spec"]["template"]
    }

    /// The service's container.
    pub(crate) fn container(&self) -> &Value {
        let containers = &self.pod()["spec"]["containers"];
        assert_eq!(containers.as_array().map(Vec::len), Some(1), "{containers:#}");
        &containers[0]
    }

    /// The `spec` of every pod that there may be.
    pub(crate) fn pod_specs(&self) -> Vec<&Value> {
        let tests = self.of("Pod").into_iter().map(|pod| &pod["spec"]);
        tests.chain([&self.pod()["spec"]]).collect()
    }

    /// A variable of the service's container.
    pub(crate) fn variable(&self, name: &str) -> &Value {
        let variables = self.container()["env"].as_array().expect("variables");
        variables.iter().find(|variable| variable["name"] == name).unwrap_or(&Value::Null)
    }
}
