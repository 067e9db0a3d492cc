//! What the gate says to the platform that it runs on, and where it takes what it is told from.

use std::{collections::BTreeMap, fs};

use prodtest_gate::{Outcome, RunRecord};
use prodtest_testkit::{Done, GateCommand, Godel, Project, Stub, reply};

/// GitHub shows so many errors of a step.
const ANNOTATIONS: usize = 10;

/// A red run on GitHub, with what it wrote into the two files.
fn on_github(gate: GateCommand) -> (Done, BTreeMap<String, String>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [output, summary] = ["output", "summary"].map(|name| folder.path().join(name));
    fs::write(&output, "earlier=kept\n").expect("a file");
    fs::write(&summary, "earlier\n").expect("a file");
    let gate = gate.env("GITHUB_ACTIONS", "true").env("CI", "true");
    let done = gate.env("GITHUB_OUTPUT", &output).env("GITHUB_STEP_SUMMARY", &summary).run();
    let text = fs::read_to_string(&output).expect("the outputs");
    (done, outputs(&text), fs::read_to_string(&summary).expect("the summary"))
}

/// What a later step reads: `name=value`, or `name<<WORD`, lines, `WORD`.
fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut lines = text.lines();
    let mut outputs = BTreeMap::new();
    while let Some(line) = lines.next() {
        if let Some((name, word)) = line.split_once("<<") {
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != word).collect();
            outputs.insert(name.to_owned(), value.join("\n"));
        } else if let Some((name, value)) = line.split_once('=') {
            outputs.insert(name.to_owned(), value.to_owned());
        }
    }
    outputs
}

#[test]
fn github_is_told_by_outputs_summary_and_annotations() {
    let (done, outputs, summary) = on_github(GateCommand::smoke(&Godel::start(&["admin-open"], None)));
    let done = done.expect_code(1);
    let output = |name: &str| outputs.get(name).map(String::as_str);
    assert_eq!(output("earlier"), Some("kept"));
    assert_eq!(
        (output("verdict"), output("failed"), output("undetermined")),
        (Some("failed"), Some("admin-restricted"), Some(""))
    );
    assert_eq!(output("report"), done.out.join("smoke.html").to_str());
    assert!(output("slowest").expect("a figure").parse::<f64>().is_ok(), "{outputs:?}");

    assert!(summary.starts_with("earlier\n\n\n## "), "{summary}");
    assert!(
        summary.contains("admin-restricted") && summary.contains("examples/godel/scenarios/04-auth.yaml"),
        "{summary}"
    );
    assert_eq!(summary.trim_start_matches("earlier").trim(), done.report("smoke", "md").trim());

    let log = done.stdout();
    let annotations: Vec<&str> = log.lines().filter(|line| line.starts_with("::error ")).collect();
    let place = place_of("examples/godel/scenarios/04-auth.yaml", "expect: { status: 403 }");
    let begin = format!(
        "::error title=smoke/admin-restricted failed (local),file=examples/godel/scenarios/04-auth.yaml,{place}::"
    );
    assert!(matches!(annotations[..], [one] if one.starts_with(&begin)), "{annotations:?}\n{begin}");
    for said in ["answered 200, not 403", "%0Awhat to do: look whether the admin routes"] {
        assert!(annotations[0].contains(said), "{}", annotations[0]);
    }
    let at = |line: &str| log.lines().position(|other| other == line);
    assert!(at("::group::prodtest smoke (local)").expect("a group") < at("::endgroup::").expect("its end"));
}

/// `line=…,col=…` of a value in a file.
fn place_of(file: &str, text: &str) -> String {
    let lines = fs::read_to_string(prodtest_testkit::repository().join(file)).expect("a file");
    let (number, line) = lines.lines().enumerate().find(|(_, line)| line.contains(text)).expect("the text");
    let value = text.rfind(' ').and_then(|end| text[..end].rfind(' ')).map_or(0, |start| start + 1);
    format!("line={},col={}", number + 1, line.find(text).expect("the text") + value + 1)
}

