//! Reads JUnit reports, in the dialects that test runners write. No two agree: suites stand in `testsuites` or alone,
//! side by side or inside one another; a case that did not run has an element, or only a word, for it.

use std::{fs::Metadata, os::unix::fs::MetadataExt, path::Path, time::SystemTime};

use roxmltree::{Document, Node};

use crate::facts::{CaseFacts, CaseOutcome};

/// How large a report may be.
const MAX_REPORT: u64 = 32 * 1024 * 1024;
/// What `status` and `result` say, in `GoogleTest` and `CTest`, of a case that did not run and has no element for it.
const NOT_RUN: [&str; 5] = ["notrun", "disabled", "skipped", "suppressed", "pending"];
/// The same, of one that failed.
const FAILED: [&str; 4] = ["fail", "failed", "error", "broken"];

/// How a report was before a command that should write it, to tell what that command wrote from what it found.
pub(crate) struct Before(Option<Stamp>);

type Stamp = (SystemTime, u64, u64);

impl Before {
    /// Takes down how it is now.
    pub(crate) fn of(path: &Path) -> Self {
        Self(std::fs::metadata(path).ok().and_then(|meta| stamp(&meta)))
    }
}

/// What changes when a file is written again: a clock may stand still between two writings, or jump back.
fn stamp(meta: &Metadata) -> Option<Stamp> {
    Some((meta.modified().ok()?, meta.len(), meta.ino()))
}

/// What a report holds.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Report {
    /// The cases, those of suites inside suites too.
    pub(crate) cases: Vec<CaseFacts>,
    /// A failure that it tells of and that is no case's: of a file that could not be loaded, or of a set-up.
    pub(crate) untold: Option<String>,
}

/// Reads the report at `path`.
///
/// # Errors
/// When it is not there, is no JUnit report, or is as it was `before`.
pub(crate) fn read(path: &Path, before: Option<&Before>) -> Result<Report, String> {
    let shown = path.display();
    let about = |error: std::io::Error| format!("the report `{shown}` could not be read: {error}");
    let meta = std::fs::metadata(path).map_err(about)?;
    if meta.len() > MAX_REPORT {
        return Err(format!("the report `{shown}` is larger than 32 MiB"));
    }
    if before.is_some_and(|before| before.0.is_some() && before.0 == stamp(&meta)) {
        return Err(format!("the report `{shown}` was not written by this run: it is an older one"));
    }
    let text = std::fs::read_to_string(path).map_err(about)?;
    parse(&text).map_err(|error| format!("the report `{shown}` is no JUnit report: {error}"))
}

fn parse(text: &str) -> Result<Report, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = Document::parse(text).map_err(|error| error.to_string())?;
    let root = document.root_element();
    if !["testsuites", "testsuite"].contains(&root.tag_name().name()) {
        return Err(format!("it begins with `<{}>`, not with `<testsuites>`", root.tag_name().name()));
    }
    let cases: Vec<CaseFacts> = elements(root, "testcase").map(case).collect::<Result<_, _>>()?;
    let mut untold = None;
    if cases.iter().all(|case| case.outcome != CaseOutcome::Failed) {
        untold = elements(root, "testsuites").chain(elements(root, "testsuite")).find_map(failure_of_suite);
    }
    Ok(Report { cases, untold })
}

fn elements<'a, 'input>(root: Node<'a, 'input>, name: &str) -> impl Iterator<Item = Node<'a, 'input>> {
    root.descendants().filter(move |node| node.is_element() && node.tag_name().name() == name)
}

fn children<'a, 'input>(node: Node<'a, 'input>, names: [&str; 2]) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.is_element() && names.contains(&child.tag_name().name()))
}

/// What a suite says of a failure, beside its cases.
fn failure_of_suite(suite: Node<'_, '_>) -> Option<String> {
    let name = suite.attribute("name").map(|name| format!(" for `{name}`")).unwrap_or_default();
    if let Some(failure) = children(suite, ["failure", "error"]).next() {
        return Some(format!("its report has a failure{name}, `{}`", message(failure)));
    }
    ["failures", "errors"].into_iter().find_map(|what| {
        let count = suite.attribute(what)?.trim().parse::<u64>().ok().filter(|count| *count > 0)?;
        Some(format!("its report counts {count} {what}{name}"))
    })
}

fn case(node: Node<'_, '_>) -> Result<CaseFacts, String> {
    let class = node.attribute("classname").or_else(|| node.attribute("class"));
    let name = node.attribute("name").or(class).ok_or("a `<testcase>` without a name")?;
    let says = |words: &[&str]| {
        let attributes = ["status", "result"].into_iter().filter_map(|name| node.attribute(name));
        attributes.map(str::to_ascii_lowercase).any(|value| words.contains(&value.as_str()))
    };
    let failures: Vec<String> = children(node, ["failure", "error"]).map(message).collect();
    let skipped = children(node, ["skipped", "disabled"]).next();
    let (outcome, message) = if !failures.is_empty() || says(&FAILED) {
        (CaseOutcome::Failed, failures.join("; "))
    } else if skipped.is_some() || says(&NOT_RUN) {
        (CaseOutcome::Skipped, skipped.map(message).unwrap_or_default())
    } else {
        (CaseOutcome::Passed, String::new())
    };
    // Some write `1,234.5`. What is no time is no reason to lose a report.
    let seconds = node.attribute("time").and_then(|time| time.replace(',', "").trim().parse::<f64>().ok());
    Ok(CaseFacts {
        name: name.to_owned(),
        class: class.map(str::to_owned),
        outcome,
        message,
        duration_ms: seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0).unwrap_or_default() * 1000.0,
    })
}

/// What an element says: its message, and its text where that says more.
fn message(node: Node<'_, '_>) -> String {
    let message = node.attribute("message").unwrap_or_default().trim();
    let text: String = node.descendants().filter(Node::is_text).filter_map(|part| part.text()).collect();
    match (message, text.trim()) {
        (message, "") => message.to_owned(),
        (message, text) if text.starts_with(message) => text.to_owned(),
        (message, text) => format!("{message}: {text}"),
    }
}

#[cfg(test)]
mod tests;
