//! What an inspection is, and what it is given.

use std::fmt;

use prodtest_cli::{Input, Refusal};
use prodtest_config::{Located, SecretRef};
use prodtest_gate::{Check, CheckId, Control, Judged, Rule, Run};
use prodtest_kube::ClusterError;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Entry, Means};

/// A gate whose checks are inspections.
pub trait Survey: Sized + 'static {
    /// Its name, the first half of its check ids.
    const NAME: &'static str;
    /// Its checks, in the order in which they are shown. Of the first, a reader learns that the cluster is not there.
    const CHECKS: &'static [Entry<Self>];

    /// Its flags.
    type Flags;
    /// Its section of `prodtest.yaml`.
    type Section;
    /// What all its checks look at: part of the plan.
    type Site: Serialize + DeserializeOwned;
    /// What its checks share while they look: clients, what one asked for and others need too. Never kept.
    type Own;
}

/// What a plan is made of.
pub struct Asked<'a, S: Survey> {
    /// Configuration and flags.
    pub input: &'a Input<'a, S::Flags>,
    /// The gate's section.
    pub section: &'a S::Section,
    /// What all checks look at.
    pub site: &'a S::Site,
}

/// Where an inspection looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target<T> {
    /// There.
    At(T),
    /// Nowhere: it does not apply, for this reason. The check is skipped.
    Nowhere(String),
}

/// What an inspection has while it looks.
pub struct Seeing<'a, S: Survey> {
    /// What all checks look at.
    pub site: &'a S::Site,
    /// The live means.
    pub means: &'a Means<S::Own>,
    /// The run; for notes on what takes long.
    pub run: &'a Run,
    /// The check.
    pub id: &'a CheckId,
}

/// A check that is observed by itself.
pub trait Inspection<S: Survey> {
    /// The second half of its id.
    const NAME: &'static str;
    /// Whether it has something to say when the cluster cannot be asked.
    const WITHOUT_CLUSTER: bool = false;

    /// Where it looks. Holds no secret, but references to such.
    type Target: Serialize + DeserializeOwned;
    /// What it holds what it sees against.
    type Limits: Serialize + DeserializeOwned;
    /// What it saw: plain data.
    type Facts: Serialize + DeserializeOwned;

    /// Where it looks, as configuration and flags have it.
    ///
    /// # Errors
    /// When they cannot be as meant.
    fn target(asked: &Asked<'_, S>) -> Result<Target<Self::Target>, Refusal>;

    /// What it holds that against. Of a record that is judged again, under today's configuration.
    ///
    /// # Errors
    /// When it cannot be as meant.
    fn limits(asked: &Asked<'_, S>) -> Result<Self::Limits, Refusal>;

    /// What it declares.
    fn declare(id: CheckId, limits: &Self::Limits) -> Check;

    /// The secrets that it needs; they are there, or known not to be, when it looks.
    fn secrets(_target: &Self::Target) -> Vec<Located<SecretRef>> {
        Vec::new()
    }

    /// What whoever looks must be allowed to do in the cluster.
    fn rules(_site: &S::Site, _target: &Self::Target) -> Vec<Rule> {
        Vec::new()
    }

    /// Looks. It is dropped where it stands when its deadline or the run ends.
    ///
    /// # Errors
    /// When nothing could be seen, and so nothing can be said.
    fn observe(seeing: &Seeing<'_, S>, target: &Self::Target) -> impl Future<Output = Result<Self::Facts, Unseen>>;

    /// Says what it means. Pure.
    fn judge(id: &CheckId, target: &Self::Target, limits: &Self::Limits, facts: &Self::Facts) -> Judged;

    /// What its instrument did where it had to fail, if it was tried. Pure.
    fn control(_id: &CheckId, _target: &Self::Target, _facts: &Self::Facts) -> Option<Control> {
        None
    }
}

/// Why nothing could be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Unseen {
    /// What went wrong.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Unseen {
    /// Without anything to do about it.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// The same, and what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// With the hint.
impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl From<ClusterError> for Unseen {
    fn from(error: ClusterError) -> Self {
        Self { message: error.to_string(), hint: error.hint() }
    }
}
