//! The reference service: a small, real Godel, a control plane for agents.
//!
//! The gates are tried on it, so it behaves as a production service should: keys and tenants, metrics, JSON logs
//! with correlation ids, readiness, a shutdown that loses no request. What it knows it keeps in memory.
//!
//! [`Settings`] come from the environment, [`Server`] serves them. With the cargo feature `faults` the module
//! `faults` can break it, one route at a time; without it no line of that module is compiled.

mod access;
mod agent;
mod api;
mod app;
mod auth;
#[cfg(feature = "faults")]
pub mod faults;
mod metrics;
mod server;
mod settings;
mod store;
mod tls;

pub use auth::Keys;
pub use server::{Patience, Server};
pub use settings::{Settings, SettingsError};
pub use tls::{Tls, TlsError};
