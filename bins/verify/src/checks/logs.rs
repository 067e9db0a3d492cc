//! `verify/logs`: since the rollout no container has logged an error, nor has the one that it replaced; and what they log can
//! be searched: JSON, with a level and a correlation id.

mod lines;
mod read;

use jiff::Timestamp;
use prodtest_cli::Refusal;
use prodtest_gate::{Check, CheckId, Control, Evidence, Finding, Judged, Limit, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{gate::Verify, live, pattern::Pattern, site::Site};
use lines::{Kept, Language, Lines};

/// At this size a kubelet begins a new file, and shows that alone (`containerLogMaxSize`).
const MAX_MIB: u32 = 10;
/// The most: all logs are in memory, one after the other.
const MOST_MIB: u32 = 100;

/// What its containers log.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// What the fields of a line are called.
    pub(crate) fields: Fields,
    /// The levels that are errors, in lower case; `error`, `fatal` and `critical` when left out. A number is one from 50 on.
    pub(crate) levels: Option<Vec<String>>,
    /// What an error has that is no JSON; a word such as `error`, `fatal` or `panic` when left out.
    pub(crate) error: Option<Pattern>,
    /// Whether lines may be something else than JSON; when left out, they may not.
    pub(crate) unstructured: bool,
    /// Whether requests may be logged without a correlation id; when left out, they may not.
    pub(crate) without_correlation_id: bool,
    /// Lines that are of no account; none when left out.
    pub(crate) ignore: Vec<Ignored>,
    /// How much of the log of each container is read, in MiB; 10 when left out, at which a kubelet begins a new file.
    #[schemars(range(min = 1, max = 100))]
    pub(crate) max_mib: Option<u32>,
}

/// What the fields of a line are called.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Fields {
    /// How much it matters; `level` when left out.
    level: Option<String>,
    /// The correlation id of what it is about; it has no default.
    correlation_id: Option<String>,
    /// A field that lines about requests alone have: each of these must have a correlation id. When left out, at least one
    /// line must.
    request: Option<String>,
}

/// A line that is of no account.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Ignored {
    /// What it has.
    r#match: Pattern,
    /// Why it is of no account.
    #[schemars(length(min = 1))]
    because: String,
}

/// The check.
pub(crate) struct Logs;

/// How it reads.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Where {
    language: Language,
    max_mib: u32,
}

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    unstructured: bool,
    without_correlation_id: bool,
    ignored: Vec<String>,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    /// When the release was rolled out: no earlier line was read. None where nobody knows.
    since: Option<Timestamp>,
    logs: Vec<LogSeen>,
    /// Why no line is quoted, where none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    withheld: Option<Unseen>,
    /// Whether the same reader saw an error in a line that is one.
    control: bool,
}

/// The log of a container.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct LogSeen {
    workload: String,
    pod: String,
    container: String,
    /// Whether it is of the one before it.
    previous: bool,
    #[serde(flatten)]
    lines: Lines,
    /// Whether there is more of it.
    cut: bool,
    /// Why it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unseen: Option<Unseen>,
}

impl Inspection<Verify> for Logs {
    const NAME: &'static str = "logs";

    type Target = Where;
    type Limits = Limits;
    type Facts = Facts;

    fn target(asked: &Asked<'_, Verify>) -> Result<Target<Where>, Refusal> {
        let section = &asked.section.logs;
        let max_mib = section.max_mib.unwrap_or(MAX_MIB).clamp(1, MOST_MIB);
        Ok(Target::At(Where { language: Language::new(section), max_mib }))
    }

    fn limits(asked: &Asked<'_, Verify>) -> Result<Limits, Refusal> {
        let section = &asked.section.logs;
        Ok(Limits {
            unstructured: section.unstructured,
            without_correlation_id: section.without_correlation_id,
            ignored: section.ignore.iter().map(|it| it.because.clone()).collect(),
        })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        let mut all = vec![Limit { name: "errors".to_owned(), value: "0".to_owned() }];
        all.extend(
            limits.ignored.iter().map(|it| Limit { name: "ignored".to_owned(), value: format!("because {it}") }),
        );
        Check {
            why: Some(
                "What a service could not do it logs, and nobody reads it; and what is not JSON, or has no correlation id, \
                 nobody finds when it is searched for."
                    .to_owned(),
            ),
            help: Some(
                "Look at `kubectl logs`, with `--previous` for a container that was replaced. What is of no account goes to \
                 `logs.ignore`, with the reason; `logs.fields` says what the fields are called."
                    .to_owned(),
            ),
            limits: all,
            requirements: vec!["FR2.3".to_owned()],
            ..Check::new(id, "no error is logged since the rollout, and lines are JSON with level and correlation id")
        }
    }

    fn rules(site: &Site, _target: &Where) -> Vec<Rule> {
        let mut rules = live::workload_rules(site);
        rules.extend(live::rollout_rules(site));
        rules.extend([live::list_rule(site, "", "pods"), read::rule(site), Rule::get_secrets(site.namespace(), [])]);
        rules
    }

