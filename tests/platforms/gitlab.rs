//! gitlab-ci-local: runs a consumer's pipeline.

use std::{path::Path, process::Output};

use crate::common::{Consumer, alone};

/// Runs the consumer's pipeline with these CI/CD variables.
pub(crate) fn run(gitlab: &Path, consumer: &Consumer, variables: &[(&str, &str)]) -> Output {
    let mut command = alone(gitlab, &consumer.home());
    // Without isolation, jobs share a folder, and a job would find what no artefact gave it.
    command.current_dir(consumer.root()).args([
        "--force-shell-executor",
        "--shell-isolation",
        "--artifacts-to-source=false",
        "--no-color",
    ]);
    // The runner's own variable, which gitlab-ci-local sets to `false` to be told apart.
    for (name, value) in [("GITLAB_CI", "true")].iter().chain(variables) {
        command.arg("--variable").arg(format!("{name}={value}"));
    }
    command.output().expect("gitlab-ci-local starts")
}

/// Everything it printed.
pub(crate) fn printed(output: &Output) -> String {
    [output.stdout.as_slice(), output.stderr.as_slice()].map(String::from_utf8_lossy).concat()
}
