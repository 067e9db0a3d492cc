//! Takes in the user's own test suites by the JUnit report that they write.

use std::collections::HashMap;

use prodtest_config::Located;
use prodtest_gate::{Check, CheckId, Finding, Judged, Progress, Redactor, Run};
use tokio::time::Instant;

use crate::{
    assert::excerpt,
    command,
    facts::{CaseFacts, CaseOutcome, Ended, Facts, SuiteFacts},
    junit::{self, Before},
    plan::{self, Plan},
    section::{CaseNames, Suite},
};

/// The check of the suite itself: that it ran, and that its report tells what its command's exit code tells.
pub(crate) fn check(suite: &Located<Suite>) -> Check {
    let Suite { name, exec, needs, requirements, .. } = &suite.value;
    let title = match exec.first() {
        Some(_) => format!("the suite `{}` ran and reported its cases", name.value),
        None => format!("the report of the suite `{}` can be read", name.value),
    };
    Check {
        needs: needs.iter().map(|need| plan::id(&need.value)).collect(),
        requirements: requirements.clone(),
        place: Some(suite.place.clone()),
        ..Check::new(plan::id(&name.value), title)
    }
}

/// A check for each case.
pub(crate) fn case_checks(suite: &Located<Suite>, facts: &SuiteFacts) -> Vec<Check> {
    let parent = check(suite);
    let cases = facts.cases.as_deref().unwrap_or_default();
    let named = cases.iter().map(|case| (case_id(&suite.value, case), case));
    named
        .map(|(id, case)| Check {
            needs: parent.needs.clone(),
            requirements: parent.requirements.clone(),
            place: parent.place.clone(),
            ..Check::new(id, &case.name)
        })
        .collect()
}

fn case_id(suite: &Suite, case: &CaseFacts) -> CheckId {
    let words = match (suite.case_names, &case.class) {
        (CaseNames::ClassAndName, Some(class)) => format!("{} {class} {}", suite.name.value, case.name),
        _ => format!("{} {}", suite.name.value, case.name),
    };
    let id = plan::id(&words);
    if words.chars().all(|c| c.is_ascii() || !c.is_alphanumeric()) {
        return id;
    }
    // An id keeps only the letters of ASCII; names in other scripts would all be one.
    let rest = Finding::new(&id, "case", &words, "").fingerprint;
    plan::id(&format!("{} {}", id.name(), &rest[..8]))
}

/// Two cases, or a case and a scenario, that would be the same check.
pub(crate) fn collision(plan: &Plan, facts: &Facts) -> Option<String> {
    let mut seen: HashMap<CheckId, String> = plan
        .scenarios
        .iter()
        .map(|planned| (plan::id(&planned.part.value.id.value), "a scenario".to_owned()))
        .chain(plan.suites.iter().map(|planned| (plan::id(&planned.part.value.name.value), "a suite".to_owned())))
        .collect();
    for planned in &plan.suites {
        let suite = &planned.part.value;
        let found = facts.suites.iter().find(|found| found.name == suite.name.value);
        for case in found.and_then(|found| found.cases.as_deref().ok()).unwrap_or_default() {
            let id = case_id(suite, case);
            let what = format!("the case `{}` of the suite `{}`", case.name, suite.name.value);
            if let Some(other) = seen.insert(id.clone(), what.clone()) {
                return Some(format!(
                    "{}: {what} and {other} would both be `{id}`; rename one, or set `case-names: class-and-name`",
                    planned.part.place
                ));
            }
        }
    }
    None
}

