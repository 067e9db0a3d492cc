//! Faults: each changes what it says it does, and nothing beside it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod list;
mod narrow;
#[path = "../support/mod.rs"]
mod support;
mod survey;
