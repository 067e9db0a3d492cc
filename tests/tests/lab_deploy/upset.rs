//! What is done to the registry and the cluster beside a release, by name.

use std::{process::Stdio, time::Duration};

use anyhow::ensure;
use prodtest_tests::registry::{MANIFEST, Repository};
use serde_json::{Value, json};
use xtask::lab::{godel::Helm, until};

use crate::specimen::{Installed, NAME};

const PATIENCE: Duration = Duration::from_secs(20);
/// The tag that is moved.
const MOVED: &str = "moved";

/// Before the release is there.
pub(crate) fn before(installed: &Installed<'_>, name: Option<&str>) {
    if name == Some("tag-moved") {
        let godel = Repository { lab: installed.lab(), name: "godel" };
        godel.put(MOVED, MANIFEST, &godel.manifest(&installed.image.digest));
    }
}

/// Once it is there.
pub(crate) fn inject(installed: &Installed<'_>, name: Option<&str>) {
    match name {
        None => {}
        Some("tag-moved") => move_tag(installed),
        Some("image-for-another-platform") => {
            Repository { lab: installed.lab(), name: "faults-platform" }.put_foreign("foreign");
        }
        Some("pending-release") => leave_pending(installed),
        Some(other) => panic!("nobody knows how to do `{other}`"),
    }
}

/// The same image under another digest.
fn move_tag(installed: &Installed<'_>) {
    let godel = Repository { lab: installed.lab(), name: "godel" };
    let mut manifest: Value = serde_json::from_str(&godel.manifest(&installed.image.digest)).expect("a manifest");
    manifest["annotations"] = json!({ "moved": "yes" });
    godel.put(MOVED, MANIFEST, &manifest.to_string());
}

/// A Helm that somebody else killed while it waited for a hook.
fn leave_pending(installed: &Installed<'_>) {
    let mut helm = installed.helm(Helm::Three).expect("helm");
    let hook = "broken.preUpgrade.image=registry.lab:5000/godel:no-such-tag";
    helm.args(["upgrade", NAME, "tests/specimen/chart", "--reuse-values", "--set", hook]);
    let mut helm = helm.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let pending = until("the release to be pending", PATIENCE, || {
        let status = installed.state().status().to_owned();
        ensure!(status == "pending-upgrade", "it is {status}");
        Ok(())
    });
    helm.kill().expect("it still runs");
    helm.wait().expect("its end");
    pending.expect("a pending release");
}
