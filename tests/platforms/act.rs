//! act: runs a consumer's workflow, with the release tree standing in for `godel/prodtest@v1`.

use std::{fs, path::Path};

use serde_json::Value;

use crate::common::{Consumer, KEYS, alone, said};

/// What act said: a JSON object a line.
pub(crate) struct Log {
    pub(crate) succeeded: bool,
    pub(crate) lines: Vec<Value>,
    /// All of it, for who reads why a test failed.
    pub(crate) text: String,
}

impl Log {
    /// The workflow commands of this kind.
    pub(crate) fn commands<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.lines.iter().filter(move |line| line["command"] == kind)
    }

    /// The lines that steps printed.
    pub(crate) fn printed(&self, start: &str) -> Vec<&str> {
        let printed = self.lines.iter().filter(|line| line["raw_output"] == true);
        printed.filter_map(|line| line["msg"].as_str()).map(str::trim).filter(|line| line.starts_with(start)).collect()
    }

    /// Everything that a reader of the log sees: the command that hides a value names it, to the runner alone.
    pub(crate) fn seen(&self) -> String {
        let seen = self.lines.iter().filter(|line| line["command"] != "add-mask");
        seen.map(ToString::to_string).collect()
    }

    /// Every annotation of this kind: file, line, title and message in one.
    pub(crate) fn annotations(&self, kind: &str) -> Vec<String> {
        let pair = |command: &Value, key: &str| command["kvPairs"][key].as_str().unwrap_or_default().to_owned();
        self.commands(kind)
            .map(|command| {
                let (file, line, title) = (pair(command, "file"), pair(command, "line"), pair(command, "title"));
                format!("{file}:{line}: {title}: {}", command["arg"].as_str().unwrap_or_default())
            })
            .collect()
    }
}

/// Runs the consumer's workflow with these variables of its project, and these of its environment.
pub(crate) fn run(act: &Path, consumer: &Consumer, vars: &[(&str, &str)], variables: &[(&str, &str)]) -> Log {
    let secrets = consumer.beside("secrets");
    let pairs: Vec<String> = KEYS.iter().map(|(name, value)| format!("{name}={value}")).collect();
    fs::write(&secrets, pairs.join("\n")).expect("a file of secrets");
    let mut command = alone(act, &consumer.home());
    command
        .current_dir(consumer.root())
        .args(["push", "--json", "--no-cache-server", "--artifact-server-addr", "127.0.0.1"])
        .args(["--platform", "ubuntu-latest=-self-hosted"])
        .arg(format!("--local-repository=godel/prodtest@v1={}", consumer.beside("release").display()))
        .arg("--secret-file")
        .arg(secrets);
    for (kind, pairs) in [("var", vars), ("env", variables)] {
        command.args(pairs.iter().map(|(name, value)| format!("--{kind}={name}={value}")));
    }
    let output = command.output().expect("act starts");
    let text = said(&output);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let lines = stdout.lines().map(serde_json::from_str).filter_map(Result::ok).collect();
    Log { succeeded: output.status.success(), lines, text }
}

/// Whether an annotation is on a file of the consumer's repository and a line in it: else GitHub shows it nowhere.
pub(crate) fn assert_shown(consumer: &Consumer, annotation: &str) {
    let (file, rest) = annotation.split_once(':').expect("a file");
    let line: usize = rest.split(':').next().and_then(|line| line.parse().ok()).expect("a line");
    let text = fs::read_to_string(consumer.root().join(file)).expect("a file of the consumer's");
    assert!((1..=text.lines().count()).contains(&line), "{annotation}");
}
