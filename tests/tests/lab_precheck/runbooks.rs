//! Runbooks: a host of the test's own, rules that name its pages, and documents.

use std::{fs, io::Write as _, path::Path, thread, time::Duration};

use prodtest_testkit::{Done, GateCommand, Stub, reply};
use prodtest_tests::Release;
use serde_json::{Value, json};

use crate::told;

/// Runs the gate while that is wrong with the runbooks. Beside what is wrong is always a page that answers, one that is sent on
/// to, and a file.
pub(crate) fn upset(release: &Release<'_>, what: &str, run: &dyn Fn(GateCommand) -> Done) -> Done {
    let everything = what == "every-page";
    let answer = move |line: &str| match line {
        "GET /runbooks/down" => reply("200 OK", &[], "# What to do"),
        "GET /old/down" => reply("301 Moved Permanently", &[("Location", "../runbooks/down")], ""),
        "GET /round" => reply("302 Found", &[("Location", "/round")], ""),
        _ if everything => reply("200 OK", &[], "<form>Log in</form>"),
        _ => reply("404 Not Found", &[], "no such page"),
    };
    let host = Stub::start(move |asked, stream| {
        if asked.line == "GET /silent" {
            // Longer than the gate waits.
            thread::sleep(Duration::from_secs(10));
        }
        stream.write_all(answer(&asked.line).as_bytes())
    });
    let folder = tempfile::tempdir().expect("a folder");
    let page = |path: &str| Value::from(format!("{}{path}", host.url));
    let mut alerts = vec![("Down", page("/runbooks/down")), ("Moved", page("/old/down"))];
    let mut documents = vec![json!("runbooks/deploy.md")];
    match what {
        "not-found" => alerts.push(("Slow", page("/runbooks/slow"))),
        "round" => alerts.push(("Slow", page("/round"))),
        "not-named" => alerts.push(("Slow", Value::Null)),
        "missing-document" => documents.push(json!("runbooks/no-such.md")),
        "every-page" => {}
        "silent" => documents.push(page("/silent")),
        other => panic!("nobody knows what `{other}` is"),
    }
    rules(&folder.path().join("alerts.yaml"), &alerts);
    let rules = folder.path().join("*.yaml");
    let over = json!({ "precheck": { "runbooks": { "documents": documents, "rules": [rules] } } });
    let (gate, _folder) = told::configured(release, &json!({}), &over);
    run(gate)
}

/// A file of Prometheus'.
fn rules(file: &Path, alerts: &[(&str, Value)]) {
    let rules = alerts.iter().map(|(name, url)| {
        json!({ "alert": name, "expr": "up == 0", "annotations": { "runbook_url": url, "summary": "{{ $labels.job }}" } })
    });
    let rules: Vec<Value> = rules.collect();
    fs::write(file, json!({ "groups": [{ "name": "godel", "rules": rules }] }).to_string()).expect("a file");
}
