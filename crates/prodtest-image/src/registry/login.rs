//! Who asks: a user and a password, or what `docker login` and a pull secret keep.

use std::collections::BTreeMap;

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::{Reference, reference::DOCKER_HUB};

/// A login to a registry.
#[derive(Clone, Debug)]
pub enum Login {
    /// A user and a password, or an access token in its place.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// A token that is exchanged for another one at each use.
    IdentityToken(SecretString),
}

/// Why a configuration holds no login. Nothing of it is quoted: what stands there may be the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLogin {
    /// It is no such configuration.
    #[error("it is no configuration of Docker's: no JSON with `auths`, at line {line}, column {column}")]
    Shape {
        /// Where reading ended.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// The login is elsewhere.
    #[error("the login for `{registry}` is kept by the credential helper `{helper}`, and helpers are not run")]
    Helper {
        /// For which registry.
        registry: String,
        /// Who keeps it.
        helper: String,
    },
    /// The entry holds something else.
    #[error("the `auth` for `{0}` is not `user:password` in Base64")]
    Auth(String),
}

impl InvalidLogin {
    /// What to do, in one line.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Shape { .. } => {
                "it must be the text of `~/.docker/config.json`, or of a Secret's `.dockerconfigjson`"
            }
            Self::Helper { .. } => "give user and password, or log in with a configuration that has no `credsStore`",
            Self::Auth(_) => "make it anew: `docker login`, or `kubectl create secret docker-registry`",
        }
    }
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

impl Login {
    /// The login for an image in the text of a `config.json` or a `.dockerconfigjson`; none, when it has none for its
    /// registry. Of several entries the longest goes first, as with the kubelet; wildcards are not read.
    ///
    /// # Errors
    /// When it cannot be read, or a credential helper keeps the login.
    pub fn of_docker_config(text: &str, reference: &Reference) -> Result<Option<Self>, InvalidLogin> {
        let config: Config = serde_json::from_str(text)
            .map_err(|error| InvalidLogin::Shape { line: error.line(), column: error.column() })?;
        let registry = reference.registry();
        let kept_by = |helper: &str| InvalidLogin::Helper { registry: registry.to_owned(), helper: helper.to_owned() };
        if let Some((_, helper)) = config.helpers.iter().find(|(key, _)| host_and_path(key) == registry) {
            return Err(kept_by(helper));
        }
        let repository = reference.repository();
        let holds =
            |key: &str| repository.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let matching = config.auths.iter().map(|(key, entry)| (host_and_path(key), entry));
        let Some((key, entry)) = matching.filter(|(key, _)| holds(key)).max_by_key(|(key, _)| key.len()) else {
            return Ok(None);
        };
        match (entry.login(&key)?, config.store) {
            (None, Some(store)) if !store.is_empty() => Err(kept_by(&store)),
            (login, _) => Ok(login),
        }
    }
}

impl Entry {
    fn login(&self, key: &str) -> Result<Option<Login>, InvalidLogin> {
        if !self.identitytoken.is_empty() {
            return Ok(Some(Login::IdentityToken(self.identitytoken.as_str().into())));
        }
        if !self.username.is_empty() {
            let password = self.password.as_str().into();
            return Ok(Some(Login::Password { user: self.username.clone(), password }));
        }
        if self.auth.is_empty() {
            return Ok(None);
        }
        let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let decoded = GeneralPurpose::new(&STANDARD, lenient).decode(self.auth.trim());
        let both = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok()).map(SecretString::from);
        let invalid = || InvalidLogin::Auth(key.to_owned());
        let both = both.ok_or_else(invalid)?;
        let (user, password) = both.expose_secret().split_once(':').ok_or_else(invalid)?;
        // Old versions of Docker ended it with a zero byte.
        let password = password.trim_end_matches('\0').into();
        Ok(Some(Login::Password { user: user.to_owned(), password }))
    }
}

/// `https://index.docker.io/v1/` is Docker Hub; other keys may have a scheme, and the version of the API at the end.
fn host_and_path(key: &str) -> String {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let bare = bare.trim_end_matches('/');
    let bare = bare.strip_suffix("/v1").or_else(|| bare.strip_suffix("/v2")).unwrap_or(bare);
    if matches!(bare, "index.docker.io" | "registry-1.docker.io") { DOCKER_HUB.to_owned() } else { bare.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(config: &str, image: &str) -> Result<Option<String>, InvalidLogin> {
        let found = Login::of_docker_config(config, &image.parse().unwrap())?;
        Ok(found.map(|login| login.secrets().pop().unwrap()))
    }

    fn some(text: &str) -> Result<Option<String>, InvalidLogin> {
        Ok(Some(text.to_owned()))
    }

    #[test]
    fn each_form_of_an_entry_is_read() {
        let config = r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "dTpodWI="},
            "registry.lab:5000": {"username": "lab", "password": "a:b"},
            "registry.lab:5000/team": {"auth": "dGVhbTp3b3Jk"},
            "http://old.example/v2/": {"auth": "b2xkOnppcAA"},
            "tokens.example": {"auth": "dTo=", "identitytoken": "the-token"}
        }}"#;
        assert_eq!(login(config, "nginx"), some("u:hub"));
        assert_eq!(login(config, "registry.lab:5000/godel"), some("lab:a:b"));
        assert_eq!(login(config, "registry.lab:5000/team/godel"), some("team:word"));
        assert_eq!(login(config, "registry.lab:5000/teams/godel"), some("lab:a:b"));
        assert_eq!(login(config, "old.example/a"), some("old:zip"));
        assert_eq!(login(config, "tokens.example/a"), some("the-token"));
        assert_eq!(login(config, "registry.lab/godel"), Ok(None), "another port is another registry");
        assert_eq!(login("{}", "nginx"), Ok(None));
    }

    #[test]
    fn a_helper_is_named_and_not_run() {
        let helper = |name: &str, registry: &str| {
            Err(InvalidLogin::Helper { registry: registry.to_owned(), helper: name.to_owned() })
        };
        let one = r#"{"credHelpers": {"ghcr.io": "gh"}}"#;
        assert_eq!(login(one, "ghcr.io/a/b"), helper("gh", "ghcr.io"));
        assert_eq!(login(one, "nginx"), Ok(None));
        let store = r#"{"credsStore": "desktop", "auths": {"ghcr.io": {}, "a.example": {"auth": "dTpw"}}}"#;
        assert_eq!(login(store, "ghcr.io/a/b"), helper("desktop", "ghcr.io"));
        assert_eq!(login(store, "a.example/b"), some("u:p"));
    }

    #[test]
    fn what_is_wrong_is_never_quoted() {
        for wrong in [r#"{"auths": {"docker.io": {"auth": "s3cret"}}}"#, r#"{"auths": "s3cret"}"#, "s3cret"] {
            let error = login(wrong, "nginx").unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }
}
