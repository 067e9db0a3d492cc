//! What all objects have.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

/// `null` reads as what is missing does: other clients than Go's write it.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

/// `metadata`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// The name, which no other object of its kind has at the same time.
    pub name: String,
    /// What no other object ever has.
    pub uid: String,
    /// Counts the changes of `spec`.
    pub generation: i64,
    /// Set when it is to go.
    pub deletion_timestamp: Option<String>,
    /// Whose it is.
    #[serde(deserialize_with = "lenient")]
    pub owner_references: Vec<Owner>,
    /// Labels.
    #[serde(deserialize_with = "lenient")]
    pub labels: BTreeMap<String, String>,
    /// Annotations, those alone that rules read.
    #[serde(deserialize_with = "of_controllers")]
    pub annotations: BTreeMap<String, String>,
}

/// The annotations of others hold whole manifests.
fn of_controllers<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let mut all: BTreeMap<String, String> = lenient(from)?;
    all.retain(|key, _| key == "deployment.kubernetes.io/revision" || key == "helm.sh/hook");
    Ok(all)
}

impl Meta {
    /// Whether it is to go.
    #[must_use]
    pub const fn is_ending(&self) -> bool {
        self.deletion_timestamp.is_some()
    }

    /// Whether the object of this uid made it.
    #[must_use]
    pub fn is_of(&self, uid: &str) -> bool {
        self.owner_references.iter().any(|owner| owner.controller && owner.uid == uid)
    }
}

/// An entry of `metadata.ownerReferences`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Owner {
    /// `ReplicaSet`, ….
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Whether it is the one that made the object.
    pub controller: bool,
}

/// An entry of `status.conditions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// Which: `Ready`, `Progressing`, ….
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, as one word.
    pub reason: String,
    /// Why, for a person.
    pub message: String,
}

impl Condition {
    /// The condition of this type, when it has this status.
    #[must_use]
    pub fn find<'a>(all: &'a [Self], r#type: &str, status: &str) -> Option<&'a Self> {
        all.iter().find(|condition| condition.r#type == r#type && condition.status == status)
    }
}

/// What has `metadata`.
pub trait Owned {
    /// Its `metadata`.
    fn meta(&self) -> &Meta;
}
