//! The gate with something else where it is told the usual, and with another configuration.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use prodtest_testkit::{GateCommand, repository};
use prodtest_tests::Release;
use serde_json::Value;
use tempfile::TempDir;
use xtask::lab::godel::{Helm, merge};

const EXAMPLE: &str = "examples/godel";

/// The gate with these values for flags that it is given anyway.
pub(crate) fn instead(release: &Release<'_>, values: &Value, flags: &[(&str, &str)]) -> GateCommand {
    told(release, values, flags, Path::new(EXAMPLE))
}

/// The gate with this laid over Godel's configuration.
pub(crate) fn configured(release: &Release<'_>, values: &Value, over: &Value) -> (GateCommand, TempDir) {
    let folder = folder(over);
    (told(release, values, &[], folder.path()), folder)
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

/// A folder with all that is beside Godel's configuration, and that with this laid over it.
fn folder(over: &Value) -> TempDir {
    let example = repository().join(EXAMPLE);
    let folder = tempfile::tempdir().expect("a folder");
    let beside = fs::read_dir(&example).expect("the example").map(|entry| entry.expect("an entry").path());
    for path in beside.filter(|path| !path.ends_with("prodtest.yaml")) {
        let name: PathBuf = path.file_name().expect("a name").into();
        symlink(&path, folder.path().join(name)).expect("a link");
    }
    let text = fs::read_to_string(example.join("prodtest.yaml")).expect("the configuration");
    let mut config: Value = serde_saphyr::from_str(&text).expect("YAML");
    merge(&mut config, over);
    // JSON is YAML.
    fs::write(folder.path().join("prodtest.yaml"), config.to_string()).expect("a file");
    folder
}
