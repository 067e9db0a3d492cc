//! The program: which it is, which version, and what it is told.
//!
//! No argument holds a value of the gate's: they are in a document on stdin, for arguments can be read by everybody on
//! the machine. Nothing is waited for but hooks: who waits is the gate, which knows earlier.

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::timeout;

use super::{Ended, Running, launch::Launcher, running::Prints};

/// How long `helm version` may take, on a machine that has much to do.
const VERSION: Duration = Duration::from_secs(20);
/// The first that knows `--reset-then-reuse-values`, `--dry-run=server` and `--hide-secret` together.
const OLDEST: (u32, u32) = (3, 15);

/// The version of a Helm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HelmVersion {
    /// 3 or 4.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third.
    pub patch: u32,
}

impl HelmVersion {
    /// Reads `v3.15.2`, with whatever follows a `-` or `+`.
    fn read(text: &str) -> Option<Self> {
        let numbers = text.trim().strip_prefix('v')?.split(['-', '+']).next()?;
        let mut numbers = numbers.split('.').map(|number| number.parse().ok());
        let mut next = || numbers.next().flatten();
        Some(Self { major: next()?, minor: next()?, patch: next()? })
    }
}

impl fmt::Display for HelmVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Where the release is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The kubeconfig; Helm finds it as kubectl does where none is said.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it.
    pub context: Option<String>,
    /// The namespace.
    pub namespace: String,
}

/// Why there is no Helm to use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoHelm {
    /// It is not there, or cannot be run.
    #[error("`{program}` cannot be run: {why}")]
    NotRun {
        /// What was tried.
        program: String,
        /// What the system or it said.
        why: String,
    },
    /// It does not say which version it is.
    #[error("`{program}` does not say which version of Helm it is")]
    NoVersion {
        /// What was tried.
        program: String,
    },
    /// It is of a version that this does not know how to use.
    #[error("`{program}` is Helm {version}; 3.15 or later, or 4, is needed")]
    Version {
        /// What was tried.
        program: String,
        /// What it is.
        version: HelmVersion,
    },
}

impl NoHelm {
    /// What to do.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NotRun { .. } | Self::Version { .. } => "install Helm 3.15 or later, or 4, or say where it is",
            Self::NoVersion { .. } => "look what `helm version --template '{{.Version}}'` prints",
        }
    }
}

/// What becomes of the values of the revision before. Helm's own default depends on whether any value is given, so it is
/// always said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ValuesMode {
    /// Only what is given now lies over the chart's values.
    Reset,
    /// The chart's values, then those that were given before, then those that are given now.
    #[default]
    ResetThenReuse,
    /// The values as they were, the chart's old ones too, then those that are given now.
    Reuse,
}

impl ValuesMode {
    const fn flag(self) -> &'static str {
        match self {
            Self::Reset => "--reset-values",
            Self::ResetThenReuse => "--reset-then-reuse-values",
            Self::Reuse => "--reuse-values",
        }
    }
}

/// What is deployed.
#[derive(Clone, Debug)]
pub struct Upgrade<'a> {
    /// The release.
    pub release: &'a str,
    /// The chart: a folder, an archive, or an address.
    pub chart: &'a str,
    /// Values files, the later over the earlier.
    pub values: &'a [PathBuf],
    /// Settings of the user's, `key=json`, over all files and over `own`.
    pub set_json: &'a [String],
    /// Values of the gate's, over all files; null: none.
    pub own: &'a Value,
    /// What becomes of the values of the revision before.
    pub mode: ValuesMode,
    /// How long a hook may take.
    pub hooks: Duration,
}

/// Values by the paths of their names, `image.digest`; a path or a value that there is none of is left out. Null: none.
#[must_use]
pub fn values_of<'a>(set: impl IntoIterator<Item = (Option<&'a str>, Option<&'a str>)>) -> Value {
    let mut values = Value::Null;
    for (key, value) in set.into_iter().filter_map(|(key, value)| key.zip(value)) {
        let mut at = &mut values;
        for name in key.split('.') {
            if !at.is_object() {
                *at = serde_json::json!({});
            }
            at = &mut at[name];
        }
        *at = value.into();
    }
    values
}

