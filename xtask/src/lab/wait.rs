//! Waiting, always with an end.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, bail};

use super::{machine, place::Lab};
use crate::interrupt;

/// How often it is looked.
const PERIOD: Duration = Duration::from_millis(40);

/// Looks again and again until `look` is content. Its error says what is not yet so.
///
/// # Errors
/// After `limit`, with what was waited for and what was seen last; and when this program is interrupted.
pub fn until<T>(what: &str, limit: Duration, look: impl FnMut() -> Result<T>) -> Result<T> {
    wait(what, limit, true, look)
}

/// As [`until`], for cleaning up: it goes on when this program is interrupted.
pub(super) fn until_done<T>(what: &str, limit: Duration, look: impl FnMut() -> Result<T>) -> Result<T> {
    wait(what, limit, false, look)
}

fn wait<T>(what: &str, limit: Duration, heed: bool, mut look: impl FnMut() -> Result<T>) -> Result<T> {
    let begun = Instant::now();
    loop {
        match look() {
            Ok(seen) => return Ok(seen),
            Err(_) if heed && interrupt::happened() => bail!("interrupted while waiting for {what}"),
            Err(last) if begun.elapsed() >= limit => {
                return Err(anyhow!("waited {} s for {what}; last seen: {last:#}", limit.as_secs()));
            }
            // Many of these are answers of other programs, which tell nobody when they change.
            Err(_) => thread::sleep(PERIOD),
        }
    }
}

/// As [`until`], but not longer than the lab's parts live.
///
/// # Errors
/// As [`until`]; and with the end of its log, when a part ended.
pub(super) fn until_in<T>(lab: &Lab, what: &str, limit: Duration, mut look: impl FnMut() -> Result<T>) -> Result<T> {
    let mut dead = None;
    let seen = until(what, limit, || {
        dead = machine::dead(lab);
        if dead.is_some() { Ok(None) } else { look().map(Some) }
    })?;
    seen.ok_or_else(|| {
        let dead = dead.unwrap_or_default();
        anyhow!("while waiting for {what}: {dead}")
    })
}
