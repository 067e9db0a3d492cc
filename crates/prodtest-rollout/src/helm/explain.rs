//! What Helm's last words mean. Told apart only where it matters what to do.

/// Why Helm did not do what it was told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HelmProblem {
    /// The release is locked: another Helm is at it, or died when it was.
    #[error("another operation on the release is in progress, or was when its Helm died")]
    InProgress,
    /// A template cannot be rendered.
    #[error("the chart cannot be rendered: {message}")]
    Template {
        /// What Helm says of it.
        message: String,
        /// The template, as Helm calls it: `godel/templates/deployment.yaml`.
        template: Option<String>,
        /// The line in it, from 1. Of a YAML error it is a line of what was rendered, so it is left out.
        line: Option<u32>,
    },
    /// The chart's schema refuses a value.
    #[error("the chart's schema refuses the values: {0}")]
    Values(String),
    /// The cluster's API refuses an object, or whoever asks may not.
    #[error("the cluster refuses: {0}")]
    Refused(String),
    /// The cluster does not know a kind: its definition is missing.
    #[error("the cluster knows no such kind: {0}")]
    UnknownKind(String),
    /// A hook did not get done.
    #[error("a hook failed: {0}")]
    Hook(String),
    /// Helm waited for something in vain.
    #[error("it timed out: {0}")]
    Timeout(String),
    /// The cluster does not answer.
    #[error("the cluster cannot be reached: {0}")]
    Unreachable(String),
    /// There is no such release, or no such revision of it.
    #[error("there is no such release or revision: {0}")]
    NotFound(String),
    /// There is no such chart.
    #[error("the chart cannot be found: {0}")]
    NoChart(String),
    /// This Helm does not know a flag.
    #[error("this version of Helm does not do that: {0}")]
    Unsupported(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// What Helm 3 or 4 says on stderr when it fails.
#[must_use]
pub fn explain(stderr: &str) -> HelmProblem {
    // Helm 4 logs the same before, quoted.
    let said = stderr.rfind("\nError: ").map(|at| &stderr[at + 1..]).unwrap_or(stderr);
    let said = said.strip_prefix("Error: ").unwrap_or(said);
    let prefixes = ["UPGRADE FAILED: ", "INSTALLATION FAILED: "];
    let said = prefixes.iter().find_map(|prefix| said.strip_prefix(prefix)).unwrap_or(said);
    let message = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let place = place(&message);
    if has(&["another operation (install/upgrade/rollback) is in progress"]) {
        HelmProblem::InProgress
    } else if has(&["don't meet the specifications of the schema"]) {
        HelmProblem::Values(message)
    } else if has(&["ubernetes cluster unreachable", "connection refused", "no such host", "i/o timeout"]) {
        HelmProblem::Unreachable(message)
    } else if has(&["hooks failed", "failed pre-install", "failed post-install"]) {
        HelmProblem::Hook(message)
    } else if has(&["ensure CRDs are installed first", "no matches for kind"]) {
        HelmProblem::UnknownKind(message)
    } else if message.starts_with("YAML parse error on ") {
        let template = message.strip_prefix("YAML parse error on ").and_then(|rest| rest.split(": ").next());
        HelmProblem::Template { template: template.map(str::to_owned), line: None, message: message.clone() }
    } else if let Some((template, line)) = place.filter(|_| {
        has(&["execution error at (", "executing \"", "parse error", "template: "]) || message.contains(": function ")
    }) {
        HelmProblem::Template { message, template: Some(template), line: Some(line) }
    } else if has(&["timed out waiting", "context deadline exceeded"]) {
        HelmProblem::Timeout(message)
    } else if has(&["release: not found", "release has no", "has no deployed releases"]) {
        HelmProblem::NotFound(message)
    } else if has(&["unknown flag", "unknown shorthand flag", "unknown command", "invalid argument"]) {
        HelmProblem::Unsupported(message)
    } else if has(&[
        "Chart.yaml file is missing",
        "repo_name/path_to_chart",
        "path \"",
        "failed to download",
        "chart not found",
    ]) {
        HelmProblem::NoChart(message)
    } else if has(&[
        " is invalid",
        "forbidden",
        "denied the request",
        "failed to create",
        "cannot patch",
        "server-side apply failed",
        "exists and cannot be imported",
        "conflict",
        "nauthorized",
    ]) {
        HelmProblem::Refused(message)
    } else {
        HelmProblem::Other(if message.is_empty() { "it said nothing".to_owned() } else { message })
    }
}

/// The first `chart/templates/x.yaml:8:15`, or without the column.
fn place(message: &str) -> Option<(String, u32)> {
    message.split([' ', '(', ')', '"']).find_map(|word| {
        let mut parts = word.split(':');
        let template = parts.next().filter(|path| path.contains("/templates/"))?;
        Some((template.to_owned(), parts.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests;
