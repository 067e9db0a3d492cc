//! Building with stand-ins for the programs: scripts that write down how they were called.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant},
};

use prodtest_image::{Build, BuildError, Digest, Program, Version, build_and_push};
use tempfile::TempDir;

/// Every stand-in begins with this: a line in `calls` for each call.
const RECORD: &str = "#!/bin/sh\necho \"${0##*/} $*\" >> \"${0%/*}/calls\"\n";
const LABELS: &str = "--label org.opencontainers.image.version=v1.2.3 --label org.opencontainers.image.revision=abc";

/// A folder with stand-ins, the only programs there are but the system's.
struct Programs(TempDir);

impl Programs {
    fn new(programs: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, script) in programs {
            let file = folder.path().join(name);
            fs::write(&file, format!("{RECORD}{script}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self(folder)
    }

    fn build(&self) -> Build {
        Build {
            context: "service".into(),
            file: None,
            repository: "registry.example/team/app".parse().unwrap(),
            version: Version { described: "v1.2.3".to_owned(), commit: "abc".to_owned(), dirty: false },
            platform: None,
            plain_http: false,
            program: None,
            path: Some(OsString::from(self.0.path())),
            patience: Duration::from_secs(20),
        }
    }

    /// What was called, without the names of temporary files, and without the looks at what is there.
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.0.path().join("calls")).unwrap_or_default();
        let shown = |line: &str| {
            let words = line.split(' ').map(|word| if word.starts_with('/') { "FILE" } else { word });
            words.collect::<Vec<_>>().join(" ")
        };
        calls
            .lines()
            .map(shown)
            .filter(|line| !line.contains("version --format") && !line.ends_with("version"))
            .collect()
    }
}

fn digest() -> Digest {
    Digest::of(b"pushed")
}

#[tokio::test]
async fn docker_builds_then_pushes_and_prints_the_digest() {
    let says = format!("case $1 in buildx) exit 1;; push) echo 'v1.2.3: digest: {} size: 528';; esac", digest());
    let programs = Programs::new(&[("docker", &says)]);
    let built = build_and_push(&programs.build()).await.unwrap();
    assert_eq!((built.program, built.digest), (Program::Docker, digest()));
    assert_eq!(built.reference.to_string(), "registry.example/team/app:v1.2.3");
    assert_eq!(
        programs.calls(),
        [
            format!("docker build --tag registry.example/team/app:v1.2.3 {LABELS} -- service"),
            "docker push registry.example/team/app:v1.2.3".to_owned(),
        ]
    );
}

#[tokio::test]
async fn buildx_does_both_and_writes_the_digest() {
    let says = format!("[ $2 = build ] && echo '{{\"containerimage.digest\": \"{}\"}}' > $5; exit 0", digest());
    let programs = Programs::new(&[("docker", &says)]);
    let build =
        Build { file: Some("Containerfile".into()), platform: Some("linux/arm64".to_owned()), ..programs.build() };
    assert_eq!(build_and_push(&build).await.unwrap().digest, digest());
    let tag = "--tag registry.example/team/app:v1.2.3";
    let rest = format!("{tag} {LABELS} --platform linux/arm64 --file Containerfile -- service");
    assert_eq!(programs.calls(), [format!("docker buildx build --push --metadata-file FILE {rest}")]);
}

#[tokio::test]
async fn buildah_stands_in_for_a_docker_without_its_engine() {
    let says = format!("[ $1 = push ] && echo '{}' > $4; exit 0", digest());
    let programs = Programs::new(&[("docker", "echo 'Cannot connect to the daemon' >&2; exit 1"), ("buildah", &says)]);
    let built = build_and_push(&Build { plain_http: true, ..programs.build() }).await.unwrap();
    assert_eq!((built.program, built.digest), (Program::Buildah, digest()));
    let name = "registry.example/team/app:v1.2.3";
    assert_eq!(
        programs.calls(),
        [
            format!("buildah build --tls-verify=false --tag {name} {LABELS} -- service"),
            format!("buildah push --tls-verify=false --digestfile FILE {name} docker://{name}"),
        ]
    );
}

#[tokio::test]
async fn what_does_not_work_is_named() {
    let programs = Programs::new(&[("docker", "echo 'Cannot connect to the daemon' >&2; exit 1")]);
    let error = build_and_push(&programs.build()).await.unwrap_err();
    assert!(error.to_string().contains("Cannot connect") && error.to_string().contains("`buildah` is not installed"));
    let configured = Build { program: Some(Program::Buildah), ..programs.build() };
    let error = build_and_push(&configured).await.unwrap_err();
    assert!(!error.to_string().contains("docker"), "{error}");
}

#[tokio::test]
async fn a_step_that_fails_says_its_last_words() {
    let programs = Programs::new(&[("buildah", "[ $1 = push ] && { echo denied >&2; exit 7; }; exit 0")]);
    let error = build_and_push(&programs.build()).await.unwrap_err();
    assert_eq!(error.to_string(), "`buildah push` ended with exit status: 7; the last it said: denied");
    assert!(error.hint().unwrap().contains("log in"));
    let silent = Programs::new(&[("buildah", "exit 0")]);
    assert!(matches!(build_and_push(&silent.build()).await, Err(BuildError::NoDigest { .. })));
}

#[tokio::test]
async fn a_build_ends_with_its_patience() {
    let programs = Programs::new(&[("buildah", "[ $1 = build ] && { echo half way; exec /bin/sleep 60; }; exit 0")]);
    let begun = Instant::now();
    let build = Build { patience: Duration::from_secs(1), ..programs.build() };
    let error = build_and_push(&build).await.unwrap_err();
    assert!(error.to_string().contains("1 s") && error.to_string().contains("half way"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_version_that_gives_no_tag_is_refused_before_anything_runs() {
    let programs = Programs::new(&[]);
    let mut build = programs.build();
    build.version.described = "a version".to_owned();
    assert!(matches!(build_and_push(&build).await, Err(BuildError::Tag(_))));
}
