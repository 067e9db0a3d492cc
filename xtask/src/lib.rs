//! The chores of this project: demo, test, lab, image, generate, dist, bench, soak.
//!
//! One file a chore. A library too, so that the tests of the platforms find the same tools and lay out the same
//! release tree as the chores do. Nothing here depends on a gate or on what gates share: the tests must run when those
//! do not compile.

pub mod bench;
pub mod demo;
pub mod describe;
pub mod dist;
pub mod env;
pub mod generate;
pub mod image;
pub mod interrupt;
pub mod lab;
pub mod pki;
pub mod random;
pub mod repo;
pub mod say;
pub mod service;
pub mod sh;
pub mod soak;
pub mod test;
pub mod tools;
