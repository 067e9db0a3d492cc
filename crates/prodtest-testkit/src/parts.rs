//! What not every machine has.

use std::{
    io::{self, Write},
    process::{Command, Stdio},
};

/// Whether a process can have namespaces of its own (`unshare` with these flags, as root). Where it cannot, CI fails,
/// and a person is told.
///
/// # Panics
/// With `CI=true`, when it cannot: nobody would read of a skip.
#[must_use]
pub fn has_namespaces(flags: &[&str]) -> bool {
    let mut unshare = Command::new("unshare");
    unshare.args(flags).arg("true").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let has = unshare.status().is_ok_and(|status| status.success());
    if !has {
        let flags = flags.join(" ");
        assert!(!in_ci(), "`unshare {flags}` does not work here: it needs Linux and root");
        // Past the test runner's capture: a skip must be seen.
        let _ = writeln!(io::stderr(), "SKIPPED: `unshare {flags}` does not work here: it needs Linux and root");
    }
    has
}

#[expect(clippy::disallowed_methods, reason = "the rule is made for gates")]
fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}
