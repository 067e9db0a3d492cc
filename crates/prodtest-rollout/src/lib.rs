//! A rollout: Helm, what the cluster makes of it, what users notice, and the way back.
//!
//! What is shared by the gates that change a release. Its rules are pure: they take plain objects and say what they
//! mean; what asks a cluster, starts a process or sends a request is in modules of its own.

pub mod apply;
pub mod backup;
pub mod engine;
pub mod helm;
pub mod identity;
pub mod journal;
pub mod probe;
pub mod quoted;
pub mod trace;
pub mod watch;
pub mod way_back;
