//! Holds an answer against what was expected of it. Pure.

use prodtest_config::Located;
use prodtest_gate::{Place, Quantity};
use prodtest_http::{Exchange, FailureKind, Response};
use serde_json::Value;
use serde_json_path::JsonPath;

use crate::{
    expect::{Expect, Kind, Matcher, Operations},
    template::{Missing, Vars, render, render_json},
};

/// How much of a body a message shows.
const EXCERPT: usize = 200;

/// How long a value may be to stand in the middle of a message.
const SHORT: usize = 40;

/// One thing that was expected and is not so.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unmet {
    /// The rule of the finding.
    pub(crate) rule: &'static str,
    /// Which header or query, if the rule has several.
    pub(crate) subject: String,
    /// What is wrong in a few words, for a line that must stand alone: `answered 500, not 200`.
    pub(crate) gist: String,
    /// What was expected.
    pub(crate) expected: String,
    /// What was seen.
    pub(crate) seen: String,
    /// Why it is thought to be so.
    pub(crate) because: Option<String>,
    /// Where the expectation is written.
    pub(crate) place: Option<Place>,
    /// Whether nothing at all came back: if it never did in the whole run, nothing was measured.
    pub(crate) no_answer: bool,
    /// Whether the cause is on this side, so that it says nothing of the service.
    pub(crate) ours: bool,
}

impl Unmet {
    pub(crate) fn new(
        rule: &'static str,
        gist: impl Into<String>,
        expected: impl Into<String>,
        seen: impl Into<String>,
    ) -> Self {
        Self {
            rule,
            subject: String::new(),
            gist: gist.into(),
            expected: expected.into(),
            seen: seen.into(),
            because: None,
            place: None,
            no_answer: false,
            ours: false,
        }
    }

    fn about(mut self, subject: &str) -> Self {
        subject.clone_into(&mut self.subject);
        self
    }

    fn at(mut self, place: &Place) -> Self {
        self.place = Some(place.clone());
        self
    }
}

/// Everything expected that is not so; empty when all is well.
///
/// A failed transport and a wrong status are told alone: what the body of a wrong answer holds is noise.
///
/// # Errors
/// When an expectation needs a variable that has no value.
pub(crate) fn unmet(expect: &Expect, exchange: &Exchange, vars: &Vars) -> Result<Vec<Unmet>, Missing> {
    if let Some(transport) = transport(expect, exchange) {
        return Ok(vec![transport]);
    }
    let Some(response) = &exchange.response else {
        return Ok(vec![Unmet { no_answer: true, ..Unmet::new("transport", "no answer", "an answer", "none") }]);
    };
    if let Some(status) = status(expect, response) {
        return Ok(vec![status]);
    }
    let mut unmet = Vec::new();
    unmet.extend(within(expect, exchange));
    for (name, matcher) in expect.headers.iter() {
        unmet.extend(header(name, matcher, response, vars)?);
    }
    unmet.extend(json(expect, response, vars)?);
    if let Some(matcher) = &expect.body {
        let operations = rendered(&matcher.value.0, vars)?;
        let body = Value::String(response.body.text.clone());
        if let Some((expected, _)) = mismatch(&operations, &[&body]) {
            unmet.push(
                Unmet::new("body", "the body is not as expected", expected, excerpt(&response.body.text))
                    .at(&matcher.place),
            );
        }
    }
    Ok(unmet)
}

fn transport(expect: &Expect, exchange: &Exchange) -> Option<Unmet> {
    let failure = exchange.failure.as_ref()?;
    let mut unmet = Unmet::new("transport", failure.kind.word(), "a whole answer", failure.message.clone());
    unmet.no_answer = !exchange.answered();
    unmet.ours = failure.kind.is_ours();
    if let Some(response) = &exchange.response {
        unmet.seen = format!("{}, and then {}", response.status, failure.message);
    }
    unmet.because = because(failure.kind).map(str::to_owned);
    unmet.place = expect.status.as_ref().map(|status| status.place.clone());
    Some(unmet)
}

fn because(kind: FailureKind) -> Option<&'static str> {
    Some(match kind {
        FailureKind::Refused => "nothing listens there: the service is down, or the address is wrong",
        FailureKind::Resolve => "the host name is not known here: a typo in `url`, or DNS",
        FailureKind::TimeoutConnect | FailureKind::Unreachable => {
            "no connection came about: a firewall or network policy, or the address is wrong"
        }
        FailureKind::Timeout => "the connection stood and the service stayed silent: it hangs, or is overloaded",
        FailureKind::Reset | FailureKind::Closed | FailureKind::Incomplete => {
            "the service, or a proxy before it, dropped the connection: a crash or a restart does that"
        }
        FailureKind::Tls => "the two ends do not agree on TLS, or the certificate is refused",
        _ => return None,
    })
}

