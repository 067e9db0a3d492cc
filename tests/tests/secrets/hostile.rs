//! A service, or a suite, that says what a log would obey or a page would run.

use prodtest_testkit::{Done, Project, Stub, reply};

const TEXT: &str = "x\n::error::pwned\r\n  ::add-mask::e\u{feff}\n##[error]pwned\n::stop-commands::pwned\n\
    section_end:1:pwned\r\u{1b}[0K\u{1b}[31mred\u{9b}2J ]]><script>alert('pwned')</script>&<b> %0A::error::pwned\n";

/// What the gate itself says to the runner.
const OURS: [&str; 6] = [
    "::group::prodtest smoke",
    "::endgroup::",
    "::error title=smoke/",
    "::notice title=prodtest smoke",
    "::add-mask::k3y",
    "::warning",
];

fn hostile() -> (Project, Stub) {
    let scenario = |id: &str, expect: &str| {
        format!(
            "  - {{ id: {id}, title: t, steps: [{{ name: ask, request: GET /{id}, as: default, expect: {expect} }}] }}\n"
        )
    };
    let scenarios = [
        scenario("status", "{ status: 200 }"),
        scenario("json", "{ status: 418, json: { $.a: 1 } }"),
        scenario("value", "{ status: 418, json: { $.a: 1 } }"),
        scenario("header", "{ status: 418, headers: { x-a: b } }"),
        scenario("body", "{ status: 418, body: { equals: fine } }"),
        scenario("redirect", "{ status: 200 }"),
        scenario("garbage", "{ status: 200 }"),
    ];
    let service = Stub::saying(|asked| match asked.line.as_str() {
        "GET /garbage" => TEXT.to_owned(),
        // A header is one line; the rest of the text goes where it can.
        "GET /header" => {
            reply("418 Teapot", &[("X-A", "::error::pwned ##[error]pwned <script>alert('pwned')</script>")], "")
        }
        "GET /redirect" => reply("302 Found", &[("Location", "::error::pwned##[error]pwned")], ""),
        "GET /value" => reply("418 Teapot", &[], &serde_json::json!({ "a": TEXT }).to_string()),
        _ => reply("418 Teapot", &[("Content-Type", "text/plain")], TEXT),
    });
    (Project::with_scenarios(&format!("scenarios:\n{}", scenarios.concat())), service)
}

/// No line of a log gives an order that is not ours.
#[track_caller]
fn obeys_nobody(log: &str) {
    for line in log.split(['\n', '\r']) {
        let seen: String = line.chars().filter(|c| !c.is_control() && *c != '\u{feff}').collect();
        let seen = seen.trim_start();
        // The runner reads a line as one order at most, and `::` goes before `##[`.
        let is_ours = OURS.iter().any(|ours| line.starts_with(ours));
        assert!(is_ours || !(seen.starts_with("::") || seen.contains("##[")), "an order: {line:?}");
    }
    // A section of GitLab's ends with a carriage return.
    assert!(!log.contains("section_end:1:pwned\r"), "an order to GitLab");
}

#[track_caller]
fn is_whole(done: &Done) {
    let html = done.report("smoke", "html");
    assert!(!html.contains("<script>alert"), "the page would run it");
    assert!(html.trim_end().ends_with("</html>"));
    roxmltree::Document::parse(&done.report("smoke", "junit.xml")).expect("XML");
    for name in ["run.json", "sarif", "codequality.json"] {
        serde_json::from_str::<serde_json::Value>(&done.report("smoke", name)).expect("JSON");
    }
    for (name, bytes) in done.files() {
        let text = String::from_utf8(bytes).expect("UTF-8");
        let raw = text.chars().find(|c| c.is_control() && !['\n', '\t'].contains(c));
        assert_eq!(raw, None, "{name} holds what a terminal obeys");
    }
}

#[test]
fn a_hostile_answer_gives_no_orders_and_breaks_no_page() {
    let (project, service) = hostile();
    for format in ["github", "gitlab", "human", "json"] {
        let done =
            project.gate_against(&service).args(["--format", format, "--color", "never", "-v"]).run().expect_code(1);
        assert!(done.report("smoke", "run.json").contains("pwned"), "{}", done.said());
        if format == "gitlab" {
            std::fs::remove_file(done.out.join("smoke.env")).expect("the variables");
        }
        is_whole(&done);
        if ["github", "gitlab"].contains(&format) {
            obeys_nobody(&done.stdout());
            obeys_nobody(&done.stderr());
        }
        // Sections of GitLab are the only thing that needs an escape, and they are ours.
        let log = done.stdout() + &done.stderr();
        let escapes: Vec<&str> = log.split('\u{1b}').skip(1).filter(|rest| !rest.starts_with("[0K")).collect();
        assert_eq!(escapes, Vec::<&str>::new(), "{format}");
        assert!(!log.contains('\u{9b}'), "{format}");
    }
}

#[test]
fn what_the_service_says_goes_into_no_variable_of_a_later_job() {
    let (project, service) = hostile();
    let output = project.path("output");
    let done = project.gate_against(&service).env("GITHUB_ACTIONS", "true").env("GITHUB_OUTPUT", &output).run();
    let output = std::fs::read_to_string(&output).expect("outputs");
    assert!(!output.contains("pwned"), "{output}");
    assert_eq!(done.code(), Some(1));
}
