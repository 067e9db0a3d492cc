//! What was seen of an image, as a run record keeps it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Class, Reference, RegistryError, Resolved};

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
}

impl Unresolved {
    /// An error as plain data.
    #[must_use]
    pub fn of(error: &RegistryError) -> Self {
        Self { class: error.problem.class(), message: error.to_string(), hint: error.hint().to_owned() }
    }
}
