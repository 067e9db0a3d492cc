//! Whatever it is given, the gate says what was expected, what was seen, where, and what to do; with the right exit
//! code, and with reports wherever something was asked.

#[path = "bad_input/configuration.rs"]
mod configuration;
#[path = "bad_input/out.rs"]
mod out;
#[path = "bad_input/records.rs"]
mod records;
#[path = "bad_input/rollback.rs"]
mod rollback;
#[path = "bad_input/scenario_files.rs"]
mod scenario_files;
#[path = "bad_input/services.rs"]
mod services;

use prodtest_testkit::{Done, Stub, reply};

/// A service with which nothing is wrong.
fn healthy() -> Stub {
    Stub::saying(|_| reply("200 OK", &[("Content-Type", "application/json")], r#"{"status": "healthy"}"#))
}

/// Asserts that the gate refused to begin, in these words: nothing was asked, nothing was written.
#[track_caller]
fn refused(done: Done, service: &Stub, words: &[&str]) {
    let done = done.expect_code(2).expect_said(words);
    assert_eq!(service.connections(), 0, "the service was asked\n{}", done.said());
    assert!(!done.out.exists(), "{:?} was written\n{}", done.files().keys(), done.said());
    assert_eq!(done.stdout(), "", "what is wrong goes to standard error");
}
