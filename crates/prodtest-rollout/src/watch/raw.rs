//! An object as it came, whatever its shape: one that is of another must not spoil the list that it is in.

use std::borrow::Cow;

use prodtest_kube::kube::{
    Resource,
    api::Log,
    core::{ApiResource, DynamicResourceScope, ObjectMeta},
};
use serde::Deserialize;
use serde_json::Value;

/// The JSON, and metadata that nobody asks for: the library needs them only to write.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Value")]
pub(super) struct Raw(pub(super) Value, ObjectMeta);

impl From<Value> for Raw {
    fn from(value: Value) -> Self {
        Self(value, ObjectMeta::default())
    }
}

impl Log for Raw {}

impl Raw {
    /// Takes the object's version for that of the watch, if it has one.
    pub(super) fn follow(&self, version: &mut Option<String>) {
        if let Some(own) = self.0["metadata"]["resourceVersion"].as_str().filter(|own| !own.is_empty()) {
            *version = Some(own.to_owned());
        }
    }
}

impl Resource for Raw {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        resource.api_version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.1
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.1
    }
}
