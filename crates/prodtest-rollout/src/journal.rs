//! What a gate wrote down in the cluster before it changed anything.
//!
//! A runner can vanish with its disk, so what is needed to put things back is in the cluster. A Lease
//! `prodtest-<release>` is lock and holder ([`acquire`]); a ConfigMap of that name holds the [`Journal`] of the last run
//! and the [`Verdict`] of each revision ([`Store`]). What a later run makes of both is [`plan_recovery`], or of a release of plain manifests
//! [`plan_recovery_of_objects`]; both are pure.
//!
//! Invariant: the journal is written before the change that it tells of, and by nobody but the holder of the Lease.

mod entry;
mod hold;
mod holder;
mod lease;
mod objects;
mod recovery;
mod site;
mod store;

use prodtest_gate::Rule;

pub use entry::{Decision, Journal, Kept, MOST_VERDICTS, OnFailure, Phase, Unreadable, Verdict};
pub use hold::{AcquireError, Held, LEASE, Standing, acquire, acquire_for};
pub use holder::Holder;
pub use objects::{Numbers, plan_recovery_of_objects};
pub use recovery::{HelmState, PENDING_PATIENCE, Recovery, Revision, plan_recovery};
pub use store::{JournalError, Store};

/// The name of the Lease and of the ConfigMap of a release.
#[must_use]
pub fn name(release: &str) -> String {
    format!("prodtest-{release}")
}

/// What one must be allowed to do: `create` knows no names, so it stands apart.
#[must_use]
pub fn rules(namespace: &str, release: &str) -> Vec<Rule> {
    let of = |group, kind, verbs: &[&str]| Rule::new(namespace, group, &[kind], verbs);
    let (leases, maps) = ("coordination.k8s.io", "");
    vec![
        of(leases, "leases", &["create"]),
        of(leases, "leases", &["get", "update"]).named([name(release)]),
        of(maps, "configmaps", &["create"]),
        of(maps, "configmaps", &["get", "update"]).named([name(release)]),
    ]
}
