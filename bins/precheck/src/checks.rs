//! The checks of the precheck gate, one file each: what it is told, where it looks, and what that means.

pub(crate) mod cluster;
pub(crate) mod database;
pub(crate) mod helm;
pub(crate) mod migrations;
pub(crate) mod permissions;
pub(crate) mod redis;
pub(crate) mod registry;
pub(crate) mod rollback_plan;

use prodtest_inspect::Entry;

use crate::gate::Precheck;

/// All of them, in the order in which they are shown.
pub(crate) const ALL: &[Entry<Precheck>] = &[
    Entry::of::<cluster::Cluster>(),
    Entry::of::<permissions::Permissions>(),
    Entry::of::<helm::Helm>(),
    Entry::of::<registry::Registry>(),
    Entry::of::<database::Database>(),
    Entry::of::<migrations::Migrations>(),
    Entry::of::<redis::Redis>(),
    Entry::of::<rollback_plan::RollbackPlan>(),
];