    async fn observe(seeing: &Seeing<'_, Verify>, target: &Where) -> Result<Facts, Unseen> {
        read::all(seeing, target).await
    }

    fn judge(id: &CheckId, target: &Where, limits: &Limits, facts: &Facts) -> Judged {
        if facts.logs.is_empty() {
            return Judged::undetermined(id.clone(), "the release has no container that runs or ran");
        }
        let mut findings: Vec<Finding> = Vec::new();
        let mut add = |log: &LogSeen, rule: &str, kept: &Kept, what: &str, expected: &str| {
            let subject = format!("{} container {}", log.workload, log.container);
            // Pods have other names the next time: one finding for all of them.
            if kept.count == 0 || findings.iter().any(|it| it.rule == rule && it.subject == subject) {
                return;
            }
            let before = if log.previous { ", before it was replaced," } else { "" };
            let message = format!(
                "the container `{}` of the pod `{}`{before} logged {} {what}",
                log.container, log.pod, kept.count
            );
            let seen = match (&facts.withheld, kept.samples.first()) {
                (None, Some(line)) => line.clone(),
                (withheld, _) => {
                    let why = withheld.as_ref().map(|it| it.message.as_str()).unwrap_or_default();
                    format!("not quoted, for it may quote secrets: {why}")
                }
            };
            let previous = if log.previous { " --previous" } else { "" };
            let mut finding = Finding::new(id, rule, subject, message).expected(expected, seen);
            finding.command = Some(format!("kubectl logs {} --container {}{previous}", log.pod, log.container));
            findings.push(finding);
        };
        for log in &facts.logs {
            let rule = if log.previous { "error-before" } else { "error" };
            add(log, rule, &log.lines.errors, "errors", "no error since the rollout");
            if !limits.unstructured {
                add(log, "unstructured", &log.lines.unstructured, "lines that are no JSON", "JSON on each line");
            }
            add(log, "no-level", &log.lines.without_level, "lines without a level", "a level on each line");
            if !limits.without_correlation_id {
                let what = "requests without a correlation id";
                add(log, "no-correlation-id", &log.lines.without_id, what, "a correlation id for each request");
            }
        }
        let unknown = unknown(target, limits, facts);
        let evidence = evidence(facts);
        match unknown {
            Some(why) if findings.is_empty() => Judged { evidence, ..Judged::undetermined(id.clone(), why) },
            _ => Judged { evidence, ..Judged::by_findings(id.clone(), findings) },
        }
    }

    fn control(id: &CheckId, _target: &Where, facts: &Facts) -> Option<Control> {
        let detail = if facts.control { "it was noticed" } else { "it was not noticed" };
        Some(Control {
            name: "a line of the level of an error among others".to_owned(),
            tripped: facts.control,
            detail: detail.to_owned(),
            proves: vec![id.clone()],
        })
    }
}

/// What could not be told, if anything.
fn unknown(target: &Where, limits: &Limits, facts: &Facts) -> Option<String> {
    if let Some(unseen) = facts.logs.iter().find_map(|log| log.unseen.as_ref()) {
        return Some(unseen.to_string());
    }
    if let Some(log) = facts.logs.iter().find(|log| log.cut) {
        let max = target.max_mib;
        return Some(format!(
            "the container `{}` of the pod `{}` logged more than {max} MiB since the rollout, and the rest was not read\nhint: \
             raise `logs.max-mib`",
            log.container, log.pod
        ));
    }
    let sum = |of: fn(&Lines) -> u32| facts.logs.iter().map(|log| of(&log.lines)).sum::<u32>();
    if sum(|it| it.lines) == 0 {
        return Some("no container has logged anything since the rollout".to_owned());
    }
    if limits.without_correlation_id {
        return None;
    }
    if target.language.correlation_id.is_none() {
        return Some(
            "nothing says what the correlation id is called\nhint: set `logs.fields.correlation-id`, or \
             `logs.without-correlation-id: true`"
                .to_owned(),
        );
    }
    (sum(|it| it.with_id) == 0)
        .then(|| "no line of any container has a correlation id\nhint: send a request".to_owned())
}

fn evidence(facts: &Facts) -> Vec<Evidence> {
    let sum = |of: fn(&LogSeen) -> u32| Quantity::count(facts.logs.iter().map(of).sum());
    let mut evidence = vec![
        Evidence::new("errors", sum(|log| log.lines.errors.count)).limited(Quantity::count(0)),
        Evidence::new("lines", sum(|log| log.lines.lines)),
        Evidence::new("lines that are no JSON", sum(|log| log.lines.unstructured.count)),
        Evidence::new("lines with a correlation id", sum(|log| log.lines.with_id)),
        Evidence::new("lines ignored", sum(|log| log.lines.ignored)),
        Evidence::new("logs", sum(|_| 1)),
        Evidence::new("logs of containers that were replaced", sum(|log| u32::from(log.previous))),
        Evidence::new("logs that were cut", sum(|log| u32::from(log.cut))),
    ];
    evidence.extend(facts.since.map(|since| Evidence::new("since", Quantity::Text(since.to_string()))));
    evidence
}

#[cfg(test)]
mod tests;
