//! What the environment tells the service: its keys, its version, its stores.

mod database;
mod redis;
mod secret;

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;

use crate::auth::{Caller, Keys};

pub(crate) use self::database::DatabaseSettings;
pub(crate) use self::redis::RedisSettings;
pub(crate) use self::secret::Secret;

const KEY: &str = "GODEL_API_KEY";
const KEY_OTHER: &str = "GODEL_API_KEY_OTHER";
const KEY_ADMIN: &str = "GODEL_ADMIN_KEY";
const VERSION: &str = "GODEL_VERSION";
const INSTANCE: &str = "GODEL_INSTANCE";
const RATE_LIMIT: &str = "GODEL_RATE_LIMIT";

/// NFR3.3: requests a minute and user.
const DEFAULT_RATE: u32 = 1000;

/// The service's settings, checked.
pub struct Settings {
    pub(crate) keys: Keys,
    pub(crate) version: String,
    pub(crate) instance: String,
    /// Requests a minute and tenant; without it, any number.
    pub(crate) rate_limit: Option<NonZeroU32>,
    pub(crate) database: Option<DatabaseSettings>,
    pub(crate) redis: Option<RedisSettings>,
}

/// Why the environment gives no settings. No message holds a key or a password.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A variable that must be there is unset or empty.
    #[error("`{0}` is not set")]
    Missing(&'static str),
    /// A key that could never arrive, as a header would have to carry it.
    #[error("`{0}` holds a character that an HTTP header cannot carry")]
    Unsendable(&'static str),
    /// Two roles could not be told apart.
    #[error("`{0}` and `{1}` hold the same key")]
    Ambiguous(&'static str, &'static str),
    /// A value that is no text.
    #[error("`{0}` is not valid UTF-8")]
    NotText(&'static str),
    /// A number that is none.
    #[error("`{0}` is no whole number from 0 to {max}", max = u32::MAX)]
    NotANumber(&'static str),
    /// A name that could not stand in a header or a label.
    #[error("`{0}` is not 1 to 128 letters, digits, `-`, `_`, `.` and `:`")]
    NoName(&'static str),
    /// A store's URL that cannot be used; what of it, in words.
    #[error("`{0}` {1}")]
    Url(&'static str, String),
    /// Authorities that cannot be read.
    #[error("cannot take the database's authority from `{}`: {why}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// An authority that nothing would be checked against.
    #[error("`{ca}` is set, but `{url}` does not say `sslmode=verify-full`", ca = database::CA, url = database::URL)]
    Unverified,
}

impl SettingsError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Missing(database::CA) => {
                "`sslmode=verify-full` checks against the authorities in that PEM file; the system's own are in \
                 /etc/ssl/certs/ca-certificates.crt"
                    .to_owned()
            }
            Self::Missing(name) => {
                format!("choose a key and export it: {name}=\"$(openssl rand -hex 16)\"")
            }
            Self::Unsendable(_) => {
                "visible ASCII only; a newline at the end comes from `echo`, use `printf %s`".to_owned()
            }
            Self::Ambiguous(_, second) => format!("give `{second}` a value of its own, or unset it"),
            Self::NotText(name) => format!("set `{name}` again"),
            Self::NotANumber(name) => format!("{name}=1000 is the default, {name}=0 sets no limit"),
            Self::NoName(name) => format!("unset `{name}`: the host's name is the default"),
            Self::Url(name, _) => {
                let form = match *name {
                    redis::URL => "redis://:password@host:6379/0",
                    _ => "postgres://user:password@host:5432/database?sslmode=verify-full",
                };
                format!("{form}, with what is special in a part percent-encoded: `@` is `%40`, `/` is `%2F`")
            }
            Self::Authority { .. } => "it must be a PEM file with the authority's certificate".to_owned(),
            Self::Unverified => "any other `sslmode` checks no certificate: say verify-full, or unset it".to_owned(),
        }
    }
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// When a key is missing, or could not work.
    #[expect(
        clippy::disallowed_methods,
        reason = "a service is configured by its environment; the rule is made for gates"
    )]
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::read(|name| std::env::var_os(name))
    }

    /// Reads an environment given by `lookup`; an empty value counts as unset.
    ///
    /// # Errors
    /// When a key is missing, or could not work.
    pub fn read(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, SettingsError> {
        let text = |name: &'static str| match lookup(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value).filter(|value| !value.is_empty())),
            Some(Err(_)) => Err(SettingsError::NotText(name)),
        };

        let own = text(KEY)?.ok_or(SettingsError::Missing(KEY))?;
        let mut named = vec![(KEY, own, Caller::DEFAULT)];
        for (name, caller) in [(KEY_OTHER, Caller::OTHER), (KEY_ADMIN, Caller::ADMIN)] {
            if let Some(key) = text(name)? {
                named.push((name, key, caller));
            }
        }
        for (at, (name, key, _)) in named.iter().enumerate() {
            if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(SettingsError::Unsendable(name));
            }
            if let Some((earlier, ..)) = named[..at].iter().find(|(_, other, _)| other == key) {
                return Err(SettingsError::Ambiguous(earlier, name));
            }
        }

        let instance = text(INSTANCE)?.unwrap_or_else(host_name);
        if !is_name(&instance) {
            return Err(SettingsError::NoName(INSTANCE));
        }
        let rate_limit = match text(RATE_LIMIT)? {
            None => DEFAULT_RATE,
            Some(number) => number.parse().map_err(|_| SettingsError::NotANumber(RATE_LIMIT))?,
        };
        let ca = text(database::CA)?;

        Ok(Self {
            keys: Keys::new(named.iter().map(|(_, key, caller)| (key.as_str(), *caller))),
            version: text(VERSION)?.unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned()),
            instance,
            rate_limit: NonZeroU32::new(rate_limit),
            database: text(database::URL)?.map(|url| DatabaseSettings::read(&url, ca)).transpose()?,
            redis: text(redis::URL)?.map(|url| RedisSettings::read(&url)).transpose()?,
        })
    }

    /// The version this service says it is.
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// Whether a text may stand in a header, a label and a log.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(plain)
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Settings::read(lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_is_enough() {
        let settings = read(&[(KEY, "k")]).unwrap();
        assert_eq!(settings.version(), env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn empty_means_unset() {
        let settings = read(&[(KEY, "k"), (KEY_ADMIN, ""), (VERSION, "")]).unwrap();
        assert_eq!(settings.version(), env!("CARGO_PKG_VERSION"));
        assert_eq!(read(&[(KEY, "")]).err().unwrap(), "`GODEL_API_KEY` is not set");
    }

    #[test]
    fn keys_that_cannot_work_are_named_and_not_shown() {
        let newline = read(&[(KEY, "s3cret\n")]).err().unwrap();
        assert!(newline.contains(KEY) && !newline.contains("s3cret"), "{newline}");
        let twice = read(&[(KEY, "s3cret"), (KEY_ADMIN, "s3cret")]).err().unwrap();
        assert!(twice.contains(KEY_ADMIN) && !twice.contains("s3cret"), "{twice}");
    }
}