fn status(expect: &Expect, response: &Response) -> Option<Unmet> {
    let wanted = expect.status();
    if wanted.contains(response.status) {
        return None;
    }
    let header = |name: &str| header_value(response, name);
    let location = header("location").filter(|_| (300..400).contains(&response.status));
    let seen = match &location {
        Some(location) => format!("{}, to `{}`", response.status, excerpt(location)),
        None if response.body.text.trim().is_empty() => response.status.to_string(),
        None => format!("{}, `{}`", response.status, excerpt(&response.body.text)),
    };
    let gist = format!("answered {}, not {wanted}", response.status);
    let mut unmet = Unmet::new("status", gist, format!("status {wanted}"), seen);
    unmet.because = match response.status {
        300..=399 => Some("redirects are not followed: what answers there is not this API (a login page?)".to_owned()),
        401 | 403 if wanted.contains(200) => Some("the key was not accepted".to_owned()),
        429 => Some("the rate limit of the service was hit".to_owned()),
        502..=504 => Some("a proxy answered in place of the service, which it could not reach".to_owned()),
        _ => None,
    };
    unmet.place = expect.status.as_ref().map(|status| status.place.clone());
    Some(unmet)
}

fn within(expect: &Expect, exchange: &Exchange) -> Option<Unmet> {
    let limit = expect.within.as_ref()?;
    let limit_ms = limit.value.0.as_secs_f64() * 1000.0;
    (exchange.duration_ms > limit_ms).then(|| {
        let seen = Quantity::milliseconds(exchange.duration_ms).to_string();
        let gist = format!("it took {seen}, more than {}", limit.value);
        Unmet::new("within", gist, format!("an answer within {}", limit.value), seen).at(&limit.place)
    })
}

/// The values of a header, joined as HTTP allows.
pub(crate) fn header_value(response: &Response, name: &str) -> Option<String> {
    let values: Vec<&str> = response
        .headers
        .iter()
        .filter(|(header, _)| header.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
        .collect();
    (!values.is_empty()).then(|| values.join(", "))
}

fn header(name: &str, matcher: &Located<Matcher>, response: &Response, vars: &Vars) -> Result<Option<Unmet>, Missing> {
    let operations = rendered(&matcher.value.0, vars)?;
    let value = header_value(response, name).map(Value::String);
    let values: Vec<&Value> = value.iter().collect();
    Ok(mismatch(&operations, &values).map(|(expected, seen)| {
        Unmet::new(
            "header",
            format!("the header `{name}` is not as expected"),
            format!("header `{name}` {expected}"),
            seen,
        )
        .about(name)
        .at(&matcher.place)
    }))
}

fn json(expect: &Expect, response: &Response, vars: &Vars) -> Result<Vec<Unmet>, Missing> {
    let Some((_, first)) = expect.json.iter().next() else { return Ok(Vec::new()) };
    let document = match document(response) {
        Ok(document) => document,
        Err(seen) => {
            let mut unmet = Unmet::new("json", "the body is not JSON", "a JSON body", seen).at(&first.place);
            let html = header_value(response, "content-type").is_some_and(|kind| kind.contains("html"));
            unmet.because =
                html.then(|| "a web page answered in place of the API: a login or an error page".to_owned());
            return Ok(vec![unmet]);
        }
    };
    let mut unmet = Vec::new();
    for (query, matcher) in expect.json.iter() {
        let operations = rendered(&matcher.value.0, vars)?;
        let rendered_query = render(query, vars)?;
        let found = match select(&rendered_query, &document) {
            Ok(found) => mismatch(&operations, &found).map(|(expected, seen)| (format!("`{query}` {expected}"), seen)),
            Err(error) => Some((format!("`{query}` as a JSONPath query"), error)),
        };
        if let Some((expected, seen)) = found {
            unmet.push(Unmet::new("json", gist(query, &seen), expected, seen).about(query).at(&matcher.place));
        }
    }
    Ok(unmet)
}

/// A value in a few words; one that is long is left to `seen`.
fn gist(query: &str, seen: &str) -> String {
    if seen.len() <= SHORT { format!("`{query}` is {seen}") } else { format!("`{query}` is not as expected") }
}

/// The body as JSON, or what it is instead.
pub(crate) fn document(response: &Response) -> Result<Value, String> {
    let body = &response.body;
    serde_json::from_str(&body.text).map_err(|error| {
        let kind = header_value(response, "content-type").unwrap_or_else(|| "no content type".to_owned());
        if body.text.trim().is_empty() {
            format!("an empty body ({kind})")
        } else {
            format!("{} of {kind} that is not JSON ({error}): `{}`", bytes(body.bytes), excerpt(&body.text))
        }
    })
}

/// The values that a query selects.
pub(crate) fn select<'a>(query: &str, document: &'a Value) -> Result<Vec<&'a Value>, String> {
    let path = JsonPath::parse(query).map_err(|error| error.to_string())?;
    Ok(path.query(document).all())
}

