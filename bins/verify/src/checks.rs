//! The checks of the verify gate, one file each: what it is told, where it looks, and what that means.

pub(crate) mod pods;
pub(crate) mod replicas;

use prodtest_inspect::Entry;

use crate::gate::Verify;

/// All of them, in the order in which they are shown.
pub(crate) const ALL: &[Entry<Verify>] = &[Entry::of::<pods::Pods>(), Entry::of::<replicas::Replicas>()];
