//! The service with its stores: a real PostgreSQL and a real Redis, started, stopped and stalled by the tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod agents;
mod certificates;
mod common;
mod limit;
mod migrations;
mod outage;
mod postgres;
mod redis;
mod server;
mod sessions;
mod shutdown;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "shared by all tests of the service; each uses a part")]
mod support;
mod trust;
