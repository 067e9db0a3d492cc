//! What a program says of backups.

use jiff::Timestamp;
use prodtest_inspect::Unseen;
use prodtest_process::{program, run_keeping};
use serde::Deserialize;

use super::Backup;

/// How much of what it prints is read: pgBackRest tells every backup at length.
const MOST: usize = 4 * 1024 * 1024;
/// How much of it is told.
const TOLD: usize = 200;

/// What it printed. It ends with the check's deadline at the latest.
pub(super) async fn output(words: &[String]) -> Result<String, Unseen> {
    let Some((name, arguments)) = words.split_first() else {
        return Err(Unseen::new("the command that tells of backups has no words"));
    };
    let hint = "look what it says by hand; it runs here with the environment of the gate";
    let done = run_keeping(program(name, arguments), MOST, std::future::pending()).await;
    let done = done.map_err(|undone| Unseen::new(undone.to_string()).hint(hint))?;
    if !done.status.success() {
        let (status, said) = (done.status, told(&done.said()));
        return Err(
            Unseen::new(format!("`{name}`, which tells of backups, ended with {status}; it said: {said}")).hint(hint)
        );
    }
    Ok(done.out)
}

/// The last line is when the newest good backup was done.
pub(super) fn time(words: &[String], printed: &str) -> Result<Backup, Unseen> {
    let name = words.first().map(String::as_str).unwrap_or_default();
    let last = printed.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    let unix = || last.parse::<i64>().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    let newest = last.parse::<Timestamp>().ok().or_else(unix).ok_or_else(|| {
        let message = format!("`{name}` printed no time: {}", told(last));
        Unseen::new(message)
            .hint("the last line must be an RFC 3339 time such as `2026-01-31T04:00:00Z`, or a number of seconds")
    })?;
    Ok(Backup { what: format!("what `{name}` tells of"), newest: Some(newest), remark: None })
}

/// A stanza, as `pgbackrest info --output=json` prints it. <https://pgbackrest.org/command.html#command-info>
#[derive(Deserialize)]
struct Stanza {
    name: String,
    #[serde(default)]
    backup: Vec<StanzaBackup>,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Deserialize)]
struct StanzaBackup {
    timestamp: Times,
    /// Whether it has errors; old versions do not say.
    #[serde(default)]
    error: Option<bool>,
}

#[derive(Deserialize)]
struct Times {
    stop: i64,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

/// Of each stanza the newest backup without an error.
pub(super) fn pgbackrest(printed: &str) -> Result<Vec<Backup>, Unseen> {
    let stanzas: Vec<Stanza> = serde_json::from_str(printed).map_err(|error| {
        let message =
            format!("what came is not what `pgbackrest info --output=json` prints: {error}: {}", told(printed));
        Unseen::new(message)
    })?;
    if stanzas.is_empty() {
        return Ok(vec![Backup {
            what: "pgBackRest".to_owned(),
            newest: None,
            remark: Some("it knows no stanza".to_owned()),
        }]);
    }
    let backups = stanzas.into_iter().map(|stanza| {
        let good = stanza.backup.iter().filter(|backup| backup.error != Some(true));
        let newest = good.map(|backup| backup.timestamp.stop).max().and_then(|stop| Timestamp::from_second(stop).ok());
        let status = stanza.status.filter(|status| status.code != 0);
        let remark = status.map(|status| format!("pgBackRest says of it: {}", told(&status.message)));
        Backup { what: format!("the stanza `{}`", stanza.name), newest, remark }
    });
    Ok(backups.collect())
}

/// The beginning of what somebody else said, in one line.
fn told(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(TOLD) {
        None if line.is_empty() => "nothing".to_owned(),
        None => line,
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}
