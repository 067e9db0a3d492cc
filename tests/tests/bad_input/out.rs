//! A folder for the reports that cannot take them.

use std::{fs, path::Path};

use prodtest_testkit::{Done, GateCommand, Project, Stub, has_namespaces, reply};

use crate::{healthy, refused};

const SCENARIO: &str = "scenarios: [{ id: health, title: t, steps: [{ name: a, request: GET /health }] }]";

/// Where a file system of a few pages is mounted, which nobody else sees and which ends with the gate.
const PRIVATE: [&str; 2] = ["--mount", "--propagation=private"];

/// A shell that mounts a file system of this size (KiB) at `full` before it becomes the gate.
fn with_small_disk(project: &Project, gate: GateCommand, size: u32) -> GateCommand {
    fs::create_dir(project.path("full")).expect("a folder");
    let mount = format!("mount -t tmpfs -o size={size}k none full && exec \"$@\"");
    gate.under(&["sh", "-c", &mount, "sh"]).under(&["unshare", PRIVATE[0], PRIVATE[1]])
}

#[test]
fn a_path_below_a_file_is_refused() {
    let project = Project::with_scenarios(SCENARIO);
    project.write("file", "");
    let service = healthy();
    let done = project.gate_against(&service).out(Path::new("file/reports")).run();
    refused(
        done,
        &service,
        &["`file/reports`, cannot be written to", "Not a directory", "name another with `--out DIR`"],
    );
}

#[test]
fn a_full_disk_at_the_start_is_refused() {
    if !has_namespaces(&PRIVATE) {
        return;
    }
    let project = Project::with_scenarios(SCENARIO);
    let service = healthy();
    let gate = with_small_disk(&project, project.gate_against(&service).out(Path::new("full/out")), 4);
    let done = gate.run().expect_code(2).expect_said(&["`full/out`, cannot be written to", "No space left on device"]);
    assert_eq!(service.connections(), 0, "{}", done.said());
}

/// A disk that is full at the end, for the answer is larger than what is left.
fn full_at_the_end(status: &'static str) -> Option<Done> {
    if !has_namespaces(&PRIVATE) {
        return None;
    }
    let project = Project::with_scenarios(SCENARIO);
    let service = Stub::saying(move |_| reply(status, &[], &"x".repeat(900 * 1024)));
    let gate = project.gate_against(&service).out(Path::new("full/out"));
    Some(with_small_disk(&project, gate, 512).run())
}

#[test]
fn a_record_that_is_lost_goes_to_standard_error_and_is_not_green() {
    let Some(done) = full_at_the_end("200 OK") else { return };
    let done = done.expect_code(3).expect_said(&["smoke.run.json` could not be written: No space left on device"]);
    let said = done.stderr();
    let (_, record) = said.split_once("the record, which has no other place:\n").expect("the record");
    let end = record.rfind("\n}").expect("its end");
    let record = serde_json::from_str::<prodtest_gate::RunRecord>(&record[..end + 2]).expect("a whole record");
    assert_eq!(record.verdict, prodtest_gate::Verdict::Passed);
}

#[test]
fn a_failure_stays_one_without_its_record() {
    let Some(done) = full_at_the_end("500 Internal Server Error") else { return };
    let _ = done.expect_code(1).expect_said(&["the record, which has no other place"]);
}

/// Who takes the folder away meanwhile takes no report.
#[test]
fn a_folder_that_vanishes_is_made_again() {
    let project = Project::with_scenarios(SCENARIO);
    let out = project.path("reports");
    let gone = out.clone();
    let service = Stub::saying(move |_| {
        fs::remove_dir_all(&gone).expect("the folder, with the first reports in it");
        reply("200 OK", &[], "")
    });
    let done = project.gate_against(&service).out(&out).run().expect_code(0);
    assert_eq!(done.files().len(), 6);
}