/// The folder or archive of a chart, as Helm takes it: a path that is no word of its own.
#[must_use]
pub fn as_path(path: &Path) -> String {
    let shown = path.display().to_string();
    if path.is_absolute() || shown.starts_with('.') { shown } else { Path::new(".").join(path).display().to_string() }
}

/// A Helm that can be used.
#[derive(Clone, Debug)]
pub struct Helm {
    program: PathBuf,
    version: HelmVersion,
    target: Target,
    launcher: Option<Launcher>,
}

impl Helm {
    /// The program at that path, else `helm` as the `PATH` has it. It is asked for its version and nothing else.
    /// `launcher`: what makes it die with the gate; without one it may outlive it.
    ///
    /// # Errors
    /// When there is none, or none that can be used.
    pub async fn find(given: Option<&Path>, target: Target, launcher: Option<Launcher>) -> Result<Self, NoHelm> {
        let program = given.unwrap_or(Path::new("helm")).to_owned();
        let named = || program.display().to_string();
        let mut command = Command::new(&program);
        command.args(["version", "--template", "{{.Version}}"]);
        let mut running = Running::start(command, None, Prints::Text);
        let not_run = |why| NoHelm::NotRun { program: named(), why };
        let said = match timeout(VERSION, running.wait()).await {
            Err(_) => return Err(not_run(format!("no version within {} s", VERSION.as_secs()))),
            Ok(Ended::Done(Value::String(said))) => said,
            Ok(Ended::NotStarted(why)) => return Err(not_run(why)),
            Ok(Ended::Failed { code, .. }) => return Err(not_run(format!("it ended with {code}"))),
            Ok(_) => return Err(NoHelm::NoVersion { program: named() }),
        };
        let version = HelmVersion::read(&said).ok_or_else(|| NoHelm::NoVersion { program: named() })?;
        // What Helm 5 will understand is not known.
        if (version.major, version.minor) < OLDEST || version.major > 4 {
            return Err(NoHelm::Version { program: named(), version });
        }
        Ok(Self { program, version, target, launcher })
    }

    /// Which version it is.
    #[must_use]
    pub const fn version(&self) -> HelmVersion {
        self.version
    }

    /// Installs or upgrades the release, and waits for hooks only. Ends with the JSON of the release.
    #[must_use]
    pub fn upgrade(&self, upgrade: &Upgrade<'_>) -> Running {
        self.run(upgrading(upgrade, &[]), own(upgrade), Prints::Json)
    }

    /// Renders it against the cluster and changes nothing. Ends with the JSON of the release that it would be, the
    /// content of Secrets left out; the user's values are in it.
    #[must_use]
    pub fn dry_run(&self, upgrade: &Upgrade<'_>) -> Running {
        self.run(upgrading(upgrade, &["--dry-run=server", "--hide-secret"]), own(upgrade), Prints::Json)
    }

    /// Makes a new revision that is what that one was. Ends with a text. It goes ahead where a revision is pending,
    /// which frees a release whose Helm died.
    #[must_use]
    pub fn rollback(&self, release: &str, revision: u32, hooks: Duration) -> Running {
        let words =
            ["rollback", "--timeout", &seconds(hooks), "--", release, &revision.to_string()].map(OsString::from);
        self.run(words.to_vec(), None, Prints::Text)
    }

    /// The same, and the hooks of the chart are not run: the last resort where one of them keeps Helm from going back.
    #[must_use]
    pub fn rollback_without_hooks(&self, release: &str, revision: u32) -> Running {
        let words = ["rollback", "--no-hooks", "--", release, &revision.to_string()].map(OsString::from);
        self.run(words.to_vec(), None, Prints::Text)
    }

    /// Takes the release away. Ends with a text.
    #[must_use]
    pub fn uninstall(&self, release: &str, hooks: Duration) -> Running {
        let words = ["uninstall", "--timeout", &seconds(hooks), "--", release].map(OsString::from);
        self.run(words.to_vec(), None, Prints::Text)
    }

