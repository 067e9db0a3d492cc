//! `{{ name }}` in scenario texts.
//!
//! Substitution and nothing more: no filters, no expressions. What a scenario computes would be a program, and a
//! program in YAML is nobody's friend.

use std::collections::BTreeMap;

/// The variables of a scenario: what the run gives and what steps captured.
pub(crate) type Vars = BTreeMap<String, String>;

/// A variable that has no value (yet).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing(pub(crate) String);

/// One piece of a text.
enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// Splits a text into what is kept and the names to be replaced. Braces that do not close are kept as they are.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, tail)) = after.split_once("}}") else { break };
        pieces.push(Piece::Text(before));
        pieces.push(Piece::Name(name.trim()));
        rest = tail;
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// Replaces every `{{ name }}`.
///
/// # Errors
/// With the first name that has no value.
pub(crate) fn render(text: &str, vars: &Vars) -> Result<String, Missing> {
    let mut rendered = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => rendered.push_str(text),
            Piece::Name(name) => rendered.push_str(vars.get(name).ok_or_else(|| Missing(name.to_owned()))?),
        }
    }
    Ok(rendered)
}

/// The same for every text inside a JSON value.
pub(crate) fn render_json(value: &serde_json::Value, vars: &Vars) -> Result<serde_json::Value, Missing> {
    use serde_json::Value;
    Ok(match value {
        Value::String(text) => Value::String(render(text, vars)?),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| render_json(item, vars)).collect::<Result<_, _>>()?)
        }
        Value::Object(map) => Value::Object(
            map.iter().map(|(key, item)| Ok((key.clone(), render_json(item, vars)?))).collect::<Result<_, _>>()?,
        ),
        other => other.clone(),
    })
}

/// The names in a text.
pub(crate) fn names(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).into_iter().filter_map(|piece| match piece {
        Piece::Name(name) => Some(name),
        Piece::Text(_) => None,
    })
}

/// The names in every text inside a JSON value.
pub(crate) fn names_json(value: &serde_json::Value) -> Vec<&str> {
    use serde_json::Value;
    match value {
        Value::String(text) => names(text).collect(),
        Value::Array(items) => items.iter().flat_map(names_json).collect(),
        Value::Object(map) => map.values().flat_map(names_json).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_and_missing_ones_named() {
        let vars = Vars::from([("id".to_owned(), "a7".to_owned())]);
        assert_eq!(render("/agents/{{ id }}/{{id}}", &vars).unwrap(), "/agents/a7/a7");
        assert_eq!(render("{{ other }}", &vars), Err(Missing("other".to_owned())));
        assert_eq!(render("a {{ b", &vars).unwrap(), "a {{ b", "an open brace is only text");
        assert_eq!(names("{{ a }}-{{b}}").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_value_is_not_rendered_again() {
        // A captured value comes from the service: it must not reach other variables.
        let vars = Vars::from([("id".to_owned(), "{{ secret }}".to_owned()), ("secret".to_owned(), "x".to_owned())]);
        assert_eq!(render("{{ id }}", &vars).unwrap(), "{{ secret }}");
    }
}
