//! The gate with another `precheck` section than Godel's.

use std::{fs, os::unix::fs::symlink, path::Path};

use prodtest_testkit::{GateCommand, repository};
use prodtest_tests::Release;
use serde_json::Value;
use tempfile::TempDir;
use xtask::lab::godel::Helm;

/// Godel's configuration with another `precheck` section, in a folder of its own.
pub(crate) struct Configured {
    folder: TempDir,
}

impl Configured {
    /// With this section, in YAML that stands on lines of its own; and these migrations, Godel's where there are none.
    pub(crate) fn new(section: &str, migrations: &[(&str, &str)]) -> Self {
        let godel = repository().join("examples/godel");
        let folder = tempfile::tempdir().expect("a folder");
        let mut linked = vec!["chart", "scenarios"];
        if migrations.is_empty() {
            linked.push("migrations");
        }
        for name in linked {
            symlink(godel.join(name), folder.path().join(name)).expect("a link");
        }
        for (file, content) in migrations {
            let path = folder.path().join("migrations").join(file);
            fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a folder");
            fs::write(path, content).expect("a file");
        }
        let text = fs::read_to_string(godel.join("prodtest.yaml")).expect("Godel's configuration");
        let (before, rest) = text.split_once("\nprecheck:\n").expect("its section");
        let (_, after) = rest.split_once("\ndeploy:\n").expect("the section after it");
        let text = format!("{before}\nprecheck:\n{section}\ndeploy:\n{after}");
        fs::write(folder.path().join("prodtest.yaml"), text).expect("a configuration");
        Self { folder }
    }

    /// The gate with it.
    pub(crate) fn precheck(&self, release: &Release<'_>, values: &Value) -> GateCommand {
        release.precheck_of(&self.folder.path().join("prodtest.yaml"), values)
    }

    /// The same, and what that flag leads to is reached by a port of loopback.
    pub(crate) fn precheck_by(&self, release: &Release<'_>, values: &Value, way: (&str, u16)) -> GateCommand {
        let (flag, port) = way;
        let mut words = release.precheck_target(Helm::Three, values).expect("a registry and stores");
        let at = words.iter().position(|word| word == flag).expect("a way");
        words[at + 1] = format!("127.0.0.1:{port}").into();
        GateCommand::new("precheck")
            .arg("--kubeconfig")
            .arg(release.lab().kubeconfig())
            .arg("--config")
            .arg(self.folder.path().join("prodtest.yaml"))
            .args(["--env", "lab"])
            .args(words)
            .args(["--repository", &release.image.repository])
    }
}
