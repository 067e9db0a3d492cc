//! Ctrl-C, and a runner's patience: what was begun is cleaned up before this program ends.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicBool, Ordering},
};

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGINT, SIGTERM};

static HAPPENED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From here on, SIGINT and SIGTERM do not end this program: it ends by itself, at the next thing that it waits for.
///
/// # Errors
/// When they cannot be caught.
pub fn catch() -> Result<()> {
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&HAPPENED)).context("could not catch a signal")?;
    }
    Ok(())
}

/// Whether one came.
#[must_use]
pub fn happened() -> bool {
    HAPPENED.load(Ordering::Relaxed)
}
