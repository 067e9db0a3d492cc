//! A password, and the one thing that is done with it here: taking it out of what others say.

/// A password that no message may hold.
#[derive(Clone)]
pub(crate) struct Secret(Option<String>);

impl Secret {
    pub(super) fn new(password: Option<String>) -> Self {
        Self(password.filter(|password| !password.is_empty()))
    }

    /// An error with its causes, without the password: what a server or a library says is not ours to know.
    pub(crate) fn told(&self, error: &(dyn std::error::Error + 'static)) -> String {
        let mut told = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !told.contains(&text) {
                told = format!("{told}: {text}");
            }
            cause = error.source();
        }
        match &self.0 {
            Some(password) => told.replace(password.as_str(), "***"),
            None => told,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_message_has_its_causes_and_not_the_password() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot log in")]
        struct Outer(#[source] io::Error);
        let error = Outer(io::Error::other("no user has the password `s3cret`"));
        let secret = Secret::new(Some("s3cret".to_owned()));
        assert_eq!(secret.told(&error), "cannot log in: no user has the password `***`");
    }
}
