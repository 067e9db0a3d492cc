//! Runs the command of a test suite: for a limited time, and no longer than the gate runs.

use std::time::Duration;

use prodtest_gate::Run;
use prodtest_process::{Done, Undone, run_until};
use tokio::{process::Command, time::sleep};

use crate::{facts::Ended, plan::Plan, section::Suite};

/// How long a command may take when the suite does not say.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Runs it; tells how it ended and what it printed last.
pub(crate) async fn execute(
    program: &str,
    arguments: &[String],
    suite: &Suite,
    plan: &Plan,
    run: &Run,
) -> (Ended, String) {
    let mut command = Command::new(program);
    command.args(arguments).env("PRODTEST_URL", plan.url.as_str());
    if !plan.folder.as_os_str().is_empty() {
        command.current_dir(&plan.folder);
    }
    let limit = suite.timeout.as_ref().map_or(TIMEOUT, |timeout| timeout.0);
    let given_up = async {
        match run.unless_stopped(sleep(limit)).await {
            Ok(()) => format!("it had not ended after {} s", limit.as_secs_f64()),
            Err(reason) => reason.to_string(),
        }
    };
    let printed = |done: Done| done.out + &done.err;
    match run_until(command, given_up).await {
        Ok(done) => {
            let ended = done.status.code().map_or_else(|| Ended::Killed(done.status.to_string()), Ended::Exit);
            (ended, printed(done))
        }
        Err(Undone::GivenUp { why, done, .. }) => (Ended::Killed(why), printed(*done)),
        Err(Undone::Missing(_, error) | Undone::Unusable(_, error)) => {
            (Ended::NotStarted(format!("`{program}` could not be started: {error}")), String::new())
        }
    }
}
