//! The gate with something else where it is told the usual.

use std::path::Path;

use prodtest_testkit::GateCommand;
use prodtest_tests::Release;
use serde_json::Value;
use xtask::lab::godel::Helm;

const EXAMPLE: &str = "examples/godel";

/// The gate with these values for flags that it is given anyway.
pub(crate) fn instead(release: &Release<'_>, values: &Value, flags: &[(&str, &str)]) -> GateCommand {
    told(release, values, flags, Path::new(EXAMPLE))
}

fn told(release: &Release<'_>, values: &Value, flags: &[(&str, &str)], folder: &Path) -> GateCommand {
    let mut words = release.precheck_target(Helm::Three, values).expect("a registry and stores");
    for (flag, value) in flags {
        let at = words.iter().position(|word| word == flag).expect("a flag that it is given");
        words[at + 1] = value.into();
    }
    GateCommand::new("precheck")
        .arg("--kubeconfig")
        .arg(release.lab().kubeconfig())
        .arg("--config")
        .arg(folder.join("prodtest.yaml"))
        .args(["--env", "lab"])
        .args(words)
        .args(["--repository", &release.image.repository])
}
