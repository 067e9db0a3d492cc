//! Takes in the user's own test suites by the JUnit report that they write.

use std::{
    collections::HashMap,
    process::{ExitStatus, Stdio},
    time::{Duration, SystemTime},
};

use prodtest_config::Located;
use prodtest_gate::{Check, CheckId, Finding, Judged, Progress, Redactor, Run};
use quick_junit::{Report, TestCase, TestCaseStatus};
use tokio::{io::AsyncReadExt, process::Command, time::Instant};

use crate::{
    assert::excerpt,
    facts::{CaseFacts, CaseOutcome, Ended, Facts, SuiteFacts},
    plan::{self, Plan},
    section::{CaseNames, Suite},
};

/// How long a suite's command may take when it does not say.
const TIMEOUT: Duration = Duration::from_secs(300);
/// How much of what a command printed is kept: its end.
const OUTPUT: usize = 16 * 1024;
/// How large a JUnit report may be.
const MAX_REPORT: u64 = 32 * 1024 * 1024;

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
    plan::id(&words)
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
    let started = SystemTime::now();
    let (ended, output) = match suite.exec.split_first() {
        None => (None, String::new()),
        Some((program, arguments)) => {
            let (ended, output) = execute(suite, plan, program, arguments, run).await;
            (Some(ended), output)
        }
    };
    let fresh_since = ended.is_some().then_some(started);
    let cases = read(suite, fresh_since).map(|cases| cases.into_iter().map(|case| redact(case, redactor)).collect());
    let facts = SuiteFacts {
        name: suite.name.value.clone(),
        duration_ms: began.elapsed().as_secs_f64() * 1000.0,
        ended,
        output: redactor.text(&output),
        cases,
    };
    let outcome = judge_suite(suite, &facts).outcome;
    run.report(Progress::Finished(id, outcome));
    facts
}

fn redact(case: CaseFacts, redactor: &Redactor) -> CaseFacts {
    CaseFacts { message: redactor.text(&case.message), name: redactor.text(&case.name), ..case }
}

async fn execute(suite: &Suite, plan: &Plan, program: &str, arguments: &[String], run: &Run) -> (Ended, String) {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("PRODTEST_URL", plan.url.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that what it started ends with it.
        .process_group(0)
        .kill_on_drop(true);
    if !plan.folder.as_os_str().is_empty() {
        command.current_dir(&plan.folder);
    }
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return (Ended::NotStarted(format!("`{program}` could not be started: {error}")), String::new()),
    };
    let group = child.id();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut kept = Vec::new();
    let timeout = suite.timeout.as_ref().map_or(TIMEOUT, |timeout| timeout.0);
    let ended = {
        let working = async {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let reading = async { tokio::join!(tail(stdout, &mut out), tail(stderr, &mut err)) };
            let (status, _) = tokio::join!(child.wait(), reading);
            kept.append(&mut out);
            kept.append(&mut err);
            status
        };
        match run.unless_stopped(tokio::time::timeout(timeout, working)).await {
            Ok(Ok(Ok(status))) => ended_by(status),
            Ok(Ok(Err(error))) => Ended::Killed(error.to_string()),
            Ok(Err(_)) => Ended::Killed(format!("stopped: it had not ended after {} s", timeout.as_secs_f64())),
            Err(reason) => Ended::Killed(reason.to_string()),
        }
    };
    end_group(group);
    (ended, String::from_utf8_lossy(&kept).into_owned())
}

fn ended_by(status: ExitStatus) -> Ended {
    match status.code() {
        Some(code) => Ended::Exit(code),
        None => Ended::Killed(status.to_string()),
    }
}

/// Ends whatever the command started and left behind.
fn end_group(group: Option<u32>) {
    let pid = group.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // No such group is what one hopes for.
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
}

/// Reads to the end, keeping the last part.
async fn tail(stream: Option<impl AsyncReadExt + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    while matches!(stream.read_buf(kept).await, Ok(read) if read > 0) {
        if kept.len() > 2 * OUTPUT {
            kept.drain(..kept.len() - OUTPUT);
        }
    }
    kept.drain(..kept.len().saturating_sub(OUTPUT));
}

/// Reads the report. One that is older than `fresh_since` tells of another run.
pub(crate) fn read(suite: &Suite, fresh_since: Option<SystemTime>) -> Result<Vec<CaseFacts>, String> {
    let path = &suite.junit.value.0;
    let shown = path.display();
    let about = |error: std::io::Error| format!("the report `{shown}` could not be read: {error}");
    let meta = std::fs::metadata(path).map_err(about)?;
    if meta.len() > MAX_REPORT {
        return Err(format!("the report `{shown}` is larger than 32 MiB"));
    }
    // File systems keep times as coarsely as a second or two.
    let slack = Duration::from_secs(2);
    let written = meta.modified().map_err(about)?;
    if fresh_since.is_some_and(|since| written + slack < since) {
        return Err(format!("the report `{shown}` was not written by this run: it is older"));
    }
    let text = std::fs::read(path).map_err(about)?;
    let report = Report::deserialize(text.as_slice())
        .map_err(|error| format!("the report `{shown}` is not JUnit XML: {error}"))?;
    Ok(report.test_suites.iter().flat_map(|suite| &suite.test_cases).map(case).collect())
}

fn case(case: &TestCase) -> CaseFacts {
    let (outcome, message) = match &case.status {
        TestCaseStatus::Success { .. } => (CaseOutcome::Passed, String::new()),
        TestCaseStatus::NonSuccess { message, description, .. } => {
            let parts = [message.as_ref(), description.as_ref()];
            (
                CaseOutcome::Failed,
                parts.into_iter().flatten().map(|part| part.as_str().to_owned()).collect::<Vec<_>>().join(": "),
            )
        }
        TestCaseStatus::Skipped { message, .. } => {
            (CaseOutcome::Skipped, message.as_ref().map(|message| message.as_str().to_owned()).unwrap_or_default())
        }
    };
    CaseFacts {
        name: case.name.as_str().to_owned(),
        class: case.classname.as_ref().map(|class| class.as_str().to_owned()),
        outcome,
        message,
        duration_ms: case.time.map_or(0.0, |time| time.as_secs_f64() * 1000.0),
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
        _ => Judged::by_findings(id, Vec::new()),
    };
    Judged { duration_ms: seen.duration_ms, ..judged }
}

fn last_line(output: &str) -> String {
    excerpt(output.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default())
}
