//! The reference service: a small, real Godel, a control plane for agents.
//!
//! The gates are tried on it, so it behaves as a production service should: keys and tenants, metrics, JSON logs
//! with correlation ids, readiness, a rate limit, a shutdown that loses no request. What it knows it keeps in
//! PostgreSQL and Redis, where it is told of them, else in memory.
//!
//! [`Settings`] come from the environment, [`Server`] serves them. With the cargo feature `faults` the module
//! `faults` can break it, one route at a time; without it no line of that module is compiled.

mod access;
mod agent;
mod api;
mod app;
mod auth;
mod cache;
mod database;
#[cfg(feature = "faults")]
pub mod faults;
mod limit;
mod metrics;
mod ready;
mod server;
mod sessions;
mod settings;
mod store;
mod tls;

pub use auth::Keys;
pub use database::Mismatch;
pub use server::{Patience, Server};
pub use settings::{Settings, SettingsError};
pub use tls::{Tls, TlsError};