#[expect(clippy::cast_precision_loss, reason = "shown, not computed with")]
fn bytes(count: u64) -> String {
    Quantity::Number { number: count as f64, unit: prodtest_gate::Unit::Bytes }.to_string()
}

fn rendered(operations: &Operations, vars: &Vars) -> Result<Operations, Missing> {
    let value = |value: &Option<Value>| value.as_ref().map(|value| render_json(value, vars)).transpose();
    Ok(Operations {
        equals: value(&operations.equals)?,
        not: value(&operations.not)?,
        contains: value(&operations.contains)?,
        one_of: operations
            .one_of
            .as_ref()
            .map(|values| values.iter().map(|value| render_json(value, vars)).collect())
            .transpose()?,
        matches: operations.matches.as_ref().map(|pattern| render(pattern, vars)).transpose()?,
        ..operations.clone()
    })
}

/// The first operation that does not hold, as what was expected and what was seen.
fn mismatch(operations: &Operations, values: &[&Value]) -> Option<(String, String)> {
    if let Some(count) = operations.count
        && values.len() != count
    {
        return Some((format!("selects {count}"), values.len().to_string()));
    }
    match operations.exists {
        Some(false) => return values.first().map(|value| ("is not there".to_owned(), shown(value))),
        Some(true) if values.is_empty() => return Some(("is there".to_owned(), "nothing".to_owned())),
        _ => {}
    }
    let (expected, holds) = describe(operations);
    if expected.is_empty() {
        return None;
    }
    if values.is_empty() {
        return Some((expected.join(" and "), "nothing there".to_owned()));
    }
    values
        .iter()
        .find(|value| !holds.iter().all(|holds| holds(value)))
        .map(|value| (expected.join(" and "), shown(value)))
}

type Holds<'a> = Box<dyn Fn(&Value) -> bool + 'a>;

/// Each operation on a value in words, and as a test.
fn describe(operations: &Operations) -> (Vec<String>, Vec<Holds<'_>>) {
    let mut words = Vec::new();
    let mut tests: Vec<Holds<'_>> = Vec::new();
    let mut add = |word: String, test: Holds<'static>| {
        words.push(word);
        tests.push(test);
    };
    if let Some(wanted) = operations.equals.clone() {
        add(format!("is {}", shown(&wanted)), Box::new(move |value| same(value, &wanted)));
    }
    if let Some(unwanted) = operations.not.clone() {
        add(format!("is not {}", shown(&unwanted)), Box::new(move |value| !same(value, &unwanted)));
    }
    if let Some(wanted) = operations.one_of.clone() {
        let list = wanted.iter().map(shown).collect::<Vec<_>>().join(", ");
        add(format!("is one of {list}"), Box::new(move |value| wanted.iter().any(|wanted| same(value, wanted))));
    }
    if let Some(part) = operations.contains.clone() {
        add(format!("contains {}", shown(&part)), Box::new(move |value| contains(value, &part)));
    }
    if let Some(pattern) = operations.matches.clone() {
        // The loader refuses what is no regular expression; one that a variable made so matches nothing.
        let regex = regex::Regex::new(&pattern).ok();
        let matches =
            move |value: &Value| regex.as_ref().zip(value.as_str()).is_some_and(|(regex, text)| regex.is_match(text));
        add(format!("matches `{pattern}`"), Box::new(matches));
    }
    if let Some(kind) = operations.kind {
        add(format!("is of type {}", kind_word(kind)), Box::new(move |value| kind_of(value) == kind));
    }
    if let Some(min) = operations.min {
        add(format!("is at least {min}"), Box::new(move |value| value.as_f64().is_some_and(|number| number >= min)));
    }
    if let Some(max) = operations.max {
        add(format!("is at most {max}"), Box::new(move |value| value.as_f64().is_some_and(|number| number <= max)));
    }
    (words, tests)
}

/// Equal as JSON: `1` and `1.0` are the same number.
fn same(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => value == wanted,
    }
}

fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        (Value::Array(items), part) => items.iter().any(|item| same(item, part)),
        _ => false,
    }
}

const fn kind_of(value: &Value) -> Kind {
    match value {
        Value::Null => Kind::Null,
        Value::Bool(_) => Kind::Boolean,
        Value::Number(_) => Kind::Number,
        Value::String(_) => Kind::String,
        Value::Array(_) => Kind::Array,
        Value::Object(_) => Kind::Object,
    }
}

const fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::String => "string",
        Kind::Number => "number",
        Kind::Boolean => "boolean",
        Kind::Array => "array",
        Kind::Object => "object",
        Kind::Null => "null",
    }
}

fn shown(value: &Value) -> String {
    format!("`{}`", excerpt(&value.to_string()))
}

/// The beginning of a text, on one line.
pub(crate) fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(EXCERPT) {
        None => line,
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}

#[cfg(test)]
mod tests;
