//! A lab's name, its folder, and what is remembered of it there.

use std::{
    fs::{self, File},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{files, machine::Machine, wait};
use crate::env;

/// The lab that is meant when none is named.
pub(super) const DEFAULT: &str = "default";

/// The most nodes: their addresses end where those of the services begin.
pub(super) const MAX_NODES: u8 = 40;

/// How long another program may start or end a lab.
const LOCKED: Duration = Duration::from_secs(300);

/// A lab: a folder in the cache, and everything that runs for it. Several can run side by side; no two share anything.
#[derive(Clone, Debug)]
pub struct Lab {
    /// Its name.
    pub name: String,
    /// Where its files are.
    pub folder: PathBuf,
}

/// What a lab was started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How many nodes it has.
    pub nodes: u8,
    /// Whether a lost node is noticed in 8 s instead of 50.
    pub fast: bool,
    /// The services that were started, by name.
    pub services: Vec<String>,
    /// Whether it came up. Where this is false, something ended `up` half way.
    pub ready: bool,
}

/// The passwords of a lab's services, made anew for each.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Passwords {
    /// Of PostgreSQL's superuser.
    pub postgres: String,
    /// Of Redis.
    pub redis: String,
    /// Of the registry's user `lab`.
    pub registry: String,
}

impl Lab {
    /// The lab of this name, whether it runs or not.
    ///
    /// # Errors
    /// When the name is none, or there is no place for the cache.
    pub fn named(name: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let good = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= 20 && name.chars().all(plain);
        ensure!(good, "`{name}` cannot be a lab's name\n  hint: up to 20 lower-case letters, digits and `-`");
        // One lab has one folder, however it is reached.
        let cache = env::cache()?;
        let folder = fs::canonicalize(&cache).unwrap_or(cache).join("labs").join(name);
        // Inside a machine these are its own, and what is under them on the host is not seen.
        for hidden in ["/run", "/var/lib", "/var/log"] {
            if folder.starts_with(hidden) {
                bail!(
                    "the cache is in `{hidden}`, which a machine of the lab has for itself\n  hint: set `PRODTEST_CACHE`"
                );
            }
        }
        Ok(Self { name: name.to_owned(), folder })
    }

    /// Every lab that has a folder.
    ///
    /// # Errors
    /// When there is no place for the cache.
    pub fn all() -> Result<Vec<Self>> {
        let labs = env::cache()?.join("labs");
        let mut names: Vec<String> = fs::read_dir(labs)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names.iter().map(|name| Self::named(name)).collect()
    }

    /// Taken by whatever starts or ends the lab. It goes with its holder, however that ends.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn lock(&self) -> Result<File> {
        let labs = self.folder.parent().context("the cache has no parent")?;
        fs::create_dir_all(labs).with_context(|| format!("could not make `{}`", labs.display()))?;
        let lock = File::create(labs.join(format!(".{}.lock", self.name))).context("could not make a lock file")?;
        wait::until(&format!("another program to be done with the lab `{}`", self.name), LOCKED, || {
            lock.try_lock().context("it is at work")
        })?;
        Ok(lock)
    }

    /// What a command has to say to mean this lab.
    #[must_use]
    pub fn flag(&self) -> String {
        if self.name == DEFAULT { String::new() } else { format!(" --lab {}", self.name) }
    }

    /// What its cgroups are called: no two labs of a machine share it, wherever their caches are.
    #[must_use]
    pub fn cgroup(&self) -> String {
        let hash = Sha256::digest(self.folder.as_os_str().as_encoded_bytes());
        let short: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("prodtest-lab-{short}")
    }

    /// What it was started with; none where nothing is there.
    ///
    /// # Errors
    /// When the file is not one of ours.
    pub fn settings(&self) -> Result<Option<Settings>> {
        files::read_json(&self.folder.join("lab.json"))
    }

    pub(super) fn remember(&self, settings: &Settings) -> Result<()> {
        files::write_json(&self.folder.join("lab.json"), settings)
    }

    /// The passwords of its services.
    ///
    /// # Errors
    /// When it has none: it was never started.
    pub fn passwords(&self) -> Result<Passwords> {
        files::read_json(&self.folder.join("passwords.json"))?.with_context(|| {
            format!("the lab `{}` was never started\n  hint: cargo xtask lab up{}", self.name, self.flag())
        })
    }

    pub(super) fn keep_passwords(&self, passwords: &Passwords) -> Result<()> {
        files::write_json(&self.folder.join("passwords.json"), passwords)
    }

    /// The administrator's access, from the host.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// A file of its certificates: `ca.crt` has signed them all.
    #[must_use]
    pub fn pki(&self, file: &str) -> PathBuf {
        self.folder.join("pki").join(file)
    }

    /// The folder of one of its machines.
    #[must_use]
    pub fn machine_folder(&self, machine: &str) -> PathBuf {
        self.folder.join("machines").join(machine)
    }

    /// What every process of the lab has among its arguments, so that it can be found whatever became of `up`.
    #[must_use]
    pub fn mark(&self) -> String {
        format!("--lab={}", self.folder.display())
    }

    /// The settings of a lab that came up.
    ///
    /// # Errors
    /// With what to do, when it did not.
    pub fn running(&self) -> Result<Settings> {
        let hint = self.flag();
        match self.settings()? {
            Some(settings) if settings.ready && Machine::control_plane(self).is_running() => Ok(settings),
            Some(_) => bail!("the lab `{}` is not whole\n  hint: cargo xtask lab up{hint}", self.name),
            None => bail!("there is no lab `{}`\n  hint: cargo xtask lab up{hint}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_folder_and_part_of_a_command() {
        assert!(Lab::named("default").is_ok());
        for bad in ["", "Default", "1st", "a/b", "..", "a-name-of-more-than-twenty-letters"] {
            assert!(Lab::named(bad).is_err(), "`{bad}` was taken");
        }
    }

    #[test]
    fn a_hint_names_the_lab_that_is_meant() {
        assert_eq!(Lab::named(DEFAULT).unwrap().flag(), "");
        assert_eq!(Lab::named("other").unwrap().flag(), " --lab other");
    }

    #[test]
    fn two_labs_share_no_mark_and_no_cgroup() {
        let [one, other] = ["one", "other"].map(|name| Lab::named(name).unwrap());
        assert_ne!(one.mark(), other.mark());
        assert_ne!(one.cgroup(), other.cgroup());
    }
}
