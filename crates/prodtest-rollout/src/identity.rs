//! What runs: the digest of every ready pod, and the version that the service answers with.

mod digest;
mod pods;
mod version;

use prodtest_gate::Rule;

pub use digest::{Expected, ImageId, Mismatch, judge};
pub use pods::{Running, list_pods, running};
pub use version::{Answer, Ask, VersionFacts, VersionMismatch, ask, judge_version};

/// What one must be allowed to do.
#[must_use]
pub fn rules(namespace: &str) -> Vec<Rule> {
    vec![Rule::new(namespace, "", &["pods"], &["list"])]
}
