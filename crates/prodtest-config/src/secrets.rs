//! The values behind the references.

use std::{collections::BTreeMap, fs::File, io::Read};

use prodtest_gate::MIN_SECRET_LEN;
use secrecy::{ExposeSecret, SecretString};

use crate::{ConfigError, Located, SecretRef};

/// What is longer is not a secret but the wrong file.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// Looks a variable up in the environment.
type Lookup = Box<dyn Fn(&str) -> Option<String>>;

/// Resolves references, and remembers every value for the redactor.
pub struct Secrets {
    lookup: Lookup,
    values: BTreeMap<SecretRef, SecretString>,
}

impl Secrets {
    /// Nothing resolved yet. `lookup` gives the value of an environment variable.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + 'static) -> Self {
        Self { lookup: Box::new(lookup), values: BTreeMap::new() }
    }

    /// The value of a secret.
    ///
    /// # Errors
    /// At the reference, when it is not set, or when it could be neither sent in a header nor kept out of reports.
    pub fn resolve(&mut self, reference: &Located<SecretRef>) -> Result<SecretString, ConfigError> {
        match self.resolve_if_set(reference)? {
            Some(value) => Ok(value),
            None => {
                let error = ConfigError::new(format!("{} is not set", reference.value)).at(reference.place.clone());
                Err(match &reference.value {
                    SecretRef::Env(name) => error.with_hint(format!("export {name}=…")),
                    SecretRef::File(path) => error.with_hint(format!("write the secret to `{path}`")),
                    // Whoever asked the cluster knows what to do.
                    SecretRef::Kubernetes(_) => error,
                })
            }
        }
    }

    /// The value of a secret, or none where it is not set: the variable is missing or empty, the file is not there or
    /// empty. This asks no cluster: what is there is set once it was [taken](Self::take) from it.
    ///
    /// # Errors
    /// As [`Secrets::resolve`], but for what is not set.
    pub fn resolve_if_set(&mut self, reference: &Located<SecretRef>) -> Result<Option<SecretString>, ConfigError> {
        if let Some(known) = self.values.get(&reference.value) {
            return Ok(Some(known.clone()));
        }
        let raw = match &reference.value {
            SecretRef::Env(name) => (self.lookup)(name),
            SecretRef::File(path) => read(path.as_ref())
                .map_err(|why| ConfigError::new(format!("{} {why}", reference.value)).at(reference.place.clone()))?,
            SecretRef::Kubernetes(_) => None,
        };
        self.take(reference, raw.as_deref().unwrap_or_default())
    }

    /// Takes the value of a secret that was read elsewhere, or none where it is empty.
    ///
    /// # Errors
    /// At the reference, when it could be neither sent in a header nor kept out of reports.
    pub fn take(&mut self, reference: &Located<SecretRef>, raw: &str) -> Result<Option<SecretString>, ConfigError> {
        let error = |message: String| ConfigError::new(message).at(reference.place.clone());
        let value = without_last_line_break(raw);
        if value.is_empty() {
            return Ok(None);
        }
        if value.chars().any(char::is_control) {
            return Err(error(format!("{} holds a line break or another control character", reference.value))
                .with_hint("a secret is one line; look whether it was pasted whole and alone"));
        }
        if value.len() < MIN_SECRET_LEN {
            return Err(error(format!("{} holds fewer than {MIN_SECRET_LEN} characters", reference.value))
                .with_hint("so short a secret cannot be kept out of reports; use a longer one"));
        }
        let value = SecretString::from(value);
        self.values.insert(reference.value.clone(), value.clone());
        Ok(Some(value))
    }

    /// The value of a reference that was resolved.
    #[must_use]
    pub fn get(&self, reference: &SecretRef) -> Option<&SecretString> {
        self.values.get(reference)
    }

    /// Every value that was resolved, for the redactor.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.values.values().map(ExposeSecret::expose_secret)
    }
}

/// The references only.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// The text of a file, none if there is no such file, or why it cannot be had.
fn read(path: &std::path::Path) -> Result<Option<String>, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    let mut bytes = Vec::new();
    file.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_SECRET_BYTES {
        return Err("is larger than 64 KiB".to_owned());
    }
    String::from_utf8(bytes).map(Some).map_err(|_| "is not text in UTF-8".to_owned())
}

