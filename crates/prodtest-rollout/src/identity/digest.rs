//! Whether every pod runs the image that was built. Pure.

use std::collections::BTreeSet;

use super::Running;

/// What is to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The digest that was built; if it is an index, the digests of its platforms' manifests too, for runtimes differ in
    /// which of them they tell.
    pub digests: BTreeSet<String>,
    /// The containers that run it, by name.
    pub containers: BTreeSet<String>,
}

/// What a runtime says of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageId {
    /// The digest of its manifest.
    Manifest(String),
    /// A digest without a repository: some runtimes tell that of the image's configuration so, which no registry knows.
    Bare(String),
    /// Nothing that holds a digest.
    Unknown,
}

impl ImageId {
    /// Reads `registry/name@sha256:…`, the same after `docker-pullable://`, or `sha256:…`.
    #[must_use]
    pub fn parse(id: &str) -> Self {
        let id = id.split_once("://").map_or(id, |(_, id)| id);
        let is_digest = |text: &str| {
            text.split_once(':').is_some_and(|(kind, hex)| {
                !kind.contains('/')
                    && !hex.is_empty()
                    && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
                    && kind.starts_with("sha")
            })
        };
        match id.rsplit_once('@') {
            Some((_, digest)) if is_digest(digest) => Self::Manifest(digest.to_owned()),
            None if is_digest(id) => Self::Bare(id.to_owned()),
            _ => Self::Unknown,
        }
    }
}

/// What is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Nothing runs.
    #[error("no pod is ready that has a container {}", listed(.containers))]
    NoPods {
        /// The containers that were looked for.
        containers: BTreeSet<String>,
    },
    /// It is another image.
    #[error("the pod `{}` runs `{digest}` in its container `{}`, and not what was built", .running.pod, .running.container)]
    Other {
        /// Where.
        running: Running,
        /// What it runs.
        digest: String,
    },
    /// What the runtime says cannot be compared.
    #[error(
        "the pod `{}` tells `{digest}` of its container `{}`, which is no digest of a registry's and cannot be compared",
        .running.pod, .running.container
    )]
    Incomparable {
        /// Where.
        running: Running,
        /// What it says.
        digest: String,
    },
    /// The runtime says nothing.
    #[error("the pod `{}` is ready, and does not tell the image of its container `{}`", .running.pod, .running.container)]
    Silent {
        /// Where.
        running: Running,
    },
}

impl Mismatch {
    /// Whether it only means that it could not be told.
    #[must_use]
    pub const fn is_undetermined(&self) -> bool {
        matches!(self, Self::Incomparable { .. } | Self::Silent { .. })
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    prodtest_config::listed(&names.iter().cloned().collect::<Vec<_>>())
}

/// Every container that does not run what is expected. Containers of other names are not looked at: they are of other
/// images.
#[must_use]
pub fn judge(expected: &Expected, running: &[Running]) -> Vec<Mismatch> {
    let looked_at: Vec<&Running> = running.iter().filter(|one| expected.containers.contains(&one.container)).collect();
    if looked_at.is_empty() {
        return vec![Mismatch::NoPods { containers: expected.containers.clone() }];
    }
    let mismatch = |one: &&Running| {
        let running = (*one).clone();
        match ImageId::parse(&one.image_id) {
            ImageId::Manifest(digest) | ImageId::Bare(digest) if expected.digests.contains(&digest) => None,
            ImageId::Manifest(digest) => Some(Mismatch::Other { running, digest }),
            ImageId::Bare(digest) => Some(Mismatch::Incomparable { running, digest }),
            ImageId::Unknown => Some(Mismatch::Silent { running }),
        }
    };
    looked_at.iter().filter_map(mismatch).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn running(container: &str, image_id: &str) -> Running {
        let (pod, image) = ("a".to_owned(), "r/a:1".to_owned());
        Running { pod, container: container.to_owned(), image, image_id: image_id.to_owned() }
    }

    fn expected(digests: &[&str]) -> Expected {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Expected { digests: owned(digests), containers: owned(&["api"]) }
    }

    #[test]
    fn the_forms_of_an_image_id_are_told_apart() {
        let manifest = ImageId::Manifest("sha256:1f".to_owned());
        assert_eq!(ImageId::parse("r.example:5000/a/b@sha256:1f"), manifest);
        assert_eq!(ImageId::parse("docker-pullable://r/a@sha256:1f"), manifest);
        assert_eq!(ImageId::parse("sha256:1f"), ImageId::Bare("sha256:1f".to_owned()));
        assert_eq!(ImageId::parse("docker://sha256:1f"), ImageId::Bare("sha256:1f".to_owned()));
        for unknown in ["", "r/a:1", "r.example:5000/a", "r/a@", "r/a@sha256:", "r/a@sha256:xyz"] {
            assert_eq!(ImageId::parse(unknown), ImageId::Unknown, "{unknown}");
        }
    }

    #[test]
    fn another_digest_under_the_same_tag_is_noticed() {
        let found = judge(&expected(&["sha256:1"]), &[running("api", "r/a@sha256:1"), running("api", "r/a@sha256:2")]);
        assert!(matches!(&found[..], [Mismatch::Other { digest, .. }] if digest == "sha256:2"), "{found:?}");
        assert!(!found[0].is_undetermined());
    }

    #[test]
    fn a_manifest_of_the_index_that_was_built_is_what_was_built() {
        assert_eq!(judge(&expected(&["sha256:1", "sha256:2"]), &[running("api", "r/a@sha256:2")]), []);
    }

    #[test]
    fn nothing_that_runs_is_not_what_was_built() {
        for none in [&[][..], &[running("sidecar", "r/b@sha256:1")]] {
            assert!(matches!(judge(&expected(&["sha256:1"]), none)[..], [Mismatch::NoPods { .. }]));
        }
    }

    #[test]
    fn what_cannot_be_compared_is_said_to_be_so() {
        for id in ["sha256:3", ""] {
            let found = judge(&expected(&["sha256:1"]), &[running("api", id)]);
            assert!(found.len() == 1 && found[0].is_undetermined(), "{found:?}");
        }
    }

    proptest! {
        #[test]
        fn it_is_in_order_only_if_every_container_runs_it(
            ids in proptest::collection::vec(("api|sidecar", "(r/a@)?(sha256:[1-3])?"), 0..8),
        ) {
            let all: Vec<Running> = ids.iter().map(|(container, id)| running(container, id)).collect();
            let good = all.iter().filter(|one| one.container == "api").collect::<Vec<_>>();
            let all_run_it = !good.is_empty() && good.iter().all(|one| one.image_id.ends_with("sha256:1"));
            prop_assert_eq!(judge(&expected(&["sha256:1"]), &all).is_empty(), all_run_it);
        }
    }
}