#[test]
fn annotations_keep_within_what_github_shows() {
    let scenarios: String =
        (0..25).map(|i| format!("  - {{ id: s{i}, title: t, steps: [{{ name: a, request: GET / }}] }}\n")).collect();
    let project = Project::with_scenarios(&format!("scenarios:\n{scenarios}"));
    let (done, outputs, _) = on_github(project.gate_against(&Stub::saying(|_| reply("500 Oops", &[], ""))));
    let log = done.expect_code(1).stdout();
    assert_eq!(log.lines().filter(|line| line.starts_with("::error ")).count(), ANNOTATIONS);
    assert!(log.contains("::notice title=prodtest smoke::15 more in the step summary and in smoke.html"), "{log}");
    assert_eq!(outputs["failed"].split(',').count(), 25, "the outputs name all");
}

#[test]
fn what_cannot_be_told_to_github_changes_no_verdict() {
    let godel = Godel::healthy();
    let gate = GateCommand::smoke(&godel).args(["--only", "health"]);
    let gate = gate.env("GITHUB_ACTIONS", "true").env("GITHUB_OUTPUT", "/nowhere/output");
    let done = gate.env("GITHUB_STEP_SUMMARY", "/nowhere/summary").run().expect_code(0);
    for file in ["/nowhere/output", "/nowhere/summary"] {
        assert!(done.stderr().contains(&format!("could not be written to `{file}`")), "{}", done.said());
    }
}

#[test]
fn gitlab_is_told_by_variables_and_sections() {
    let godel = Godel::start(&["admin-open"], None);
    let gate = GateCommand::smoke(&godel).args(["--only", "admin-*,health"]);
    let done = gate.env("GITLAB_CI", "true").env("CI", "true").run().expect_code(1);
    let variables = outputs(&fs::read_to_string(done.out.join("smoke.env")).expect("the variables"));
    assert_eq!(variables["SMOKE_VERDICT"], "failed");
    assert_eq!(variables["SMOKE_FAILED"], "admin-restricted");
    assert_eq!(variables["SMOKE_UNDETERMINED"], "");
    assert_eq!(Some(variables["SMOKE_REPORT"].as_str()), done.out.join("smoke.html").to_str());
    let log = done.stdout();
    let start = log.find("section_start:").expect("a section");
    let end = log.find("section_end:").expect("its end");
    assert!(start < end, "{log}");
    let name = |at: usize| log[at..].split([':', '[', '\r']).nth(2).map(str::to_owned);
    assert_eq!(name(start), name(end));
    assert!(!log.contains("::error"), "that is GitHub's");
    assert_eq!(done.files().len(), 7);
}

#[test]
fn a_person_is_told_by_nothing_of_that() {
    let done = GateCommand::smoke(&Godel::healthy()).args(["--only", "health"]).run().expect_code(0);
    assert!(!done.stdout().contains("::") && !done.stdout().contains("section_"), "{}", done.stdout());
    assert!(!done.out.join("smoke.env").exists());
    assert!(done.stderr().contains("passed       smoke/health"), "progress goes to standard error: {}", done.said());
    assert!(!done.stdout().contains("passed       smoke/health"));
}

#[test]
fn variables_stand_in_for_flags_and_empty_ones_for_nothing() {
    let godel = Godel::healthy();
    let out = tempfile::tempdir().expect("a temporary folder");
    let gate =
        || GateCommand::new("smoke").env("GODEL_API_KEY", prodtest_testkit::API_KEY).env("PRODTEST_URL", &godel.url);
    let set = |gate: GateCommand| {
        gate.env("PRODTEST_CONFIG", "examples/godel/prodtest.yaml")
            .env("PRODTEST_ENV", "local")
            // As a workflow passes a list.
            .env("PRODTEST_ONLY", "health\n  version\n")
            .env("PRODTEST_EXPECT_VERSION", "9.9.9")
            .env("PRODTEST_SKIP", "")
            .env("PRODTEST_TIMEOUT", "")
            .env("PRODTEST_CA", "")
    };
    let done = set(gate()).run().expect_code(1);
    assert_eq!(done.checks("smoke", Outcome::Failed).into_iter().collect::<Vec<_>>(), ["smoke/version"]);
    assert_eq!(done.checks("smoke", Outcome::Passed).into_iter().collect::<Vec<_>>(), ["smoke/health"]);

    let flags = ["--expect-version", "0.1.0", "--only", "version"];
    let done =
        set(gate()).args(flags).out(&out.path().join("flag")).env("PRODTEST_OUT", out.path().join("variable")).run();
    let done = done.expect_code(0);
    assert_eq!(done.checks("smoke", Outcome::Passed).into_iter().collect::<Vec<_>>(), ["smoke/version"]);
    assert!(!out.path().join("variable").exists(), "the flag goes before the variable");
}