/// Editors, `echo` and `kubectl` end a file with a line break that is no part of the secret.
fn without_last_line_break(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use prodtest_gate::Place;

    use super::*;
    use crate::FilePath;

    fn at_line_3(value: SecretRef) -> Located<SecretRef> {
        Located::new(value, Place { file: "prodtest.yaml".into(), line: 3, column: 7 })
    }

    fn env(value: Option<&'static str>) -> Result<String, ConfigError> {
        let mut secrets = Secrets::new(move |name| value.filter(|_| name == "KEY").map(str::to_owned));
        let value = secrets.resolve(&at_line_3(SecretRef::Env("KEY".into())))?;
        assert_eq!(secrets.values().collect::<Vec<_>>(), [value.expose_secret()]);
        assert!(!format!("{secrets:?}").contains(value.expose_secret()));
        Ok(value.expose_secret().to_owned())
    }

    #[test]
    fn a_variable_is_read_without_its_last_line_break() {
        assert_eq!(env(Some("opensesame")).unwrap(), "opensesame");
        assert_eq!(env(Some("opensesame\r\n")).unwrap(), "opensesame");
    }

    #[test]
    fn what_cannot_be_used_is_an_error_at_the_reference() {
        let problem = |value| env(value).unwrap_err();
        for unset in [None, Some(""), Some("\n")] {
            assert_eq!(problem(unset).to_string(), "prodtest.yaml:3:7: the environment variable `KEY` is not set");
            assert_eq!(problem(unset).hint(), Some("export KEY=…"));
        }
        assert!(problem(Some("abc")).to_string().contains("fewer than 4 characters"));
        for bad in ["open\nsesame", "opensesame\n\n", "open\tsesame", "open\u{7f}sesame"] {
            let error = problem(Some(bad));
            assert!(error.to_string().contains("control character"), "{error}");
            assert!(!error.to_string().contains("sesame"), "{error}");
        }
    }

    #[test]
    fn files_are_read_and_their_faults_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let reference = at_line_3(SecretRef::File(FilePath(path.clone())));
        let resolve = || Secrets::new(|_| None).resolve(&reference).map(|value| value.expose_secret().to_owned());
        assert!(resolve().unwrap_err().to_string().ends_with("is not set"));
        std::fs::write(&path, "").unwrap();
        assert!(resolve().unwrap_err().to_string().ends_with("is not set"));
        std::fs::write(&path, b"\xff\xff\xff\xff").unwrap();
        assert!(resolve().unwrap_err().to_string().ends_with("is not text in UTF-8"));
        std::fs::write(&path, vec![b'x'; 70_000]).unwrap();
        assert!(resolve().unwrap_err().to_string().ends_with("is larger than 64 KiB"));
        std::fs::write(&path, "opensesame\n").unwrap();
        assert_eq!(resolve().unwrap(), "opensesame");
    }

    #[test]
    fn an_optional_secret_may_be_missing_but_not_broken() {
        let optional = |value: Option<&'static str>| {
            let mut secrets = Secrets::new(move |_| value.map(str::to_owned));
            secrets.resolve_if_set(&at_line_3(SecretRef::Env("KEY".into()))).map(|found| found.is_some())
        };
        assert!(matches!(
            (optional(None), optional(Some("")), optional(Some("opensesame"))),
            (Ok(false), Ok(false), Ok(true))
        ));
        assert!(optional(Some("abc")).is_err());
    }

    #[test]
    fn what_a_cluster_gave_is_held_to_the_same_rules() {
        let text = "{ kubernetes: { secret: a, key: b } }";
        let reference = at_line_3(crate::Node::parse("x.yaml", text).unwrap().read().unwrap());
        let mut secrets = Secrets::new(|_| None);
        assert!(secrets.resolve_if_set(&reference).unwrap().is_none());
        assert!(secrets.take(&reference, "abc").unwrap_err().to_string().contains("fewer than 4 characters"));
        assert!(secrets.take(&reference, "").unwrap().is_none());
        let error = secrets.resolve(&reference).unwrap_err();
        assert_eq!(error.to_string(), "prodtest.yaml:3:7: the key `b` of the secret `a` is not set");
        assert!(secrets.take(&reference, "opensesame\n").unwrap().is_some());
        assert_eq!(secrets.resolve(&reference).unwrap().expose_secret(), "opensesame");
        assert_eq!(secrets.values().collect::<Vec<_>>(), ["opensesame"]);
    }
}
