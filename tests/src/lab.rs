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
pub struct OwnLab {
    lab: Lab,
    /// Whether somebody else started it, and will end it.
    kept: bool,
}

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
        let own = Self { lab: Lab::named(name).expect("a lab's name"), kept: false };
        up(&own.lab, options).expect("a lab");
        Some(own)
    }

    /// The same; outside CI, one of that name that runs already is taken as it is, and left, so that whoever works on what is
    /// tested need not wait for it each time. `PRODTEST_TEST_LABS` adds to its name, for clones that test side by side.
    ///
    /// # Panics
    /// As [`OwnLab::up`].
    #[must_use]
    pub fn up_or_kept(name: &str, options: &up::Options) -> Option<Self> {
        let more = env::get("PRODTEST_TEST_LABS").map(|more| format!("-{}", more.to_string_lossy()));
        let name = format!("{name}{}", more.unwrap_or_default());
        let lab = Lab::named(&name).expect("a lab's name");
        match lab.running() {
            Ok(_) if !env::in_ci() => Some(Self { lab, kept: true }),
            Ok(_) => {
                // What a run that was killed left: it may be upset.
                down(&lab).expect("the end of an earlier lab");
                Self::up(&name, options)
            }
            Err(_) => Self::up(&name, options),
        }
    }

    /// One that somebody else starts; it still ends with this.
    ///
    /// # Panics
    /// When the name is none.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match up::possible() {
            Ok(()) => Some(Self { lab: Lab::named(name).expect("a lab's name"), kept: false }),
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
        &self.lab
    }
}

impl Drop for OwnLab {
    fn drop(&mut self) {
        if !self.kept {
            // A test that fails says why by itself.
            let _ = down(&self.lab);
        }
    }
}
