//! Suites that the gate runs itself.

use std::{fs, thread, time::Duration};

use prodtest_testkit::Project;
use rustix::process::{Pid, Signal, test_kill_process};

use crate::{outcomes, project};

/// A project whose suite is this shell script.
fn script(script: &str) -> Project {
    script_within("30s", script)
}

fn script_within(timeout: &str, script: &str) -> Project {
    let project = project(&format!("{{ name: e2e, junit: out/report.xml, timeout: {timeout}, exec: [sh, suite.sh] }}"));
    fs::create_dir(project.path("out")).expect("a folder");
    project.write("suite.sh", script);
    project
}

#[test]
fn a_command_writes_its_report_and_is_told_the_target() {
    let project = script("cp GREEN.xml out/report.xml; test \"$PRODTEST_URL\" = http://127.0.0.1:1/ || exit 9");
    let done = project.gate().run().expect_code(0);
    assert_eq!(outcomes(&done), ["e2e=passed", "e2e-works=passed"]);
    // And once more, over the report of the first time.
    let _ = project.gate().run().expect_code(0);
}

#[test]
fn a_command_is_found_and_run_where_the_configuration_is() {
    let project = project("{ name: e2e, junit: GREEN.xml.new, exec: [./suite.sh] }");
    project.write("suite.sh", "#!/bin/sh\ncp GREEN.xml GREEN.xml.new\n");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(project.path("suite.sh"), executable).expect("a mode");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let config = project.path("prodtest.yaml");
    let _ = project.gate().current_dir(elsewhere.path()).arg("--config").arg(config).run().expect_code(0);
}

/// Ways to report nothing, and to report one thing and be another.
#[test]
fn what_a_command_did_not_measure_is_never_passed() {
    for (suite, code, says) in [
        ("echo '<testsuites/>' > out/report.xml", 3, "it reported no test that ran"),
        (
            "echo no browser here >&2",
            3,
            "`out/report.xml` could not be read: No such file or directory (os error 2); it printed: no browser here",
        ),
        ("echo garbage > out/report.xml", 3, "is no JUnit report"),
        (
            "cp GREEN.xml out/report.xml; echo 1 worker crashed; exit 7",
            1,
            "its command ended with 7, though no case of its report failed; it printed: 1 worker crashed",
        ),
        ("cp REPORT.xml out/report.xml; exit 1", 1, "`logs in` failed"),
        ("cp REPORT.xml out/report.xml", 1, "`logs in` failed"),
        ("cp GREEN.xml out/report.xml; kill -9 $$", 3, "its command was ended: signal: 9"),
    ] {
        let _ = script(suite).gate().run().expect_code(code).expect_said(&[says]);
    }
}

#[test]
fn a_report_of_an_earlier_run_is_none_of_this_one() {
    let project = script("true");
    fs::copy(project.path("GREEN.xml"), project.path("out/report.xml")).expect("a copy");
    let done = project.gate().run().expect_code(3);
    assert_eq!(outcomes(&done), ["e2e=undetermined"]);
    let _ = done.expect_said(&["was not written by this run: it is an older one"]);
}

#[test]
fn a_command_that_is_not_there_is_named() {
    let done = project("{ name: e2e, junit: GREEN.xml, exec: [no-such-runner, --all] }").gate().run().expect_code(3);
    let _ = done.expect_said(&["undetermined smoke/e2e", "`no-such-runner` could not be started: No such file"]);
}

/// Whether the process whose number is in this file is gone.
fn is_gone(project: &Project, file: &str) -> bool {
    let number = fs::read_to_string(project.path(file)).expect("the number of a process");
    let pid = Pid::from_raw(number.trim().parse().expect("a number")).expect("a process");
    // Who is killed may be about to go.
    (0..100).any(|_| {
        thread::sleep(Duration::from_millis(10));
        test_kill_process(pid).is_err() || is_zombie(pid)
    })
}

/// An orphan that nobody waits for is as good as gone.
fn is_zombie(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
}

#[test]
fn a_command_that_hangs_is_ended_with_all_that_it_started() {
    let suite = "cp GREEN.xml out/report.xml; sleep 300 & echo $! > grandchild; echo waiting; wait";
    let project = script_within("1s", suite);
    let done = project.gate().run().expect_code(3);
    assert!(done.took < Duration::from_secs(5), "{:?}", done.took);
    assert!(is_gone(&project, "grandchild"));
    let _ = done.expect_said(&["its command was ended: it had not ended after 1 s; it printed: waiting"]);
}

/// A server that a suite started and forgot holds the suite's output open.
#[test]
fn what_a_command_leaves_running_does_not_hold_the_gate() {
    let project = script("cp GREEN.xml out/report.xml; sleep 300 & echo $! > grandchild");
    let _ = project.gate().run().expect_code(0);
    assert!(is_gone(&project, "grandchild"));
}

#[test]
fn a_signal_ends_the_command_too() {
    let project = script("echo $$ > child; sleep 300");
    let running = project.gate().spawn();
    while !project.path("child").is_file() {
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(Duration::from_millis(50));
    running.signal(Signal::TERM);
    let done = running.wait().expect_code(143).expect_said(&["its command was ended: interrupted (SIGTERM)"]);
    assert!(done.took < Duration::from_secs(5), "{:?}", done.took);
    assert!(is_gone(&project, "child"));
}

/// What leaves its command's group cannot be ended by it, and does not hold the gate either.
#[test]
fn a_process_that_left_the_group_does_not_hold_the_gate() {
    let project = script("cp GREEN.xml out/report.xml; setsid sleep 5 & sleep 0.2");
    let done = project.gate().run().expect_code(0);
    assert!(done.took < Duration::from_secs(4), "{:?}", done.took);
}

#[test]
fn a_flood_of_output_is_kept_by_its_end() {
    let suite = "cp GREEN.xml out/report.xml; head -c 20000000 /dev/zero | tr '\\0' 'x'; echo; echo the end; exit 1";
    let (done, peak) = script(suite).gate().spawn().wait_measured();
    assert!(peak < 64 * 1024, "{peak} KiB");
    assert!(done.report("smoke", "run.json").len() < 128 * 1024);
    let _ = done.expect_code(1).expect_said(&["it printed: the end"]);
}
