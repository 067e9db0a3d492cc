//! Words and externally tagged values: `word`, or `{ word: value }`.

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, VariantAccess, Visitor};

use crate::{
    ConfigError,
    nearest::listed,
    node::{Kind, Node},
};

pub(super) fn visit<'de, V: Visitor<'de>>(
    node: &'de Node,
    variants: &'static [&'static str],
    visitor: V,
) -> Result<V::Value, ConfigError> {
    match &node.kind {
        Kind::Text(_) => visitor.visit_enum(Variant { word: node, value: None }),
        Kind::Map(entries) => match entries.as_slice() {
            [(word, value)] => visitor.visit_enum(Variant { word, value: Some(value) }),
            [] => Err(node.error("expected a key, seen an empty map").with_hint(one_of(variants))),
            [_, (second, _), ..] => {
                let error = second.error(format!("expected one key, and here is a second one, `{}`", second.key()));
                Err(error.with_hint(one_of(variants)))
            }
        },
        _ => Err(node.error(format!("expected a word, seen {}", node.seen())).with_hint(one_of(variants))),
    }
}

fn one_of(variants: &[&str]) -> String {
    format!("known here: {}", listed(variants))
}

struct Variant<'de> {
    word: &'de Node,
    value: Option<&'de Node>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = ConfigError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), ConfigError> {
        let word = seed.deserialize(self.word).map_err(|error| self.word.located(error))?;
        Ok((word, self))
    }
}

impl<'de> Variant<'de> {
    fn value(&self) -> Result<&'de Node, ConfigError> {
        let word = self.word.key();
        let error = || self.word.error(format!("`{word}` needs a value"));
        self.value.ok_or_else(|| error().with_hint(format!("write `{{ {word}: … }}`")))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = ConfigError;

    fn unit_variant(self) -> Result<(), ConfigError> {
        match self.value {
            Some(value) if !value.is_null() => Err(value.error(format!("`{}` takes no value", self.word.key()))),
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ConfigError> {
        let value = self.value()?;
        seed.deserialize(value).map_err(|error| value.located(error))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, ConfigError> {
        self.value()?.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ConfigError> {
        self.value()?.deserialize_struct("", fields, visitor)
    }
}
