//! Builds an image and pushes it, with `docker` or `buildah`; from then on its digest counts.
//!
//! Logging in is the user's business: `docker login`, `buildah login`.

mod digest;
mod program;

use std::{ffi::OsString, path::PathBuf, time::Duration};

pub use self::program::Program;
use crate::{Digest, InvalidReference, InvalidTag, Reference, Version, tag_of};
use prodtest_process::Undone;

/// What is built, and where it goes.
#[derive(Clone, Debug)]
pub struct Build {
    /// The folder that is handed to the build.
    pub context: PathBuf,
    /// The Dockerfile, if it is not the one in that folder.
    pub file: Option<PathBuf>,
    /// Where it goes; the tag is made of the version.
    pub repository: Reference,
    /// What it is the build of.
    pub version: Version,
    /// What it is to run on (`linux/amd64`), if not on what this machine is.
    pub platform: Option<String>,
    /// Whether the registry speaks HTTP without TLS. `docker` must be told in its own configuration.
    pub plain_http: bool,
    /// Which program builds; the first that works where it is none.
    pub program: Option<Program>,
    /// Where the programs are looked for, as `PATH` has it, if not where this process looks.
    pub path: Option<OsString>,
    /// How long building may take, and pushing.
    pub patience: Duration,
}

/// What was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Under which tag it was pushed.
    pub reference: Reference,
    /// Under which digest it lies in the registry, as the program that pushed it says.
    pub digest: Digest,
    /// Which program that was.
    pub program: Program,
}

/// Why there is no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The version gives no tag.
    #[error(transparent)]
    Tag(#[from] InvalidTag),
    /// The name of the image is none.
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    /// Nothing here can build.
    #[error("nothing here can build an image: {0}")]
    NoProgram(String),
    /// A step failed.
    #[error("`{step}` ended with {ended}; the last it said: {said}")]
    Failed {
        /// The program and what it was to do, `docker push`.
        step: String,
        /// How it ended.
        ended: String,
        /// The end of what it printed: hostile text.
        said: String,
    },
    /// A step did not end by itself.
    #[error("{0}")]
    Undone(String),
    /// It was pushed, and nobody says as what.
    #[error("`{step}` does not say which digest it pushed: {said}")]
    NoDigest {
        /// The program and what it did.
        step: String,
        /// What was found in its place.
        said: String,
    },
    /// There is no room for the file that the digest is to be written to.
    #[error("could not make a temporary folder: {0}")]
    Folder(String),
}

impl BuildError {
    /// What to do, in one line.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Tag(_) => Some("name the version yourself, in letters, digits, `_`, `.` and `-`"),
            Self::NoProgram(_) => Some("start Docker, or install `buildah`; or build elsewhere and name the digest"),
            Self::Failed { step, .. } if step.ends_with("push") => {
                Some("log in with the same program, and look whether that user may push there")
            }
            Self::Undone(_) => {
                Some("look whether the program works by hand; if it is only slow, give the build more time")
            }
            Self::Failed { .. } | Self::NoDigest { .. } | Self::Folder(_) | Self::Reference(_) => None,
        }
    }
}

impl From<Undone> for BuildError {
    fn from(undone: Undone) -> Self {
        Self::Undone(undone.to_string())
    }
}

/// Builds, tags, labels and pushes. What was started ends when this future is dropped.
///
/// # Errors
/// When no program works, a step fails or takes too long, or the digest is not told.
pub async fn build_and_push(build: &Build) -> Result<Built, BuildError> {
    let reference = build.repository.with_tag(&tag_of(&build.version.described)?)?;
    let (program, with_buildx) = program::choose(build).await?;
    let folder = tempfile::tempdir().map_err(|error| BuildError::Folder(error.to_string()))?;
    let work = program::Work { build, reference: &reference, folder: folder.path() };
    let digest = match (program, with_buildx) {
        (Program::Docker, true) => work.with_buildx().await?,
        (Program::Docker, false) => work.with_docker().await?,
        (Program::Buildah, _) => work.with_buildah().await?,
    };
    Ok(Built { reference, digest, program })
}
