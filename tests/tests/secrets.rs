//! What no report, log or output may hold: secrets, in whatever form a service gives them back; and what a stranger's
//! text must not do: give orders to a log, break a page.

#[path = "secrets/cluster.rs"]
mod cluster;
#[path = "secrets/hostile.rs"]
mod hostile;

use std::{fs, process::Command, process::Stdio};

use prodtest_testkit::{Done, GateCommand, KEY, Project, Stub, reply};

/// The beginning of the key in each form that it takes; half a key is one too many.
const TRACES: [&str; 6] = [
    "k3y/of+the",         // as it is, and in JSON
    "k3y%2Fof%2Bthe",     // in a URL
    "azN5L29mK3RoZT",     // Base64
    "czazN5L29mK3RoZT",   // … after `user:`, wherever it is aligned
    "of+the&lt;demo&gt;", // in a page
    "OmszeS9vZit0aG",     // Base64 of `:` and the key
];

const FORMATS: [&str; 4] = ["human", "json", "github", "gitlab"];

/// Everything that a gate left behind or said, by where it is.
fn everything(done: &Done) -> Vec<(String, String)> {
    let files = done.files().into_iter().map(|(name, bytes)| (name, String::from_utf8_lossy(&bytes).into_owned()));
    let streams = [("stdout".to_owned(), done.stdout()), ("stderr".to_owned(), done.stderr())];
    files.chain(streams).collect()
}

/// Asserts that the key, and no part of it, is anywhere but in the order to mask it.
#[track_caller]
fn nothing_leaked(done: &Done, more: &[(&str, String)]) {
    let more = more.iter().map(|(name, text)| ((*name).to_owned(), text.clone()));
    for (place, text) in everything(done).into_iter().chain(more) {
        for line in text.lines().filter(|line| !line.starts_with("::add-mask::")) {
            for trace in TRACES {
                assert!(!line.contains(trace), "`{trace}` is in {place}: {line}");
            }
        }
    }
}

/// `base64`, by the system's own program.
fn base64(text: &str) -> String {
    let mut child =
        Command::new("base64").arg("-w0").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("base64");
    std::io::Write::write_all(&mut child.stdin.take().expect("its input"), text.as_bytes()).expect("written");
    String::from_utf8(child.wait_with_output().expect("its end").stdout).expect("text")
}

fn percent_encoded(text: &str) -> String {
    let byte =
        |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(byte).collect()
}

/// A service that gives the key back in every form, each under a path of its own.
fn echoing() -> Stub {
    let json = serde_json::json!({ "error": format!("bad key {KEY}") }).to_string();
    let forms = [
        ("/plain", reply("500 Oops", &[("X-Key", KEY)], &format!("the key {KEY} is wrong"))),
        ("/json", reply("500 Oops", &[], &json)),
        ("/base64", reply("500 Oops", &[], &format!("key={} auth={}", base64(KEY), base64(&format!("user:{KEY}"))))),
        ("/percent", reply("302 Found", &[("Location", &format!("/login?key={}", percent_encoded(KEY)))], "")),
        ("/garbage", format!("{KEY}\r\n\r\n")),
        ("/short", format!("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{KEY}")),
        ("/many", reply("200 OK", &[], &format!("{}{KEY}{}", "x".repeat(2036), "y".repeat(4096)))),
    ];
    Stub::saying(move |asked| {
        let path = asked.line.split(' ').nth(1).unwrap_or_default();
        forms
            .iter()
            .find(|(known, _)| *known == path)
            .map_or_else(|| reply("404 Not Found", &[], ""), |(_, form)| form.clone())
    })
}

/// A scenario for each path; the last asks again and again, and keeps less of all but the last answer.
fn asking_all() -> Project {
    let scenario = |path: &str, more: &str| {
        format!("  - {{ id: {path}, title: t, steps: [{{ name: ask, request: GET /{path}, as: default{more} }}] }}\n")
    };
    let paths = ["plain", "json", "base64", "percent", "garbage", "short"];
    let all: String = paths.iter().map(|path| scenario(path, "")).collect();
    let many = scenario("many", ", until: { every: 1ms, attempts: 3 }, expect: { status: 404 }");
    Project::with_scenarios(&format!("scenarios:\n{all}{many}"))
}

#[test]
fn a_key_that_comes_back_is_kept_nowhere() {
    let service = echoing();
    for format in FORMATS {
        let project = asking_all();
        let [output, summary] = ["output", "summary"].map(|name| project.path(name));
        let gate = project.gate_against(&service).args(["--format", format, "-v"]);
        let done = gate.env("GITHUB_OUTPUT", &output).env("GITHUB_STEP_SUMMARY", &summary).run().expect_code(1);
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        nothing_leaked(&done, &[("output", read(&output)), ("summary", read(&summary))]);
        // It was there to be kept.
        assert!(done.report("smoke", "run.json").matches("[redacted]").count() >= 7, "{}", done.said());
        assert_eq!(done.outcomes("smoke").iter().filter(|(_, outcome)| outcome == "failed").count(), 7);
        let masks: Vec<String> = done.stdout().lines().filter(|line| line.contains(KEY)).map(str::to_owned).collect();
        assert_eq!(masks, if format == "github" { vec![format!("::add-mask::{KEY}")] } else { vec![] });
    }
    assert!(service.asked().iter().all(|asked| asked.header("x-api-key") == Some(KEY)), "the service was given it");
}

