//! Judges what was seen. Pure: the same plan and facts give the same judgement.

use std::{collections::BTreeMap, fmt::Display};

use jiff::Timestamp;
use prodtest_cli::ClusterTarget;
use prodtest_config::SecretRef;
use prodtest_gate::{CheckId, Evidence, Finding, Judged, Place, Quantity, RULE_CLEANUP, Series, Unit};

use crate::{
    assert::{self, Unmet},
    certificate,
    facts::{Facts, Sample, ScenarioFacts, StepFacts, Withheld},
    plan::{self, Plan},
    scenario::{Burst, Capture, Scenario, Step, Until},
    template::{Missing, Vars},
};

/// What judging one step gives.
#[derive(Debug, Default)]
pub(crate) struct StepJudgement {
    /// Everything that is not as expected; empty when all is well.
    pub(crate) unmet: Vec<Unmet>,
    /// What was measured.
    evidence: Vec<Evidence>,
    /// What was measured many times.
    series: Vec<Series>,
}

/// Why a step could not be judged.
#[derive(Debug, PartialEq)]
pub(crate) enum NotJudged {
    /// It was not done, or not to its end.
    NotDone,
    /// A variable has no value.
    Missing(String),
}

impl From<Missing> for NotJudged {
    fn from(Missing(name): Missing) -> Self {
        Self::Missing(name)
    }
}

/// The variables that every scenario begins with.
pub(crate) fn first_vars(plan: &Plan, label: &str) -> Vars {
    let mut vars = Vars::from([("run".to_owned(), label.to_owned())]);
    if let Some(version) = &plan.expected_version {
        vars.insert("expected_version".to_owned(), version.clone());
    }
    vars
}

/// Judges one scenario by what was seen of it.
pub(crate) fn scenario(plan: &Plan, scenario: &Scenario, facts: &Facts, answered: bool) -> Judged {
    let id = plan::id(&scenario.id.value);
    if let Some(withheld) = facts.withheld(plan, scenario) {
        return without_secret(id, withheld);
    }
    let Some(seen) = facts.scenarios.iter().find(|seen| seen.id == scenario.id.value) else {
        return Judged::undetermined(id, not_done(facts));
    };
    let mut judged = Judged::by_findings(id.clone(), Vec::new());
    judged.duration_ms = seen.duration_ms;
    let mut vars = first_vars(plan, &facts.label);
    let mut problem: Option<Judged> = None;
    let mut findings = Vec::new();
    for (place, step, done) in pairs(scenario, seen) {
        match done.ok_or(NotJudged::NotDone).and_then(|done| self::step(plan, step, done, facts.now, &mut vars)) {
            Ok(mut step_judgement) => {
                judged.evidence.append(&mut step_judgement.evidence);
                judged.series.append(&mut step_judgement.series);
                let unmet = step_judgement.unmet;
                if unmet.is_empty() {
                    continue;
                }
                if let Some(ours) = unmet.iter().find(|unmet| unmet.ours) {
                    problem = Some(Judged::undetermined(
                        id.clone(),
                        format!("`{}` could not be asked: {}", step.name, ours.seen),
                    ));
                } else if !answered && let Some(silent) = unmet.iter().find(|unmet| unmet.no_answer) {
                    let reason = format!("the service never answered in this run: {}", silent.seen);
                    problem = Some(Judged::undetermined(id.clone(), reason));
                }
                let command = done.and_then(|done| curl(plan, step, done));
                findings.extend(unmet.into_iter().map(|unmet| finding(&id, step, place, unmet, command.as_deref())));
            }
            Err(NotJudged::NotDone) => problem = Some(Judged::undetermined(id.clone(), not_done(facts))),
            Err(NotJudged::Missing(name)) => problem = Some(Judged::undetermined(id.clone(), no_value(&name))),
        }
        // What comes after a step that went wrong was not done.
        break;
    }
    findings.extend(leftovers(plan, scenario, seen, facts.now, &vars));
    if let Some(problem) = problem {
        return Judged { findings, evidence: judged.evidence, duration_ms: judged.duration_ms, ..problem };
    }
    Judged {
        evidence: judged.evidence,
        series: judged.series,
        duration_ms: judged.duration_ms,
        ..Judged::by_findings(id, findings)
    }
}

