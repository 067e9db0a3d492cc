//! The flags of a gate that changes something.

use clap::Args;
use prodtest_config::Environment;

use crate::Refusal;

/// The flags of a gate that changes something.
#[derive(Args, Clone, Debug)]
pub struct ChangeFlags {
    /// Yes, change this environment, which is protected: to this version
    #[arg(long, value_name = "VERSION", help_heading = "Change")]
    pub confirm: Option<String>,
    /// Put back what a run that did not come to its end has changed, and do nothing else; for a step that always runs
    #[arg(long, help_heading = "Change")]
    pub recover: bool,
    /// Show what would be changed, and change nothing
    #[arg(long, help_heading = "Change")]
    pub dry_run: bool,
}

impl ChangeFlags {
    /// Refuses to change a protected environment unless this very version is confirmed. What puts things back, or
    /// only shows, needs no confirmation.
    ///
    /// # Errors
    /// When it is not confirmed, or another version is.
    pub fn refuse_unconfirmed(&self, name: &str, environment: &Environment, version: &str) -> Result<(), Refusal> {
        if !environment.protected || self.recover || self.dry_run {
            return Ok(());
        }
        match self.confirm.as_deref() {
            Some(confirmed) if confirmed == version => Ok(()),
            Some(confirmed) => {
                let message = format!("`--confirm {confirmed}` confirms another version than `{version}`");
                Err(Refusal::usage_with_hint(message, format!("if it is meant: `--confirm {version}`")))
            }
            None => {
                let message = format!("the environment `{name}` is protected, and nobody confirmed the change");
                Err(Refusal::usage_with_hint(message, format!("if it is meant: `--confirm {version}`")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_version_opens_a_protected_environment() {
        let flags =
            |confirm: Option<&str>| ChangeFlags { confirm: confirm.map(str::to_owned), recover: false, dry_run: false };
        let protected = Environment { protected: true, ..Environment::default() };
        let refused = |flags: &ChangeFlags, environment: &Environment| {
            flags.refuse_unconfirmed("production", environment, "1.4.2").is_err()
        };
        assert!(refused(&flags(None), &protected));
        assert!(refused(&flags(Some("1.4.1")), &protected));
        assert!(!refused(&flags(Some("1.4.2")), &protected));
        assert!(!refused(&flags(None), &Environment::default()));
        assert!(!refused(&ChangeFlags { dry_run: true, ..flags(None) }, &protected));
        assert!(!refused(&ChangeFlags { recover: true, ..flags(None) }, &protected));
    }
}
