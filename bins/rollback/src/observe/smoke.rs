//! The smoke gate, called as a program of its own: a gate knows no other, but for its record.

use std::{path::Path, time::Duration};

use prodtest_gate::{Outcome, RunRecord};
use prodtest_process::{program, run};
use prodtest_rollout::engine::{Session, Step};

use crate::{facts::SmokeSeen, plan::SmokePlan};

/// The program.
const PROGRAM: &str = "prodtest-smoke";
/// How long it may take.
const LIMIT: Duration = Duration::from_secs(600);
/// What is meant for this gate and not for that one: it would write its outputs in place of ours, or leave checks out.
const NOT_FOR_IT: [&str; 11] = [
    "GITHUB_ACTIONS",
    "GITHUB_OUTPUT",
    "GITHUB_STEP_SUMMARY",
    "GITLAB_CI",
    "PRODTEST_ALLOW_UNDETERMINED",
    "PRODTEST_DRY_RUN",
    "PRODTEST_EXPECT_VERSION",
    "PRODTEST_ONLY",
    "PRODTEST_REPLAY",
    "PRODTEST_SKIP",
    "PRODTEST_TIMEOUT",
];

/// Plays the scenarios.
pub(super) async fn play(session: &Session<'_>, plan: &SmokePlan) -> Step<SmokeSeen> {
    // Beside this program, where it was installed with it; else where the system looks.
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(PROGRAM)).filter(|path| path.is_file());
    let name = beside.map_or_else(|| PROGRAM.to_owned(), |path| path.display().to_string());
    let mut command = program(&name, &plan.arguments);
    command.args(["--format", "human"]);
    for name in NOT_FOR_IT {
        command.env_remove(name);
    }
    let record = plan.out.join("smoke.run.json");
    // One of a run before would be taken for this one's.
    if let Err(error) = std::fs::remove_file(&record)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        let trouble = Some(format!("`{}` of a run before cannot be removed: {error}", record.display()));
        return Ok(SmokeSeen { trouble, ..SmokeSeen::default() });
    }
    let ended = session.run.unless_stopped(run(command, LIMIT)).await?;
    Ok(match ended {
        Err(error) => SmokeSeen {
            trouble: Some(format!("{error}\nhint: install it beside this gate, or say `rollback: {{ smoke: false }}`")),
            ..SmokeSeen::default()
        },
        Ok(done) => read(&record).unwrap_or_else(|why| SmokeSeen {
            trouble: Some(format!("the smoke gate has no record: {why}; it said: {}", last(&done.said()))),
            ..SmokeSeen::default()
        }),
    })
}

fn read(path: &Path) -> Result<SmokeSeen, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let record: RunRecord = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let of =
        |outcome: Outcome| record.checks.iter().filter(move |check| check.outcome == outcome && check.pardon.is_none());
    let first = |check: &prodtest_gate::CheckRecord| {
        let id = &check.check.id;
        match record.findings_of(id).next() {
            Some(finding) => format!("{id}: {}", finding.message),
            None => id.to_string(),
        }
    };
    Ok(SmokeSeen {
        verdict: Some(record.verdict),
        passed: of(Outcome::Passed).count(),
        failed: of(Outcome::Failed).map(first).collect(),
        undetermined: of(Outcome::Undetermined).map(|check| check.check.id.to_string()).collect(),
        trouble: None,
    })
}

/// The line that says what is wrong, else the last one.
fn last(said: &str) -> &str {
    let wrong = said.lines().find(|line| line.starts_with("error:"));
    wrong.or_else(|| said.lines().rev().find(|line| !line.trim().is_empty())).unwrap_or("nothing")
}