/// The cluster is an instrument: that it did not give a secret says nothing of the service.
fn without_secret(id: CheckId, withheld: &Withheld) -> Judged {
    let mut finding =
        Finding::new(&id, "secret", withheld.secret.to_string(), format!("{} was not read", withheld.secret));
    finding.help.clone_from(&withheld.hint);
    Judged { findings: vec![finding], ..Judged::undetermined(id, withheld.why.clone()) }
}

fn not_done(facts: &Facts) -> String {
    facts.stopped.clone().unwrap_or_else(|| "it was not observed".to_owned())
}

fn no_value(name: &str) -> String {
    if name == "expected_version" {
        "nobody said which version was deployed: pass `--expect-version VERSION`, or set `version` of the environment"
            .to_owned()
    } else {
        format!("the variable `{name}` has no value")
    }
}

/// Each step of the plan beside what was seen of it. A step is found by its position and name, so that a record
/// replayed under other scenarios does not judge one step by another's answer.
fn pairs<'a>(
    scenario: &'a Scenario,
    seen: &'a ScenarioFacts,
) -> impl Iterator<Item = (&'a Place, &'a Step, Option<&'a StepFacts>)> {
    scenario.steps.iter().enumerate().map(|(i, step)| {
        let done = seen.steps.get(i).filter(|done| done.name == step.value.name);
        (&step.place, &step.value, done)
    })
}

/// What `always` should have taken away and did not.
fn leftovers(plan: &Plan, scenario: &Scenario, seen: &ScenarioFacts, now: Timestamp, vars: &Vars) -> Vec<Finding> {
    let id = plan::id(&scenario.id.value);
    let mut findings = Vec::new();
    for step in &scenario.always {
        let needed = step.value.variables();
        if needed.iter().any(|name| !vars.contains_key(*name)) {
            continue;
        }
        let done = seen.always.iter().find(|done| done.name == step.value.name);
        let judgement =
            done.ok_or(NotJudged::NotDone).and_then(|done| self::step(plan, &step.value, done, now, &mut vars.clone()));
        let seen = match judgement {
            Ok(judgement) => match judgement.unmet.into_iter().next() {
                None => continue,
                Some(unmet) => unmet.gist,
            },
            Err(_) => "it was not done: the run ended first".to_owned(),
        };
        let message = format!("`{}` did not clean up what the scenario made: {seen}", step.value.name);
        findings.push(
            Finding::new(&id, RULE_CLEANUP, &step.value.name, message)
                .expected(step.value.expect.status().to_string(), seen)
                .at(Some(step.place.clone()))
                .help("take it away by hand; the run's label is in what it made"),
        );
    }
    findings
}

fn finding(id: &CheckId, step: &Step, place: &Place, unmet: Unmet, command: Option<&str>) -> Finding {
    let subject = match unmet.subject.as_str() {
        "" => step.name.clone(),
        subject => format!("{}: {subject}", step.name),
    };
    let asked = step.request.as_ref().map(|request| format!(" ({})", request.value)).unwrap_or_default();
    let message = format!("`{}`{asked}: {}", step.name, unmet.gist);
    let mut finding = Finding::new(id, unmet.rule, subject, message)
        .expected(unmet.expected, unmet.seen)
        .at(Some(unmet.place.unwrap_or_else(|| place.clone())));
    finding.because = unmet.because;
    finding.command = command.map(str::to_owned);
    finding
}

/// The request as a command line. Secrets stay references: the shell fills them in.
fn curl(plan: &Plan, step: &Step, done: &StepFacts) -> Option<String> {
    let (method, url) = done.asked.split_once(' ')?;
    let mut words = vec!["curl -sS -i".to_owned()];
    if method != "GET" {
        words.push(format!("-X {method}"));
    }
    if let Some(identity) = step.identity.as_ref().and_then(|name| plan.identities.get(&name.value)) {
        words.push(format!("-H \"{}: {}\"", identity.header, in_shell(&identity.secret.value, &plan.cluster)));
    }
    if let Some((host, port)) = &plan.connect {
        words.push(format!("--connect-to ::{host}:{port}"));
    }
    if let Some(ca) = plan.ca.as_ref().filter(|_| url.starts_with("https:")) {
        words.push(format!("--cacert {}", quoted(ca.display())));
    }
    if step.json.is_some() {
        words.push("-H 'Content-Type: application/json' -d '…'".to_owned());
    }
    words.push(quoted(url));
    Some(words.join(" "))
}

