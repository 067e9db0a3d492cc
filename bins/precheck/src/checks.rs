//! The checks of the precheck gate, one file each: what it is told, where it looks, and what that means.

pub(crate) mod backups;
pub(crate) mod chart;
pub(crate) mod cluster;
pub(crate) mod database;
pub(crate) mod helm;
pub(crate) mod migrations;
pub(crate) mod namespace;
pub(crate) mod nodes;
pub(crate) mod permissions;
pub(crate) mod redis;
pub(crate) mod registry;
pub(crate) mod rollback_plan;
pub(crate) mod runbooks;
pub(crate) mod secrets;
pub(crate) mod vault;

use prodtest_gate::CheckId;
use prodtest_inspect::{Entry, id};

use crate::gate::Precheck;

/// All of them, in the order in which they are shown.
pub(crate) const ALL: &[Entry<Precheck>] = &[
    Entry::of::<cluster::Cluster>(),
    Entry::of::<permissions::Permissions>(),
    Entry::of::<nodes::Nodes>(),
    Entry::of::<namespace::Namespace>(),
    Entry::of::<helm::Helm>(),
    Entry::of::<chart::Chart>(),
    Entry::of::<registry::Registry>(),
    Entry::of::<secrets::Secrets>(),
    Entry::of::<vault::Vault>(),
    Entry::of::<database::Database>(),
    Entry::of::<migrations::Migrations>(),
    Entry::of::<redis::Redis>(),
    Entry::of::<backups::Backups>(),
    Entry::of::<runbooks::Runbooks>(),
    Entry::of::<rollback_plan::RollbackPlan>(),
];

/// The ids of checks of this gate, for those that lean on them.
pub(crate) fn ids<const N: usize>(names: [&str; N]) -> Vec<CheckId> {
    names.map(id::<Precheck>).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_have_ids() {
        let ids: std::collections::BTreeSet<CheckId> = ALL.iter().map(Entry::id).collect();
        assert_eq!(ids.len(), ALL.len());
    }
}
