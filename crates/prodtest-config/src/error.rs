//! What is wrong with a configuration, where, and what to do about it.

use std::{fmt, sync::Arc};

use prodtest_gate::Place;
use serde::de;

use crate::{
    Source,
    nearest::{listed, nearest, shortened},
    secret,
};

/// Parts a message from its hint where only one text can be carried: in `serde::de::Error::custom`.
const HINT: &str = "\nhint: ";

/// Something in a file of the user's that cannot be used.
///
/// `Display` is one line, `prodtest.yaml:12:3: unknown key`; [`ConfigError::render`] shows the line and the hint.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0)]
pub struct ConfigError(Box<Details>);

#[derive(Debug, Default)]
pub(crate) struct Details {
    pub(crate) message: String,
    pub(crate) place: Option<Place>,
    pub(crate) hint: Option<String>,
    pub(crate) notes: Vec<String>,
    pub(crate) related: Vec<(Place, String)>,
    pub(crate) sources: Vec<Arc<Source>>,
    /// Whether the line may hold a secret: it is never shown.
    pub(crate) hidden: bool,
}

impl fmt::Display for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl ConfigError {
    /// An error that says this: one line, lower case, no full stop, back-ticks round literals.
    ///
    /// What it repeats of a file may hold anything, so control characters become spaces.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        let message = message.into().replace(char::is_control, " ");
        Self(Box::new(Details { message, ..Details::default() }))
    }

    /// Adds where it is.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.0.place = Some(place);
        self
    }

    /// Adds the exact thing to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a remark.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.0.notes.push(note.into());
        self
    }

    /// Adds another place that has to do with it, and what is there.
    #[must_use]
    pub fn with_related(mut self, place: Place, what: impl Into<String>) -> Self {
        self.0.related.push((place, what.into()));
        self
    }

    /// Adds a text that its places may be in, so that [`Self::render`] can show the lines.
    #[must_use]
    pub fn with_source(mut self, source: &Arc<Source>) -> Self {
        if !self.0.hidden && !self.0.sources.iter().any(|known| known.label() == source.label()) {
            self.0.sources.push(Arc::clone(source));
        }
        self
    }

    /// Keeps its line out of every report.
    #[must_use]
    pub(crate) fn hidden(mut self) -> Self {
        self.0.hidden = true;
        self.0.sources.clear();
        self
    }

    /// The same, where it has no place yet: the innermost value that was being read knows best.
    #[must_use]
    pub(crate) fn or_at(self, place: impl FnOnce() -> Place, source: &Arc<Source>) -> Self {
        match &self.0.place {
            Some(_) => self,
            None if secret::is_about_reference(&self.0.message) => self.at(place()).hidden(),
            None => self.at(place()).with_source(source),
        }
    }

    /// What is wrong, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The message, the line it is about, underlined, and the hint. Secrets in addresses are masked.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        crate::render::report(&self.0, color)
    }

    /// Says that `word` is none of the `known` ones, and which is nearest. `what` is the kind of word, `scenario`.
    #[must_use]
    pub fn unknown(what: &str, word: &str, known: &[&str]) -> Self {
        let error = Self::new(format!("unknown {what} `{word}`"));
        match (nearest(word, known.iter().copied()), known.is_empty()) {
            (Some(near), _) => {
                error.with_hint(format!("did you mean `{near}`?")).with_note(format!("known here: {}", listed(known)))
            }
            (None, false) => error.with_hint(format!("known here: {}", listed(known))),
            (None, true) => error.with_hint("take it out"),
        }
    }
}

/// How a `Deserialize` says what it misses. A custom message may hold a line `hint: …` after its own.
impl de::Error for ConfigError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let text = message.to_string();
        match text.split_once(HINT) {
            Some((message, hint)) => Self::new(message).with_hint(hint),
            None => Self::new(text),
        }
    }

    fn invalid_type(seen: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format!("expected {expected}, seen {}", Seen(seen)))
    }

    fn invalid_value(seen: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(seen, expected)
    }

    fn invalid_length(length: usize, expected: &dyn de::Expected) -> Self {
        Self::new(format!("expected {expected}, seen {length}"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::unknown("word", variant, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::unknown("key", field, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("missing key `{field}`"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("the key `{field}` is written twice"))
    }
}

/// What was seen, in the words of YAML rather than of Rust.
struct Seen<'a>(de::Unexpected<'a>);

impl fmt::Display for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            de::Unexpected::Bool(value) => write!(f, "`{value}`"),
            de::Unexpected::Unsigned(value) => write!(f, "the number `{value}`"),
            de::Unexpected::Signed(value) => write!(f, "the number `{value}`"),
            de::Unexpected::Float(value) => write!(f, "the number `{value}`"),
            de::Unexpected::Str(text) => write!(f, "the text `{}`", shortened(text)),
            de::Unexpected::Unit | de::Unexpected::Option => f.write_str("nothing"),
            de::Unexpected::Seq => f.write_str("a list"),
            de::Unexpected::Map => f.write_str("a map"),
            other => write!(f, "{other}"),
        }
    }
}
