//! Records that cannot be judged again.

use std::{fs, path::PathBuf};

use prodtest_testkit::{GateCommand, Godel, Project, Stub, reply};
use rustix::process::Signal;

use crate::{healthy, refused};

const SCENARIO: &str = "scenarios: [{ id: health, title: t, steps: [{ name: a, request: GET /health }] }]";

/// Where a record of a green run is, changed in this way.
fn record(project: &Project, change: impl Fn(&str) -> String) -> PathBuf {
    let done = project.gate_against(&healthy()).run().expect_code(0);
    let path = project.path("RUN.json");
    let record = done.report("smoke", "run.json");
    let changed = change(&record);
    assert_ne!(changed, record);
    fs::write(&path, changed).expect("a file");
    path
}

#[test]
fn a_record_that_cannot_be_read_is_refused() {
    type Change = fn(&str) -> String;
    let changes: [(Change, &[&str]); 8] = [
        (
            |_| "\u{1b}[31mgarbage".to_owned(),
            &["not a run record: expected value at line 1 column 1", "smoke.run.json"],
        ),
        (|_| String::new(), &["not a run record: EOF while parsing a value"]),
        (|_| "{\"a\": 1}".to_owned(), &["not a run record: missing field `schema-version`"]),
        (|record| record[..record.len() / 2].to_owned(), &["not a run record: EOF while parsing"]),
        (
            |record| record.replacen("\"schema-version\": 1", "\"schema-version\": 2", 1),
            &["schema version 2, and this prodtest reads 1", "use the prodtest that wrote it"],
        ),
        (
            |record| record.replacen("\"gate\": \"smoke\"", "\"gate\": \"perf\"", 1),
            &["a record of the gate `perf`", "prodtest-perf --replay"],
        ),
        (
            |record| record.replacen("\"started\": \"", "\"started\": \"\\u001b[2Jsplendid", 1),
            &["with a fault in it: failed to parse"],
        ),
        (
            |record| record.replace("\"label\":", "\"lebel\":"),
            &["the record's facts cannot be read by this version", "replay it with version"],
        ),
    ];
    for (change, says) in changes {
        let project = Project::with_scenarios(SCENARIO);
        let done = project.gate().arg("--replay").arg(record(&project, change)).run();
        assert!(!done.said().contains('\u{1b}'), "{}", done.said());
        refused(done, &healthy(), says);
    }
}

#[test]
fn a_record_that_is_not_there_is_named() {
    let done = GateCommand::new("smoke").args(["--replay", "nowhere.run.json"]).run();
    refused(done, &healthy(), &["the record `nowhere.run.json` could not be read"]);
}

#[test]
fn a_run_that_did_not_end_has_nothing_to_judge() {
    let running = GateCommand::smoke(&Godel::start(&["agent-stuck"], None)).spawn();
    let record = running.out().join("smoke.run.json");
    while !record.is_file() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    running.signal(Signal::KILL);
    let killed = running.wait();
    let done = GateCommand::new("smoke").arg("--replay").arg(killed.out.join("smoke.run.json")).run();
    refused(done, &healthy(), &["holds no facts: the run did not come to its end"]);
}

#[test]
fn an_empty_answer_is_judged_again_too() {
    let project = Project::with_scenarios(SCENARIO);
    let service = Stub::saying(|_| reply("204 No Content", &[], ""));
    let done = project.gate_against(&service).run().expect_code(0);
    let again = project.gate().arg("--replay").arg(done.out.join("smoke.run.json")).run().expect_code(0);
    assert_eq!(done.files(), again.files());
}
