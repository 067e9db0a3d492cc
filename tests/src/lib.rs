//! What no single crate can test: end to end, faults, platforms. And what its tests of a cluster share: a lab, Godel in
//! a namespace of its own, faults of the cluster and its stores.

pub mod access;
pub mod certificates;
mod fault;
mod lab;
pub mod registry;
mod release;
mod together;

pub use fault::{ClusterFault, Injected};
pub use lab::{OwnLab, shared};
pub use release::Release;
pub use together::{every_fault, is_wanted, side_by_side};
