//! The programs that build images, and what each is told.

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::Path,
    time::Duration,
};

use prodtest_process::{Done, program, run};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::{Build, BuildError, digest};
use crate::{Digest, Reference};

/// How long a program may take to say that it is there. An engine that hangs is none.
const THERE: Duration = Duration::from_secs(10);

/// A program that builds images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// Docker: with buildx where that is there, which pushes what it builds.
    Docker,
    /// Buildah, which needs no engine.
    Buildah,
}

impl Program {
    /// Its name, as it is started.
    const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Buildah => "buildah",
        }
    }

    /// Nothing, when it works; else why not. A `docker` without its engine is there, and of no use.
    async fn missing(self, build: &Build) -> Option<String> {
        let arguments: &[&str] = match self {
            Self::Docker => &["version", "--format", "{{.Server.Version}}"],
            Self::Buildah => &["--version"],
        };
        match run(build.command(self.name(), arguments), THERE).await {
            Ok(done) if done.status.success() => None,
            Ok(done) => Some(format!("`{}` does not work: {}", self.name(), done.said())),
            Err(undone) => Some(undone.to_string()),
        }
    }
}

impl Build {
    fn command<S: AsRef<OsStr>>(&self, name: &str, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = program(name, arguments);
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        command
    }
}

/// The program that builds, and whether it is Docker with buildx.
pub(super) async fn choose(build: &Build) -> Result<(Program, bool), BuildError> {
    let candidates = build.program.map_or_else(|| vec![Program::Docker, Program::Buildah], |program| vec![program]);
    let mut reasons = Vec::new();
    for candidate in candidates {
        match candidate.missing(build).await {
            Some(reason) => reasons.push(reason),
            None if candidate == Program::Docker => {
                let buildx = run(build.command("docker", ["buildx", "version"]), THERE).await;
                return Ok((candidate, buildx.is_ok_and(|done| done.status.success())));
            }
            None => return Ok((candidate, false)),
        }
    }
    Err(BuildError::NoProgram(reasons.join("; ")))
}

/// One build.
pub(super) struct Work<'a> {
    pub(super) build: &'a Build,
    pub(super) reference: &'a Reference,
    /// For what the programs write.
    pub(super) folder: &'a Path,
}

impl Work<'_> {
    /// `docker buildx build --push`: one step, and the digest in a file.
    pub(super) async fn with_buildx(&self) -> Result<Digest, BuildError> {
        let file = self.folder.join("metadata.json");
        let mut arguments = vec!["buildx".into(), "build".into(), "--push".into(), "--metadata-file".into()];
        arguments.push(file.clone().into_os_string());
        arguments.extend(self.arguments());
        self.step("docker", "buildx build --push", arguments).await?;
        let written = fs::read_to_string(&file).unwrap_or_default();
        digest::of_metadata(&written).ok_or_else(|| no_digest("docker buildx build --push", &written))
    }

    /// `docker build`, then `docker push`, which prints the digest.
    pub(super) async fn with_docker(&self) -> Result<Digest, BuildError> {
        let mut arguments = vec!["build".into()];
        arguments.extend(self.arguments());
        self.step("docker", "build", arguments).await?;
        let arguments = vec!["push".into(), self.reference.to_string().into()];
        let done = self.step("docker", "push", arguments).await?;
        digest::of_docker_push(&done.out).ok_or_else(|| no_digest("docker push", &done.said()))
    }

    /// `buildah build`, then `buildah push`, which writes the digest to a file.
    pub(super) async fn with_buildah(&self) -> Result<Digest, BuildError> {
        let tls: OsString = format!("--tls-verify={}", !self.build.plain_http).into();
        let mut arguments = vec!["build".into(), tls.clone()];
        arguments.extend(self.arguments());
        self.step("buildah", "build", arguments).await?;
        let file = self.folder.join("digest");
        let arguments = vec![
            "push".into(),
            tls,
            "--digestfile".into(),
            file.clone().into_os_string(),
            self.reference.to_string().into(),
            format!("docker://{}", self.reference).into(),
        ];
        self.step("buildah", "push", arguments).await?;
        let written = fs::read_to_string(&file).unwrap_or_default();
        written.trim().parse().map_err(|_| no_digest("buildah push", &written))
    }

    /// What all of them are told of a build: tag, labels, platform, Dockerfile and, last, the folder.
    fn arguments(&self) -> Vec<OsString> {
        let Build { version, platform, file, context, .. } = self.build;
        let mut arguments: Vec<OsString> = vec!["--tag".into(), self.reference.to_string().into()];
        for (label, value) in [("version", &version.described), ("revision", &version.commit)] {
            arguments.extend(["--label".into(), format!("org.opencontainers.image.{label}={value}").into()]);
        }
        if let Some(platform) = platform {
            arguments.extend(["--platform".into(), platform.into()]);
        }
        if let Some(file) = file {
            arguments.extend(["--file".into(), file.clone().into_os_string()]);
        }
        arguments.extend(["--".into(), context.clone().into_os_string()]);
        arguments
    }

    async fn step(&self, name: &str, what: &str, arguments: Vec<OsString>) -> Result<Done, BuildError> {
        let done = run(self.build.command(name, arguments), self.build.patience).await?;
        if done.status.success() {
            return Ok(done);
        }
        let ended = done.status.to_string();
        Err(BuildError::Failed { step: format!("{name} {what}"), ended, said: done.said() })
    }
}

fn no_digest(step: &str, said: &str) -> BuildError {
    BuildError::NoDigest { step: step.to_owned(), said: format!("{said:?}") }
}
