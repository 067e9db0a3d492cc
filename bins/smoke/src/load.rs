//! Reads scenario files and refuses what could not be run: before anything is asked of the service.

use std::{
    collections::{BTreeSet, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use prodtest_config::{ConfigError, Environment, FilePath, InCluster, Located, Node, SecretRef, Source};
use prodtest_gate::{CheckId, Place};

use crate::{
    expect::{Expect, Matcher},
    scenario::{HeaderValue, Scenario, ScenarioFile, Step},
    section::Suite,
    template,
};

/// The variables that every scenario has.
const GIVEN: [&str; 2] = ["run", "expected_version"];

impl Step {
    /// The variables it needs to be asked at all.
    pub(crate) fn variables(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        if let Some(request) = &self.request {
            names.extend(template::names(&request.value.path));
        }
        for (_, value) in self.headers.iter() {
            if let HeaderValue::Text(text) = &value.value {
                names.extend(template::names(text));
            }
        }
        names.extend(self.json.as_ref().map(template::names_json).unwrap_or_default());
        names.extend(self.text.as_deref().into_iter().flat_map(template::names));
        names
    }
}

/// Reads every file that the patterns name, in their order, and then `more`.
///
/// # Errors
/// When a pattern names no file, a file is no scenario file, or a scenario could not be run.
pub(crate) fn scenarios(
    patterns: &[Located<FilePath>],
    more: &[PathBuf],
    environment: &Environment,
) -> Result<Vec<Located<Scenario>>, ConfigError> {
    let mut files = Vec::new();
    for pattern in patterns {
        let named = expand(&pattern.value).map_err(|error| ConfigError::new(error).at(pattern.place.clone()))?;
        if named.is_empty() {
            let message = format!("`{}` names no file", pattern.value);
            return Err(explain(
                ConfigError::new(message)
                    .at(pattern.place.clone())
                    .with_hint("paths and globs are relative to the file that has them"),
            ));
        }
        files.extend(named);
    }
    files.extend_from_slice(more);
    let mut scenarios = Vec::new();
    for file in files {
        let file: ScenarioFile = Node::of(&Source::read(&file)?)?.read()?;
        scenarios.extend(file.scenarios);
    }
    check(&scenarios, environment).map_err(explain)?;
    Ok(scenarios)
}

/// Says of every secret in the cluster which namespace it is in.
///
/// # Errors
/// As [`placed`].
pub(crate) fn place_secrets(scenarios: &mut [Located<Scenario>], namespace: Option<&str>) -> Result<(), ConfigError> {
    let scenarios = scenarios.iter_mut().map(|scenario| &mut scenario.value);
    let steps = scenarios.flat_map(|scenario| scenario.steps.iter_mut().chain(&mut scenario.always));
    for header in steps.flat_map(|step| step.value.headers.values_mut()) {
        if let HeaderValue::Secret(secret) = &mut header.value {
            let reference = Located::new(secret.clone(), header.place.clone());
            *secret = placed(reference, namespace).map_err(explain)?.value;
        }
    }
    Ok(())
}

/// The reference; that of a Secret in the cluster with its namespace.
///
/// # Errors
/// When neither the reference nor anything else says which namespace that is.
pub(crate) fn placed(
    reference: Located<SecretRef>,
    namespace: Option<&str>,
) -> Result<Located<SecretRef>, ConfigError> {
    let reference = reference.map(|reference| reference.within(namespace));
    match &reference.value {
        SecretRef::Kubernetes(InCluster { namespace: None, .. }) => {
            let message = format!("nothing says in which namespace {} is", reference.value);
            Err(ConfigError::new(message)
                .at(reference.place)
                .with_hint("add `kubernetes: { namespace: NAME }` to the environment"))
        }
        _ => Ok(reference),
    }
}

/// Lets an error that was made from a place alone show its lines.
pub(crate) fn explain(error: ConfigError) -> ConfigError {
    let source = error.place().and_then(|place| Source::read(Path::new(&place.file)).ok());
    source.iter().fold(error, |error, source: &Arc<Source>| error.with_source(source))
}

/// The files of a pattern, by name; a path without wildcards is itself, so that a missing one is told as missing.
fn expand(pattern: &FilePath) -> Result<Vec<PathBuf>, String> {
    let text = pattern.to_string();
    if !text.contains(['*', '?', '[']) {
        return Ok(vec![pattern.0.clone()]);
    }
    let files = glob::glob(&text).map_err(|error| format!("`{text}` is not a glob: {error}"))?;
    files.collect::<Result<_, _>>().map_err(|error| format!("`{text}`: {error}"))
}

/// Refuses suites that could not be told from scenarios or from one another.
///
/// # Errors
/// When a suite's name is no name, or is taken.
pub(crate) fn suites(suites: &[Located<Suite>], scenarios: &[Located<Scenario>]) -> Result<(), ConfigError> {
    let ids: Vec<&str> = scenarios.iter().map(|scenario| scenario.value.id.value.as_str()).collect();
    let mut seen: HashSet<&str> = ids.iter().copied().collect();
    for suite in suites {
        let name = &suite.value.name;
        CheckId::new("smoke", &name.value)
            .map_err(|error| ConfigError::new(error.to_string()).at(name.place.clone()))?;
        if !seen.insert(&name.value) {
            let message = format!("a scenario or another suite is called `{}`", name.value);
            return Err(ConfigError::new(message).at(name.place.clone()).with_hint("give the suite another name"));
        }
        needs(&suite.value.needs, &ids)?;
    }
    Ok(())
}

fn needs(needs: &[Located<String>], ids: &[&str]) -> Result<(), ConfigError> {
    match needs.iter().find(|need| !ids.contains(&need.value.as_str())) {
        None => Ok(()),
        Some(need) => Err(ConfigError::unknown("scenario", &need.value, ids).at(need.place.clone())),
    }
}

fn check(scenarios: &[Located<Scenario>], environment: &Environment) -> Result<(), ConfigError> {
    let ids: Vec<&str> = scenarios.iter().map(|scenario| scenario.value.id.value.as_str()).collect();
    let mut seen = HashSet::new();
    for scenario in scenarios {
        let id = &scenario.value.id;
        CheckId::new("smoke", &id.value).map_err(|error| ConfigError::new(error.to_string()).at(id.place.clone()))?;
        if !seen.insert(id.value.as_str()) {
            return Err(ConfigError::new(format!("two scenarios are called `{}`", id.value)).at(id.place.clone()));
        }
        needs(&scenario.value.needs, &ids)?;
        if scenario.value.steps.is_empty() {
            let message = format!("the scenario `{}` has no steps", id.value);
            return Err(ConfigError::new(message).at(scenario.place.clone()));
        }
        check_steps(&scenario.value, environment)?;
    }
    Ok(())
}

fn check_steps(scenario: &Scenario, environment: &Environment) -> Result<(), ConfigError> {
    let mut known: BTreeSet<&str> = BTreeSet::from(GIVEN);
    let mut names = HashSet::new();
    for step in scenario.steps.iter().chain(&scenario.always) {
        let Located { value: step, place } = step;
        if !names.insert(step.name.as_str()) {
            return Err(ConfigError::new(format!("two steps are called `{}`", step.name)).at(place.clone()));
        }
        check_shape(step, place)?;
        if let Some(identity) = step.identity.as_ref().filter(|name| environment.identity(&name.value).is_none()) {
            let known: Vec<&str> = environment.identity_names().collect();
            return Err(ConfigError::unknown("identity", &identity.value, &known)
                .at(identity.place.clone())
                .with_note("`default` is the environment's `auth`; others are named under its `identities`"));
        }
        let end_state = step.until.as_ref().and_then(|until| until.value.stop_when.as_ref());
        let expected = || std::iter::once(&step.expect).chain(end_state);
        expected().try_for_each(check_expectation)?;
        let index = step.burst.as_ref().map(|_| "index");
        let needed = step.variables().into_iter().chain(expected().flat_map(expected_variables));
        for name in needed {
            if !known.contains(name) && index != Some(name) {
                let known: Vec<&str> = known.iter().copied().collect();
                return Err(ConfigError::unknown("variable", name, &known)
                    .at(place.clone())
                    .with_note("a step before this one captures it: `capture: { NAME: $.path }`"));
            }
        }
        for (name, capture) in step.capture.iter() {
            let taken = &capture.value;
            if taken.json.is_some() == taken.header.is_some() {
                return Err(ConfigError::new("a capture takes either `json` or `header`").at(capture.place.clone()));
            }
            if let Some(query) = &taken.json {
                check_query(query, &capture.place)?;
            }
            known.insert(name);
        }
    }
    Ok(())
}

fn check_shape(step: &Step, place: &Place) -> Result<(), ConfigError> {
    let error = |message: &str| Err(ConfigError::new(format!("step `{}`: {message}", step.name)).at(place.clone()));
    if step.request.is_some() == step.certificate.is_some() {
        return error("it is either a `request` or a `certificate`");
    }
    if step.certificate.is_some() && (step.expect != Expect::default() || step.burst.is_some() || step.until.is_some())
    {
        return error("a `certificate` takes neither `expect` nor `burst` nor `until`");
    }
    if step.json.is_some() && step.text.is_some() {
        return error("a body is either `json` or `text`");
    }
    if let Some(burst) = &step.burst {
        let only_status_and_time =
            step.expect.headers.is_empty() && step.expect.json.is_empty() && step.expect.body.is_none();
        if step.until.is_some() || !step.capture.is_empty() || !only_status_and_time {
            return error(
                "a `burst` is judged by `status` and `within` alone, and takes neither `until` nor `capture`",
            );
        }
        if !(1..=10_000).contains(&burst.value.requests) || burst.value.at_once == Some(0) {
            return error("a `burst` has 1 to 10000 requests, at least one of them at once");
        }
    }
    if let Some(until) = &step.until
        && (until.value.attempts.is_none_or(|attempts| attempts == 0) && until.value.within.is_none())
    {
        return error("`until` ends by `attempts`, by `within`, or by whichever comes first: give at least one");
    }
    Ok(())
}

fn matchers(expect: &Expect) -> impl Iterator<Item = (Option<&str>, &Located<Matcher>)> {
    let headers = expect.headers.iter().map(|(_, matcher)| (None, matcher));
    let json = expect.json.iter().map(|(query, matcher)| (Some(query), matcher));
    headers.chain(json).chain(expect.body.iter().map(|matcher| (None, matcher)))
}

fn check_expectation(expect: &Expect) -> Result<(), ConfigError> {
    for (query, matcher) in matchers(expect) {
        if let Some(query) = query {
            check_query(query, &matcher.place)?;
        }
        if let Some(pattern) = &matcher.value.0.matches
            && let Err(error) = regex::Regex::new(&with_anything(pattern))
        {
            // The library draws the pattern over several lines; the last one says what is wrong.
            let error = error.to_string();
            let why = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let message = format!("`{pattern}` is not a regular expression: {why}");
            return Err(ConfigError::new(message).at(matcher.place.clone()));
        }
    }
    Ok(())
}

/// A text with variables in it is checked with something in their place.
fn with_anything(text: &str) -> String {
    let vars = template::names(text).map(|name| (name.to_owned(), "x".to_owned())).collect();
    template::render(text, &vars).unwrap_or_default()
}

fn check_query(query: &str, place: &Place) -> Result<(), ConfigError> {
    match serde_json_path::JsonPath::parse(&with_anything(query)) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(ConfigError::new(format!("`{query}` is not a JSONPath query (RFC 9535): {error}")).at(place.clone()))
        }
    }
}

fn expected_variables(expect: &Expect) -> Vec<&str> {
    let mut names = Vec::new();
    for (query, matcher) in matchers(expect) {
        names.extend(query.into_iter().flat_map(template::names));
        let operations = &matcher.value.0;
        let values = [&operations.equals, &operations.not, &operations.contains];
        names.extend(values.into_iter().flatten().flat_map(template::names_json));
        names.extend(operations.one_of.iter().flatten().flat_map(template::names_json));
        names.extend(operations.matches.as_deref().into_iter().flat_map(template::names));
    }
    names
}

#[cfg(test)]
mod tests;
