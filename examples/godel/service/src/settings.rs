//! What the environment tells the service: its keys and its version.

use std::ffi::OsString;

use crate::auth::{Caller, Keys};

const KEY: &str = "GODEL_API_KEY";
const KEY_OTHER: &str = "GODEL_API_KEY_OTHER";
const KEY_ADMIN: &str = "GODEL_ADMIN_KEY";
const VERSION: &str = "GODEL_VERSION";

/// The service's settings, checked.
pub struct Settings {
    pub(crate) keys: Keys,
    pub(crate) version: String,
}

/// Why the environment gives no settings. No message holds a key.
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
}

impl SettingsError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Missing(name) => {
                format!("choose a key and export it: {name}=\"$(openssl rand -hex 16)\"")
            }
            Self::Unsendable(_) => {
                "visible ASCII only; a newline at the end comes from `echo`, use `printf %s`".to_owned()
            }
            Self::Ambiguous(_, second) => format!("give `{second}` a value of its own, or unset it"),
            Self::NotText(name) => format!("set `{name}` again"),
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

        Ok(Self {
            keys: Keys::new(named.iter().map(|(_, key, caller)| (key.as_str(), *caller))),
            version: text(VERSION)?.unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned()),
        })
    }

    /// The version this service says it is.
    pub fn version(&self) -> &str {
        &self.version
    }
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
