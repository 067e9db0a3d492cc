//! Lists, maps, and values with their places.

use serde::de::{DeserializeSeed, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use crate::{ConfigError, node::Node};

/// The values of a list.
pub(super) struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> Items<'de> {
    pub(super) fn new(items: &'de [Node]) -> Self {
        Self(items.iter())
    }
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = ConfigError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ConfigError> {
        let item = self.0.next().map(|item| seed.deserialize(item).map_err(|error| item.located(error)));
        item.transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// The entries of a map.
pub(super) struct Entries<'de> {
    entries: std::slice::Iter<'de, (Node, Node)>,
    value: Option<&'de Node>,
}

impl<'de> Entries<'de> {
    pub(super) fn new(entries: &'de [(Node, Node)]) -> Self {
        Self { entries: entries.iter(), value: None }
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = ConfigError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ConfigError> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(key).map(Some).map_err(|error| key.located(error))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ConfigError> {
        let value = self.value.take().ok_or_else(|| ConfigError::custom("a value was asked for before its key"))?;
        seed.deserialize(value).map_err(|error| value.located(error))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// Shows a [`crate::Located`] the value and its place as the two fields that it also has in JSON.
pub(super) fn visit_located<'de, V: Visitor<'de>>(node: &'de Node, visitor: V) -> Result<V::Value, ConfigError> {
    visitor.visit_map(Located { node, next: Some("value") })
}

struct Located<'de> {
    node: &'de Node,
    next: Option<&'static str>,
}

impl<'de> MapAccess<'de> for Located<'de> {
    type Error = ConfigError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ConfigError> {
        self.next.map(|key| seed.deserialize(key.into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ConfigError> {
        if self.next == Some("value") {
            self.next = Some("place");
            return seed.deserialize(self.node).map_err(|error| self.node.located(error));
        }
        self.next = None;
        let place = serde_json::to_value(self.node.place()).map_err(ConfigError::custom)?;
        seed.deserialize(place).map_err(ConfigError::custom)
    }
}