#[test]
fn switches_and_words_come_from_variables_too() {
    let refused = |variables: &[(&str, &str)]| {
        let gate = GateCommand::new("deploy").args(["--config", "examples/godel/prodtest.yaml", "--env", "lab"]);
        let gate = variables.iter().fold(gate, |gate, (name, value)| gate.env(name, value));
        gate.run().expect_code(2).said()
    };
    let both = refused(&[("PRODTEST_ACTION", " restore "), ("PRODTEST_RECOVER", "true")]);
    assert!(both.contains("`restore` goes with neither `--recover` nor `--dry-run`"), "{both}");
    let off = refused(&[("PRODTEST_RECOVER", "false"), ("PRODTEST_DRY_RUN", ""), ("PRODTEST_KUBECONFIG", "nowhere")]);
    assert!(off.contains("nowhere"), "neither is on, so it goes for the cluster: {off}");
    // A word is a word, and no way to give flags.
    for (name, value) in [("PRODTEST_ACTION", "--recover"), ("PRODTEST_ACTION", "undo"), ("PRODTEST_RECOVER", "yes")] {
        let said = refused(&[(name, value)]);
        assert!(said.contains(&format!("it comes from the environment variable `{name}`")), "{value}: {said}");
    }
}

#[test]
fn json_on_standard_output_is_the_record_alone() {
    for godel in [Godel::healthy(), Godel::start(&["admin-open"], None)] {
        let done = GateCommand::smoke(&godel).args(["--format", "json", "--only", "health,admin-*"]).run();
        let record: RunRecord = serde_json::from_str(&done.stdout()).expect("a record");
        assert_eq!(record, done.record("smoke"));
        assert_eq!(done.code(), Some(i32::from(record.verdict.exit_code())));
    }
    let refused = GateCommand::new("smoke").args(["--format", "json", "--config", "nowhere.yaml"]).run().expect_code(2);
    assert_eq!(refused.stdout(), "");
}

#[test]
fn colour_is_for_those_who_want_it() {
    let godel = Godel::healthy();
    let colours = |change: fn(GateCommand) -> GateCommand| {
        let gate = change(GateCommand::smoke(&godel).args(["--only", "health"]));
        gate.run().expect_code(0).stdout().contains("\u{1b}[")
    };
    // The log of GitHub shows colours; a pipe does not.
    assert!(colours(|gate| gate.env("GITHUB_ACTIONS", "true")));
    assert!(!colours(|gate| gate));
    assert!(!colours(|gate| gate.env("GITHUB_ACTIONS", "true").env("NO_COLOR", "1")));
    assert!(colours(|gate| gate.env("GITHUB_ACTIONS", "true").env("NO_COLOR", "")));
    assert!(!colours(|gate| gate.env("GITHUB_ACTIONS", "true").args(["--color", "never"])));
    assert!(colours(|gate| gate.env("NO_COLOR", "1").args(["--color", "always"])));
}

/// `prodtest-smoke | head -1`: the reader goes away, and the verdict stands.
#[test]
fn a_reader_that_goes_away_changes_nothing() {
    let godel = Godel::healthy();
    for (format, first) in [("github", "::add-mask::"), ("json", "{"), ("human", "   check")] {
        let mut running = GateCommand::smoke(&godel).args(["--format", format, "--only", "health"]).spawn();
        let line = running.first_line();
        assert!(line.starts_with(first), "{line}");
        let done = running.wait().expect_code(0);
        assert!(!done.stderr().contains("panicked"), "{}", done.stderr());
        assert_eq!(done.record("smoke").checks.len(), 10);
    }
    for flags in [["--help"], ["--list"], ["--describe"]] {
        let mut running = GateCommand::new("smoke").godel().args(flags).spawn();
        running.first_line();
        let done = running.wait().expect_code(0);
        assert_eq!(done.stderr(), "", "{flags:?}");
    }
}