    /// Renders the chart without a cluster. Ends with the manifest, hooks too, as a text.
    #[must_use]
    pub fn template(&self, upgrade: &Upgrade<'_>) -> Running {
        let mut words = vec![OsString::from("template")];
        words.extend(given(upgrade));
        self.run(words, own(upgrade), Prints::Text)
    }

    /// Lints the chart with its values, without a cluster. Ends with a text; what is wrong is what [`Ended::Failed`] says.
    #[must_use]
    pub fn lint(&self, upgrade: &Upgrade<'_>) -> Running {
        let mut words: Vec<OsString> = ["lint", "--quiet"].map(OsString::from).to_vec();
        words.extend(values(upgrade));
        words.extend(["--", upgrade.chart].map(OsString::from));
        self.run(words, own(upgrade), Prints::Report)
    }

    /// The manifest of a revision, or of the newest, as a text.
    #[must_use]
    pub fn manifest(&self, release: &str, revision: Option<u32>) -> Running {
        self.run(get("manifest", release, revision), None, Prints::Text)
    }

    /// The user's values of a revision, or of the newest, as JSON.
    #[must_use]
    pub fn values(&self, release: &str, revision: Option<u32>) -> Running {
        let mut words = get("values", release, revision);
        words.splice(2..2, ["--output", "json"].map(OsString::from));
        self.run(words, None, Prints::Json)
    }

    fn run(&self, mut words: Vec<OsString>, stdin: Option<String>, prints: Prints) -> Running {
        let mut command = match &self.launcher {
            Some(launcher) => launcher.command(self.program.as_os_str()),
            None => Command::new(&self.program),
        };
        let Target { kubeconfig, context, namespace } = &self.target;
        let mut target = vec![OsString::from("--namespace"), namespace.into()];
        if let Some(path) = kubeconfig {
            target.extend([OsString::from("--kubeconfig"), path.into()]);
        }
        if let Some(context) = context {
            target.extend([OsString::from("--kube-context"), context.into()]);
        }
        words.splice(1..1, target);
        command.args(words);
        Running::start(command, stdin, prints)
    }
}

fn upgrading(upgrade: &Upgrade<'_>, more: &[&str]) -> Vec<OsString> {
    let mut words: Vec<OsString> = ["upgrade", "--install", upgrade.mode.flag()].map(OsString::from).to_vec();
    words.extend(["--output", "json", "--timeout", &seconds(upgrade.hooks)].map(OsString::from));
    words.extend(more.iter().map(OsString::from));
    words.extend(given(upgrade));
    words
}

/// Files, the gate's values, release and chart.
fn given(upgrade: &Upgrade<'_>) -> Vec<OsString> {
    let mut words = values(upgrade);
    words.extend(["--", upgrade.release, upgrade.chart].map(OsString::from));
    words
}

/// Files and the gate's values.
fn values(upgrade: &Upgrade<'_>) -> Vec<OsString> {
    let mut words = Vec::new();
    for path in upgrade.values {
        words.extend([OsString::from("--values"), path.into()]);
    }
    if !upgrade.own.is_null() {
        words.extend(["--values", "-"].map(OsString::from));
    }
    for setting in upgrade.set_json {
        words.extend([OsString::from("--set-json"), setting.into()]);
    }
    words
}

/// JSON is YAML.
fn own(upgrade: &Upgrade<'_>) -> Option<String> {
    (!upgrade.own.is_null()).then(|| upgrade.own.to_string())
}

fn get(what: &str, release: &str, revision: Option<u32>) -> Vec<OsString> {
    let mut words: Vec<OsString> = ["get", what].map(OsString::from).to_vec();
    if let Some(revision) = revision {
        words.extend([OsString::from("--revision"), revision.to_string().into()]);
    }
    words.extend(["--", release].map(OsString::from));
    words
}

fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs().max(1))
}

#[cfg(test)]
mod tests;
