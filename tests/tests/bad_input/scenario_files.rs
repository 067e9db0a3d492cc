//! Scenarios that could not be run.

use prodtest_testkit::Project;

use crate::{healthy, refused};

/// What a scenario file says, and what must be said of it: what is wrong, and where.
const WRONGS: [(&str, &[&str]); 18] = [
    (
        "steps: [{ name: a, request: GET /, expekt: { status: 200 } }]",
        &["unknown key `expekt`", "scenarios.yaml:4:40", "did you mean `expect`?"],
    ),
    (
        "steps: [{ name: a, request: GET /, expect: { json: { '$.a[': 1 } } }]",
        &["`$.a[` is not a JSONPath query", "scenarios.yaml:4"],
    ),
    (
        "steps: [{ name: a, request: 'GET /{{ ide }}' }]",
        &["unknown variable `ide`", "scenarios.yaml:4:13", "`expected_version` and `run`", "capture: { NAME: $.path }"],
    ),
    (
        "steps: [{ name: a, request: GET /, capture: { agent: $.id } }, { name: b, request: 'GET /{{ agnet }}' }]",
        &["unknown variable `agnet`", "did you mean `agent`?"],
    ),
    (
        "steps: [{ name: a, request: GET /, as: admni }]",
        &["unknown identity `admni`", "scenarios.yaml:4:44", "known here: `default`"],
    ),
    (
        "steps: [{ name: a, request: GET /, until: { every: 1s, attempts: 2, stop-when: { json: { '$.[': 1 } } } }]",
        &["`$.[` is not a JSONPath query", "scenarios.yaml:4"],
    ),
    (
        "steps: [{ name: a, request: GET / }]\n  - { id: demo, title: t, steps: [{ name: a, request: GET / }] }",
        &["two scenarios are called `demo`", "scenarios.yaml:5:11"],
    ),
    (
        "needs: [heatlh]\n    steps: [{ name: a, request: GET / }]",
        &["unknown scenario `heatlh`", "scenarios.yaml:4:13"],
    ),
    (
        "steps: [{ name: a, request: GET /, burst: { requests: 2 }, expect: { json: { $.a: 1 } } }]",
        &["step `a`: a `burst` is judged by `status` and `within` alone", "scenarios.yaml:4:13"],
    ),
    ("steps: []", &["the scenario `demo` has no steps", "scenarios.yaml:2:5"]),
    ("steps: [{ name: a }]", &["either a `request` or a `certificate`", "scenarios.yaml:4:13"]),
    (
        "steps: [{ name: a, request: GET / }, { name: a, request: GET / }]",
        &["two steps are called `a`", "scenarios.yaml:4:42"],
    ),
    ("steps: [{ name: a, request: FETCH / }]", &["FETCH", "METHOD /path", "scenarios.yaml:4:33"]),
    (
        "steps: [{ name: a, request: 'GET https://elsewhere.example/' }]",
        &["the path begins with `/`", "scenarios.yaml:4:33"],
    ),
    ("steps: [{ name: a, request: GET /, until: { every: 1s } }]", &["`attempts`, by `within`", "scenarios.yaml:4:13"]),
    (
        "steps: [{ name: a, request: GET /, expect: { body: { matches: '(' } } }]",
        &["`(` is not a regular expression: unclosed group", "scenarios.yaml:4:56"],
    ),
    (
        "steps: [{ name: a, request: GET /, expect: { status: 700 } }]",
        &["`700` is not a status", "scenarios.yaml:4:58"],
    ),
    ("steps: [{ name: a, request: GET / }", &["unclosed bracket", "scenarios.yaml:4:12"]),
];

#[test]
fn a_scenario_that_could_not_be_run_is_refused_at_its_line() {
    for (rest, says) in WRONGS {
        let project = Project::with_scenarios(&format!("scenarios:\n  - id: demo\n    title: it works\n    {rest}\n"));
        let service = healthy();
        let done = project.gate_against(&service).run();
        refused(done, &service, says);
    }
}

#[test]
fn a_scenario_file_that_is_not_there_is_named() {
    let project = Project::with_scenarios("scenarios: []");
    let service = healthy();
    let done = project.gate_against(&service).args(["--scenario", "more.yaml"]).run();
    refused(done, &service, &["there is no file `more.yaml`"]);
    let done = project.gate_against(&service).run();
    refused(done, &service, &["there is nothing to check", "--scenario FILE"]);
}
