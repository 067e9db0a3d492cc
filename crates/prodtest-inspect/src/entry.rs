//! An inspection without its types: what it looks at and what it saw are JSON.

use futures_util::{FutureExt as _, future::LocalBoxFuture};
use prodtest_cli::Refusal;
use prodtest_config::{Located, SecretRef};
use prodtest_gate::{Check, CheckId, Control, Judged, Rule};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Asked, Inspection, Seeing, Survey, Target, Unseen};

/// A JSON that another version wrote, and this one cannot read.
type Unreadable = serde_json::Error;

/// One check of a gate.
pub struct Entry<S: Survey> {
    /// The second half of its id.
    pub name: &'static str,
    pub(crate) without_cluster: bool,
    pub(crate) target: fn(&Asked<'_, S>) -> Result<Target<Value>, Refusal>,
    pub(crate) limits: fn(&Asked<'_, S>) -> Result<Value, Refusal>,
    pub(crate) declare: fn(CheckId, &Value) -> Result<Check, Unreadable>,
    pub(crate) secrets: fn(&Value) -> Result<Vec<Located<SecretRef>>, Unreadable>,
    pub(crate) rules: fn(&S::Site, &Value) -> Result<Vec<Rule>, Unreadable>,
    pub(crate) observe: Observe<S>,
    pub(crate) judge: fn(&CheckId, &Value, &Value, &Value) -> Result<Judged, Unreadable>,
    pub(crate) control: fn(&CheckId, &Value, &Value) -> Result<Option<Control>, Unreadable>,
}

type Observe<S> = for<'a> fn(&'a Seeing<'a, S>, &'a Value) -> LocalBoxFuture<'a, Result<Value, Unseen>>;

impl<S: Survey> Entry<S> {
    /// The entry of an inspection.
    #[must_use]
    pub const fn of<I: Inspection<S>>() -> Self {
        Self {
            name: I::NAME,
            without_cluster: I::WITHOUT_CLUSTER,
            target: |asked| {
                Ok(match I::target(asked)? {
                    Target::At(target) => Target::At(written(&target)),
                    Target::Nowhere(why) => Target::Nowhere(why),
                })
            },
            limits: |asked| Ok(written(&I::limits(asked)?)),
            declare: |id, limits| Ok(I::declare(id, &read(limits)?)),
            secrets: |target| Ok(I::secrets(&read(target)?)),
            rules: |site, target| Ok(I::rules(site, &read(target)?)),
            observe: |seeing, target| {
                async move {
                    let target: I::Target = read(target).map_err(|error| Unseen::new(error.to_string()))?;
                    Ok(written(&I::observe(seeing, &target).await?))
                }
                .boxed_local()
            },
            judge: |id, target, limits, facts| Ok(I::judge(id, &read(target)?, &read(limits)?, &read(facts)?)),
            control: |id, target, facts| Ok(I::control(id, &read(target)?, &read(facts)?)),
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> CheckId {
        id::<S>(self.name)
    }
}

/// The id of a check of this gate, by the name that its inspection has.
#[must_use]
pub fn id<S: Survey>(name: &str) -> CheckId {
    #[expect(clippy::unwrap_used, reason = "the names are literals that a unit test of each gate parses")]
    CheckId::new(S::NAME, name).unwrap()
}

/// Plain data is always JSON; what is not would be noticed by the first test that reads it back.
fn written(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Unreadable> {
    T::deserialize(value)
}
