//! Reads a [`Node`] as any type that can be deserialised, with the place in every error.
//!
//! Stricter than YAML's own readers, and just as strict as the JSON Schema that editors use: a number is no text, a
//! text is no number, `yes` is no boolean. Each error gets the place of the innermost value that was being read.

mod access;
mod enums;
mod fields;

use serde::{
    Deserializer,
    de::{Error as _, IntoDeserializer, Visitor},
};

use crate::{
    ConfigError,
    node::{Kind, Node},
    path::is_url,
    secret,
};
use access::{Entries, Items};
pub(crate) use fields::fields_of;

/// The name by which [`crate::Located`] asks for the place too.
pub(crate) const LOCATED: &str = "__prodtest_located";
/// The name by which [`crate::FilePath`] asks for the path as seen from the working folder.
pub(crate) const FILE_PATH: &str = "__prodtest_file_path";
/// The name by which [`crate::FileOrUrl`] asks for the same, unless it is a URL.
pub(crate) const FILE_OR_URL: &str = "__prodtest_file_or_url";

impl Node {
    fn expected(&self, what: &str) -> ConfigError {
        self.error(format!("expected {what}, seen {}", self.seen()))
    }

    /// Gives an error without a place this one. In place of a section that is not there, it says so.
    fn located(&self, error: ConfigError) -> ConfigError {
        match &self.absent {
            Some(section) if error.place().is_none() => {
                let message = format!("{}: there is no section `{section}`", error.message());
                self.error(message).with_hint(format!("add `{section}:` to the file"))
            }
            _ => error.or_at(|| self.place(), &self.source),
        }
    }

    /// The whole number, if it is one and lies in the range.
    fn whole(&self, min: i128, max: i128) -> Result<i128, ConfigError> {
        match &self.kind {
            Kind::Whole(value, _) if (min..=max).contains(value) => Ok(*value),
            _ if max <= u32::MAX.into() => Err(self.expected(&format!("a whole number from {min} to {max}"))),
            _ if min == 0 => Err(self.expected("a whole number that is not negative")),
            _ => Err(self.expected("a whole number")),
        }
    }

    fn visit_whole<'de, V: Visitor<'de>>(&self, value: i128, visitor: V) -> Result<V::Value, ConfigError> {
        let visited = match (u64::try_from(value), i64::try_from(value)) {
            (Ok(value), _) => visitor.visit_u64(value),
            (_, Ok(value)) => visitor.visit_i64(value),
            _ => visitor.visit_i128(value),
        };
        visited.map_err(|error| self.located(error))
    }

    fn text(&self) -> Result<&str, ConfigError> {
        match &self.kind {
            Kind::Text(text) => Ok(text),
            Kind::Bool(value) => Err(self.expected("a text").with_hint(format!("put it in quotes: \"{value}\""))),
            Kind::Whole(_, written) | Kind::Float(_, written) => {
                Err(self.expected("a text").with_hint(format!("put it in quotes: \"{written}\"")))
            }
            Kind::Null | Kind::List(_) | Kind::Map(_) => Err(self.expected("a text")),
        }
    }

    fn visit_items<'de, V: Visitor<'de>>(&'de self, visitor: V) -> Result<V::Value, ConfigError> {
        match &self.kind {
            Kind::List(items) => visitor.visit_seq(Items::new(items)).map_err(|error| self.located(error)),
            _ => Err(self.expected("a list")),
        }
    }

    fn visit_entries<'de, V: Visitor<'de>>(&'de self, visitor: V) -> Result<V::Value, ConfigError> {
        match &self.kind {
            Kind::Map(entries) => visitor.visit_map(Entries::new(entries)).map_err(|error| self.located(error)),
            _ => Err(self.expected("a map")),
        }
    }
}

macro_rules! whole_numbers {
    ($($method:ident $type:ty;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
            let value = self.whole(<$type>::MIN.into(), <$type>::MAX.into())?;
            self.visit_whole(value, visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = ConfigError;

    whole_numbers! {
        deserialize_i8 i8;
        deserialize_i16 i16;
        deserialize_i32 i32;
        deserialize_i64 i64;
        deserialize_u8 u8;
        deserialize_u16 u16;
        deserialize_u32 u32;
        deserialize_u64 u64;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        match &self.kind {
            Kind::Null => visitor.visit_unit().map_err(|error| self.located(error)),
            Kind::Bool(value) => visitor.visit_bool(*value).map_err(|error| self.located(error)),
            Kind::Whole(value, _) => self.visit_whole(*value, visitor),
            Kind::Float(value, _) => visitor.visit_f64(*value).map_err(|error| self.located(error)),
            Kind::Text(text) => visitor.visit_borrowed_str(text).map_err(|error| self.located(error)),
            Kind::List(_) => self.visit_items(visitor),
            Kind::Map(_) => self.visit_entries(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        match self.kind {
            Kind::Bool(value) => visitor.visit_bool(value).map_err(|error| self.located(error)),
            _ => Err(self.expected("`true` or `false`")),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        match &self.kind {
            Kind::Float(value, _) => visitor.visit_f64(*value).map_err(|error| self.located(error)),
            Kind::Whole(value, _) => self.visit_whole(*value, visitor),
            _ => Err(self.expected("a number")),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        visitor.visit_borrowed_str(self.text()?).map_err(|error| self.located(error))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        let visited = if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) };
        visited.map_err(|error| self.located(error))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        if self.is_null() { visitor.visit_unit() } else { Err(self.expected("nothing")) }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ConfigError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ConfigError> {
        if name != FILE_PATH && name != FILE_OR_URL {
            return visitor.visit_newtype_struct(self).map_err(|error| self.located(error));
        }
        let written = self.text()?;
        if written.trim().is_empty() {
            return Err(self.error("expected a path, seen an empty text"));
        }
        if name == FILE_OR_URL && is_url(written) {
            let visited: Result<_, ConfigError> = visitor.visit_newtype_struct(written.into_deserializer());
            return visited.map_err(|error| self.located(error));
        }
        let path = self.path(written);
        let text = path.to_str().ok_or_else(|| ConfigError::custom("the folder's name is not UTF-8"));
        text.and_then(|text| visitor.visit_newtype_struct(text.into_deserializer()))
            .map_err(|error: ConfigError| self.located(error))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        self.visit_items(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, ConfigError> {
        match &self.kind {
            Kind::List(items) if items.len() != length => {
                Err(self.error(format!("expected a list of {length}, seen one of {}", items.len())))
            }
            _ => self.visit_items(visitor),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, ConfigError> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        self.visit_entries(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ConfigError> {
        match name {
            LOCATED => access::visit_located(self, visitor),
            secret::NAME if !matches!(self.kind, Kind::Map(_)) => Err(secret::in_clear(self)),
            _ => self.visit_entries(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ConfigError> {
        enums::visit(self, variants, visitor).map_err(|error| self.located(error))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        visitor.visit_unit()
    }
}

#[cfg(test)]
mod tests;
