//! What was seen of an image, as a run record keeps it.

use prodtest_gate::{Evidence, Quantity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Class, Platform, Reference, RegistryError, Resolved, platform_fits};

/// What was asked for, and what came of it. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ImageFacts {
    /// What was asked for.
    pub reference: Reference,
    /// What it stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Resolved>,
    /// Or why that could not be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Unresolved>,
}

/// Why an image was not resolved. Whether that is the image's fault follows from the class, [`Class::is_measured`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Unresolved {
    /// In one word.
    pub class: Class,
    /// In words; they may quote the registry: hostile text.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl ImageFacts {
    /// The facts of one question.
    #[must_use]
    pub fn of(reference: &Reference, answer: Result<Resolved, RegistryError>) -> Self {
        let (resolved, failure) = match answer {
            Ok(resolved) => (Some(resolved), None),
            Err(error) => (None, Some(Unresolved::of(&error))),
        };
        Self { reference: reference.clone(), resolved, failure }
    }

    /// What that means for who wants to run it on these nodes. Pure.
    #[must_use]
    pub fn standing(&self, nodes: &[Platform]) -> Standing {
        match (&self.resolved, &self.failure) {
            (Some(resolved), _) => {
                let platforms = resolved.platforms();
                match nodes.iter().find(|node| !platform_fits(&platforms, node)) {
                    Some(node) => Standing::Bad {
                        rule: "platform",
                        message: format!("`{}` is not for `{node}`, which nodes of the cluster are", self.reference),
                        help: format!("build it for `{node}` too; it is for {}", in_words(&platforms)),
                    },
                    None => Standing::Good,
                }
            }
            (None, Some(Unresolved { class, message, hint })) if class.is_measured() => {
                Standing::Bad { rule: "registry", message: message.clone(), help: hint.clone() }
            }
            (None, Some(Unresolved { message, hint, .. })) => {
                Standing::Unknown { why: format!("{message}\nhint: {hint}") }
            }
            (None, None) => Standing::Unknown { why: "the registry gave no answer".to_owned() },
        }
    }

    /// What it is, for a report.
    #[must_use]
    pub fn evidence(&self) -> Vec<Evidence> {
        let mut evidence = vec![Evidence::new("image", Quantity::Text(self.reference.to_string()))];
        if let Some(resolved) = &self.resolved {
            evidence.push(Evidence::new("digest", Quantity::Text(resolved.digest.to_string())));
            evidence.push(Evidence::new("platforms", Quantity::Text(in_words(&resolved.platforms()))));
        }
        evidence
    }
}

/// What an image comes to, where it is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is there, and runs on all of the nodes.
    Good,
    /// It cannot be run, for the registry or the image says so.
    Bad {
        /// Which rule it breaks: `registry` or `platform`.
        rule: &'static str,
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
    /// That could not be told.
    Unknown {
        /// Why, and what to do.
        why: String,
    },
}

fn in_words(platforms: &[Platform]) -> String {
    platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Unresolved {
    /// An error as plain data.
    #[must_use]
    pub fn of(error: &RegistryError) -> Self {
        Self { class: error.problem.class(), message: error.to_string(), hint: error.hint().to_owned() }
    }
}
