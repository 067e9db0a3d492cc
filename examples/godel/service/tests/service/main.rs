//! The service as it is in production, over real HTTP.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod admin;
mod agents;
mod api;
mod check;
mod cli;
mod log;
mod metrics;
mod shutdown;
#[path = "../support/mod.rs"]
mod support;
mod tls;