/// A word as the shell reads it.
fn quoted(text: impl Display) -> String {
    format!("'{}'", text.to_string().replace('\'', r"'\''"))
}

/// A secret as the shell reads it.
fn in_shell(secret: &SecretRef, cluster: &ClusterTarget) -> String {
    match secret {
        SecretRef::Env(name) => format!("${name}"),
        SecretRef::File(path) => format!("$(cat {path})"),
        SecretRef::Kubernetes(place) => {
            let kubeconfig = cluster.kubeconfig.iter().map(|path| format!(" --kubeconfig {}", quoted(path.display())));
            let context = cluster.context.iter().map(|context| format!(" --context {}", quoted(context)));
            let namespace = place.namespace.iter().map(|namespace| format!(" -n {namespace}"));
            let which: String = kubeconfig.chain(context).chain(namespace).collect();
            let template = quoted(format!(r#"{{{{index .data "{}" | base64decode}}}}"#, place.key));
            format!("$(kubectl{which} get secret {} -o go-template={template})", place.secret)
        }
    }
}

/// Judges one step and takes what it captures into `vars`.
///
/// # Errors
/// When it was not done to its end, or a variable has no value.
pub(crate) fn step(
    plan: &Plan,
    step: &Step,
    done: &StepFacts,
    now: Timestamp,
    vars: &mut Vars,
) -> Result<StepJudgement, NotJudged> {
    if let Some(name) = &done.missing {
        return Err(NotJudged::Missing(name.clone()));
    }
    if done.unfinished {
        return Err(NotJudged::NotDone);
    }
    if let Some(expected) = &step.certificate {
        let facts = done.certificate.as_ref().ok_or(NotJudged::NotDone)?;
        let min_days = expected.min_days.unwrap_or(plan.min_days);
        let (evidence, unmet) = certificate::judge(facts, min_days, now);
        return Ok(StepJudgement { unmet, evidence, series: Vec::new() });
    }
    if let Some(declared) = &step.burst {
        return Ok(burst(step, &declared.value, done.burst.as_deref().ok_or(NotJudged::NotDone)?));
    }
    let last = done.attempts.last().ok_or(NotJudged::NotDone)?;
    let mut unmet = assert::unmet(&step.expect, &last.exchange, vars)?;
    let mut evidence = Evidence::new(&step.name, Quantity::milliseconds(last.exchange.duration_ms));
    if let Some(within) = &step.expect.within {
        evidence = evidence.limited(Quantity::milliseconds(within.value.0.as_secs_f64() * 1000.0));
    }
    let mut judgement = StepJudgement { evidence: vec![evidence], ..StepJudgement::default() };
    if let Some(until) = &step.until {
        judgement.evidence = vec![tries(step, &until.value, done)];
        if !unmet.is_empty() {
            unmet = vec![never_came(&until.value, done, unmet, vars)?];
        }
    }
    let as_expected = unmet.is_empty();
    for (name, capture) in step.capture.iter() {
        match self::capture(&capture.value, done) {
            // Taken from a wrong answer too: what it made must be cleaned up.
            Ok(value) => {
                vars.insert(name.to_owned(), value);
            }
            Err(_) if !as_expected => {}
            Err(seen) => {
                let gist = format!("there is nothing to capture as `{name}`");
                let expected = format!("a value to capture as `{name}`");
                unmet.push(Unmet {
                    subject: name.to_owned(),
                    place: Some(capture.place.clone()),
                    ..Unmet::new("capture", gist, expected, seen)
                });
            }
        }
    }
    judgement.unmet = unmet;
    Ok(judgement)
}

/// Takes one value out of the last answer of a step.
///
/// # Errors
/// With what was there instead.
pub(crate) fn capture(capture: &Capture, done: &StepFacts) -> Result<String, String> {
    let response = done.attempts.last().and_then(|last| last.exchange.response.as_ref()).ok_or("no answer")?;
    if let Some(header) = &capture.header {
        return assert::header_value(response, header).ok_or_else(|| format!("no header `{header}`"));
    }
    let query = capture.json.as_deref().unwrap_or("$");
    let document = assert::document(response)?;
    match assert::select(query, &document)?.first() {
        None => Err(format!("nothing at `{query}`")),
        Some(serde_json::Value::String(text)) => Ok(text.clone()),
        Some(value) => Ok(value.to_string()),
    }
}

fn tries(step: &Step, until: &Until, done: &StepFacts) -> Evidence {
    let count = u32::try_from(done.attempts.len()).unwrap_or(u32::MAX);
    let evidence = Evidence::new(format!("{} tries", step.name), Quantity::count(count));
    match until.attempts {
        Some(limit) => evidence.limited(Quantity::count(limit)),
        None => evidence,
    }
}

/// What to say when the last try was not as expected either.
fn never_came(until: &Until, done: &StepFacts, unmet: Vec<Unmet>, vars: &Vars) -> Result<Unmet, Missing> {
    let last = done.attempts.last();
    let ended = match (&until.stop_when, last) {
        (Some(end), Some(last)) => assert::unmet(end, &last.exchange, vars)?.is_empty(),
        _ => false,
    };
    let took = last.map_or(0.0, |last| last.at_ms + last.exchange.duration_ms)
        - done.attempts.first().map_or(0.0, |first| first.at_ms);
    let tries = match done.attempts.len() {
        1 => "1 try".to_owned(),
        n => format!("{n} tries"),
    };
    let mut unmet = unmet.into_iter().next().unwrap_or_else(|| Unmet::new("until", "no answer", "an answer", "none"));
    unmet.gist = format!("{} after {tries} in {}", unmet.gist, Quantity::milliseconds(took));
    if ended {
        unmet.rule = "end-state";
        unmet.because = Some("it is an end state (`stop-when`): waiting longer cannot help".to_owned());
    } else {
        unmet.rule = "until";
    }
    Ok(unmet)
}

fn burst(step: &Step, declared: &Burst, samples: &[Sample]) -> StepJudgement {
    let wanted = step.expect.status();
    let good =
        |sample: &Sample| sample.failure.is_none() && sample.status.is_some_and(|status| wanted.contains(status));
    let slowest = samples.iter().map(|sample| sample.duration_ms).fold(0.0, f64::max);
    let mut statuses: BTreeMap<String, usize> = BTreeMap::new();
    for sample in samples {
        let what = match (&sample.failure, sample.status) {
            (Some(failure), _) => failure.kind.to_string(),
            (None, Some(status)) => status.to_string(),
            (None, None) => "no answer".to_owned(),
        };
        *statuses.entry(what).or_default() += 1;
    }
    let histogram = statuses.iter().map(|(what, count)| format!("{count} × {what}")).collect::<Vec<_>>().join(", ");
    let within = step.expect.within.as_ref();
    let limit_ms = within.map(|within| within.value.0.as_secs_f64() * 1000.0);
    let mut slowest_evidence = Evidence::new(format!("{} slowest", step.name), Quantity::milliseconds(slowest));
    slowest_evidence.limit = limit_ms.map(Quantity::milliseconds);
    let evidence =
        vec![Evidence::new(format!("{} statuses", step.name), Quantity::Text(histogram.clone())), slowest_evidence];
    let times = samples.iter().map(|sample| sample.duration_ms).collect();
    let name = format!("{}: time of each request", step.name);
    let series = vec![Series::new(name, Unit::Milliseconds, times).limited(limit_ms)];
    let mut unmet = Vec::new();
    if samples.len() < declared.requests as usize || !samples.iter().all(good) {
        let expected = format!("{} × status {wanted}", declared.requests);
        let seen = format!("{histogram}; the slowest took {}", Quantity::milliseconds(slowest));
        let bad = samples.iter().filter(|sample| !good(sample)).count();
        let gist = format!("{bad} of {} requests went wrong", samples.len());
        let mut one = Unmet::new("burst", gist, expected, seen);
        one.place = step.expect.status.as_ref().map(|status| status.place.clone());
        one.no_answer = samples.iter().all(|sample| {
            sample.status.is_none() && sample.failure.as_ref().is_some_and(|failure| !failure.kind.answered())
        });
        unmet.push(one);
    } else if let (Some(within), Some(limit_ms)) = (within, limit_ms)
        && slowest > limit_ms
    {
        let late = samples.iter().filter(|sample| sample.duration_ms > limit_ms).count();
        let seen = format!("{late} later; the slowest took {}", Quantity::milliseconds(slowest));
        let gist = format!("{late} answers took longer than {}", within.value);
        let mut one = Unmet::new("within", gist, format!("every answer within {}", within.value), seen);
        one.place = Some(within.place.clone());
        unmet.push(one);
    }
    StepJudgement { unmet, evidence, series }
}

#[cfg(test)]
mod tests;
