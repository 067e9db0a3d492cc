//! A lab for a test: the one that a run shares, or one of its own.

use std::{
    io::{self, Write as _},
    ops::Deref,
};

use xtask::{
    env,
    lab::{Lab, down, up},
    test::SHARED,
};

/// The lab that the run shares, each test in a namespace of its own. `cargo xtask test --stage lab` starts and ends it;
/// by hand, `cargo xtask lab up --lab test`. Where it does not run, CI fails, and a person is told.
///
/// # Panics
/// With `CI=true`, when it does not run: nobody would read of a skip.
#[must_use]
pub fn shared() -> Option<Lab> {
    let lab = Lab::named(SHARED).expect("a lab's name");
    match lab.running() {
        Ok(_) => Some(lab),
        Err(error) => {
            skip(&format!("{error:#}"));
            None
        }
    }
}

/// Says loudly that something is not tested.
fn skip(why: &str) {
    assert!(!env::in_ci(), "{why}");
    // Past the test runner's capture: a skip must be seen.
    let _ = writeln!(io::stderr(), "SKIPPED: {why}");
}

/// A lab for one test, which may do to it what it likes. It ends with this.
#[derive(Debug)]
pub struct OwnLab(Lab);

impl OwnLab {
    /// Starts it; none where this machine can carry none, and a person is told.
    ///
    /// # Panics
    /// With `CI=true`, when it cannot be started.
    #[must_use]
    pub fn up(name: &str, options: &up::Options) -> Option<Self> {
        if let Err(error) = up::possible() {
            skip(&format!("{error:#}"));
            return None;
        }
        // Made first: what `up` leaves half done ends as well.
        let own = Self(Lab::named(name).expect("a lab's name"));
        up(&own.0, options).expect("a lab");
        Some(own)
    }

    /// One that somebody else starts; it still ends with this.
    ///
    /// # Panics
    /// When the name is none.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match up::possible() {
            Ok(()) => Some(Self(Lab::named(name).expect("a lab's name"))),
            Err(error) => {
                skip(&format!("{error:#}"));
                None
            }
        }
    }
}

impl Deref for OwnLab {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.0
    }
}

impl Drop for OwnLab {
    fn drop(&mut self) {
        // A test that fails says why by itself.
        let _ = down(&self.0);
    }
}