/// A key that somebody wrote where it does not belong.
#[test]
fn a_key_in_a_scenario_is_swept_out_of_every_report() {
    let title = serde_json::to_string(&format!("works with {KEY}")).expect("a text");
    let step = "{ name: ask, request: GET /, as: default, expect: { status: 418 } }";
    let project = Project::with_scenarios(&format!("scenarios: [{{ id: a, title: {title}, steps: [{step}] }}]"));
    let service = Stub::saying(|_| reply("200 OK", &[], ""));
    let summary = project.path("summary");
    for format in FORMATS {
        let gate = project.gate_against(&service).args(["--format", format]).env("GITHUB_STEP_SUMMARY", &summary);
        let done = gate.run().expect_code(1);
        nothing_leaked(&done, &[("summary", fs::read_to_string(&summary).unwrap_or_default())]);
        assert!(done.report("smoke", "html").contains("[redacted]"));
    }
}

const TOKEN: &str = "tok-7f3a9c51e2";

#[test]
fn a_captured_token_is_used_and_not_kept() {
    let project = Project::with_scenarios(
        "scenarios:
  - id: session
    title: t
    steps:
      - { name: log in, request: POST /login, json: {}, capture: { token: { json: $.token, secret: true } } }
      - name: use it
        request: GET /me/{{ token }}
        headers: { Authorization: 'Bearer {{ token }}' }
        json: { token: '{{ token }}' }
        expect: { json: { $.token: '{{ token }}', $.name: Ada } }
    always:
      - { name: log out, request: 'DELETE /sessions/{{ token }}' }",
    );
    let headers = [("X-Token", TOKEN), ("X-tok-7f3a9c51e2", "a name can be a secret too")];
    let service = Stub::saying(move |_| reply("200 OK", &headers, &format!(r#"{{"token": "{TOKEN}"}}"#)));
    for format in FORMATS {
        let done = project.gate_against(&service).args(["--format", format]).run().expect_code(1);
        for (place, text) in everything(&done) {
            assert!(!text.contains("7f3a9c51"), "the token is in {place}:\n{text}");
        }
        let record = done.record("smoke");
        assert_eq!(record.findings.len(), 1, "the token itself was as expected: {:?}", record.findings);
        assert!(record.findings[0].message.contains("$.name"), "{:?}", record.findings);
        let again = project.gate().arg("--replay").arg(done.out.join("smoke.run.json")).run().expect_code(1);
        assert_eq!(again.report("smoke", "run.json"), done.report("smoke", "run.json"));
    }
    let used = service.asked().into_iter().find(|asked| asked.line.starts_with("GET")).expect("the second step");
    assert_eq!(used.line, format!("GET /me/{TOKEN}"));
    assert_eq!(used.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(used.body, format!(r#"{{"token":"{TOKEN}"}}"#));
}

/// A project with a suite that prints the key, and names a case after it.
fn printing() -> Project {
    Project::new(&[
        (
            "prodtest.yaml",
            "service: demo
environments: { test: { url: 'http://127.0.0.1:1', auth: { header: X-API-Key, value: { env: DEMO_KEY } } } }
smoke: { suites: [{ name: e2e, junit: report.xml, exec: [sh, suite.sh] }] }
",
        ),
        (
            "suite.sh",
            r#"echo "the key is $DEMO_KEY"; k=$(echo "$DEMO_KEY" | sed 's/&/\&amp;/; s/</\&lt;/; s/"/\&quot;/g')
case="<testcase name='uses $k' classname='class $k'><failure message='no $k'/></testcase>"
echo "<testsuites><testsuite name='s'>$case</testsuite></testsuites>" > report.xml
exit 1"#,
        ),
    ])
}

/// A suite has the gate's environment, and may print it.
#[test]
fn a_key_that_a_suite_prints_is_kept_nowhere() {
    let done = printing().gate().run().expect_code(1);
    nothing_leaked(&done, &[]);
    let record = done.record("smoke");
    assert_eq!(record.checks[1].check.id.as_str(), "smoke/e2e-uses-redacted", "{}", done.said());
    assert_eq!(record.facts["suites"][0]["output"], "the key is [redacted]\n");
}

/// A key so short that whole reports cannot be searched for it is kept out of what was seen all the same.
#[test]
fn a_short_key_is_kept_out_of_what_was_seen() {
    const SHORT: &str = "q7#Z9x";
    let service = Stub::saying(|asked| {
        let key = asked.header("x-api-key").unwrap_or_default();
        reply("500 Oops", &[("X-Key", key)], &format!("the key {key} is wrong"))
    });
    let asked = asking_all().gate_against(&service).env("DEMO_KEY", SHORT).run();
    let printed = printing().gate().env("DEMO_KEY", SHORT).run();
    for done in [asked, printed] {
        for (place, text) in everything(&done) {
            assert!(!text.contains(SHORT), "the key is in {place}:\n{text}");
        }
        assert!(done.expect_code(1).report("smoke", "run.json").contains("[redacted]"));
    }
}

/// A secret that is missing, or is not one, is refused without being repeated.
#[test]
fn a_refusal_repeats_no_secret() {
    let gate = |key: &str| -> Done {
        let project = asking_all();
        let gate: GateCommand = project.gate().env("DEMO_KEY", key);
        gate.run()
    };
    for key in ["k3y/of+the\nline", "k3y/of+the\u{7}bell"] {
        let done =
            gate(key).expect_code(2).expect_said(&["`DEMO_KEY` holds a line break or another control character"]);
        nothing_leaked(&done, &[]);
    }
}