/// Runs the command, if there is one, and reads the report.
pub(crate) async fn observe(suite: &Suite, plan: &Plan, redactor: &Redactor, run: &Run) -> SuiteFacts {
    let id = plan::id(&suite.name.value);
    run.report(Progress::Started(id.clone()));
    let began = Instant::now();
    let path = &suite.junit.value.0;
    let (ended, output, report) = match suite.exec.split_first() {
        None => (None, String::new(), junit::read(path, None)),
        Some((program, arguments)) => {
            let before = Before::of(path);
            let (ended, output) = command::execute(program, arguments, suite, plan, run).await;
            (Some(ended), output, junit::read(path, Some(&before)))
        }
    };
    let (cases, untold) = match report {
        Ok(report) => (Ok(report.cases.into_iter().map(|case| redact(case, redactor)).collect()), report.untold),
        Err(error) => (Err(redactor.text(&error)), None),
    };
    let facts = SuiteFacts {
        name: suite.name.value.clone(),
        duration_ms: began.elapsed().as_secs_f64() * 1000.0,
        ended,
        output: redactor.text(&output),
        cases,
        untold: untold.map(|untold| redactor.text(&untold)),
    };
    let outcome = judge_suite(suite, &facts).outcome;
    run.report(Progress::Finished(id, outcome));
    facts
}

fn redact(case: CaseFacts, redactor: &Redactor) -> CaseFacts {
    CaseFacts {
        name: redactor.text(&case.name),
        class: case.class.map(|class| redactor.text(&class)),
        message: redactor.text(&case.message),
        ..case
    }
}

/// Judges the suite and each of its cases.
pub(crate) fn judge(suite: &Located<Suite>, facts: &Facts) -> Vec<Judged> {
    let Some(seen) = facts.suites.iter().find(|seen| seen.name == suite.value.name.value) else {
        let reason = facts.stopped.clone().unwrap_or_else(|| "it was not run".to_owned());
        return vec![Judged::undetermined(plan::id(&suite.value.name.value), reason)];
    };
    let cases = seen.cases.as_deref().unwrap_or_default().iter().map(|case| {
        let id = case_id(&suite.value, case);
        let judged = match case.outcome {
            CaseOutcome::Passed => Judged::by_findings(id, Vec::new()),
            CaseOutcome::Skipped if case.message.is_empty() => Judged::skipped(id, "the suite skipped it"),
            CaseOutcome::Skipped => Judged::skipped(id, &case.message),
            CaseOutcome::Failed => {
                let says = if case.message.is_empty() {
                    "it failed, and says no more".to_owned()
                } else {
                    excerpt(&case.message)
                };
                let message = format!("`{}` failed: {says}", case.name);
                let finding = Finding::new(&id, "case", &case.name, message).expected("a passing case", says);
                Judged::by_findings(id, vec![finding])
            }
        };
        Judged { duration_ms: case.duration_ms, ..judged }
    });
    std::iter::once(judge_suite(&suite.value, seen)).chain(cases).collect()
}

fn judge_suite(suite: &Suite, seen: &SuiteFacts) -> Judged {
    let id = plan::id(&suite.name.value);
    let tail = if seen.output.trim().is_empty() {
        String::new()
    } else {
        format!("; it printed: {}", last_line(&seen.output))
    };
    let judged = match (&seen.ended, &seen.cases) {
        (Some(Ended::NotStarted(reason)), _) => Judged::undetermined(id, reason),
        (Some(Ended::Killed(reason)), _) => Judged::undetermined(id, format!("its command was ended: {reason}{tail}")),
        (_, Err(reason)) => Judged::undetermined(id, format!("{reason}{tail}")),
        (_, Ok(cases)) if cases.iter().all(|case| case.outcome == CaseOutcome::Skipped) => {
            Judged::undetermined(id, format!("it reported no test that ran{tail}"))
        }
        (Some(Ended::Exit(code)), Ok(cases))
            if *code != 0 && cases.iter().all(|case| case.outcome != CaseOutcome::Failed) =>
        {
            let message = format!("its command ended with {code}, though no case of its report failed{tail}");
            let finding =
                Finding::new(&id, "exit-code", &suite.name.value, message).expected("exit code 0", code.to_string());
            Judged::by_findings(id, vec![finding])
        }
        (_, Ok(_)) => {
            let findings = seen.untold.iter().map(|untold| {
                let message = format!("{untold}, and no case that failed{tail}");
                Finding::new(&id, "untold", &suite.name.value, message).expected("a case for each failure", untold)
            });
            let findings = findings.collect();
            Judged::by_findings(id, findings)
        }
    };
    Judged { duration_ms: seen.duration_ms, ..judged }
}

fn last_line(output: &str) -> String {
    excerpt(output.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default())
}

#[cfg(test)]
mod tests;
