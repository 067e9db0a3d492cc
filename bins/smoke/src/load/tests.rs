use super::*;
use crate::fixture::read;

/// Who can be named: `default`.
fn environment() -> Environment {
    read("{ url: 'http://127.0.0.1', auth: { header: X-Key, value: { env: KEY } } }")
}

/// What is said of these scenarios: the place, the message and the hint.
fn refused(yaml: &str) -> Option<String> {
    let file: ScenarioFile = read(yaml);
    let error = check(&file.scenarios, &environment()).err()?;
    Some(format!("{error}; {}", error.hint().unwrap_or_default()))
}

fn steps(steps: &str) -> String {
    format!("scenarios: [{{ id: demo, title: t, steps: [{steps}] }}]")
}

#[test]
fn what_can_be_run_is_accepted() {
    for good in [
        "{ name: a, request: 'GET /{{ run }}', expect: { json: { $.v: '{{ expected_version }}' } } }",
        "{ name: a, request: GET /, capture: { id: $.id } }, { name: b, request: 'GET /{{ id }}' }",
        "{ name: a, request: GET /, capture: { id: $.id } }, { name: b, request: GET /, expect: { body: { matches: '^{{ id }}$' } } }",
        "{ name: a, request: GET /, capture: { id: $.id } }, { name: b, request: GET /, expect: { json: { \"$[?@.id == '{{ id }}']\": { exists: false } } } }",
        "{ name: a, request: GET /, headers: { x: '{{ index }}' }, burst: { requests: 10000, at-once: 1 } }",
        "{ name: a, request: GET /, until: { every: 1s, within: 2s, stop-when: { status: 500 } } }",
        "{ name: a, certificate: { min-days: 1 } }",
        "{ name: a, request: GET /, as: default }",
    ] {
        assert_eq!(refused(&steps(good)), None, "{good}");
    }
}

#[test]
fn what_could_not_be_run_is_refused() {
    for (bad, says) in [
        // A capture is known only after its step.
        ("{ name: a, request: 'GET /{{ id }}', capture: { id: $.id } }", "unknown variable `id`"),
        ("{ name: a, request: GET /, headers: { x: '{{ index }}' } }", "unknown variable `index`"),
        ("{ name: a, request: POST /, json: { a: [{ b: '{{ x }}' }] } }", "unknown variable `x`"),
        ("{ name: a, request: POST /, text: '{{ x }}' }", "unknown variable `x`"),
        ("{ name: a, request: GET /, expect: { headers: { x: { one-of: ['{{ x }}'] } } } }", "unknown variable `x`"),
        (
            "{ name: a, request: GET /, until: { every: 1s, attempts: 2, stop-when: { json: { $.a: '{{ x }}' } } } }",
            "unknown variable `x`",
        ),
        (
            "{ name: a, request: GET /, until: { every: 1s, attempts: 2, stop-when: { body: { matches: '(' } } } }",
            "is not a regular expression",
        ),
        ("{ name: a, request: GET /, until: { every: 1s, attempts: 0 } }", "give at least one"),
        ("{ name: a, request: GET /, capture: { id: { json: $.a, header: b } } }", "either `json` or `header`"),
        ("{ name: a, request: GET /, capture: { id: {} } }", "either `json` or `header`"),
        ("{ name: a, request: GET /, capture: { id: '$[' } }", "`$[` is not a JSONPath query"),
        ("{ name: a, request: GET /, certificate: {} }", "either a `request` or a `certificate`"),
        ("{ name: a, certificate: {}, expect: { status: 200 } }", "takes neither `expect`"),
        ("{ name: a, request: POST /, json: {}, text: x }", "either `json` or `text`"),
        ("{ name: a, request: GET /, burst: { requests: 0 } }", "1 to 10000 requests"),
        ("{ name: a, request: GET /, burst: { requests: 10001 } }", "1 to 10000 requests"),
        ("{ name: a, request: GET /, burst: { requests: 2, at-once: 0 } }", "1 to 10000 requests"),
        ("{ name: a, request: GET /, burst: { requests: 2 }, capture: { id: $.id } }", "neither `until` nor `capture`"),
        ("{ name: a, request: GET /, as: admin }", "unknown identity `admin`; known here: `default`"),
    ] {
        let said = refused(&steps(bad)).unwrap_or_else(|| panic!("{bad} was accepted"));
        assert!(said.contains(says), "{bad}: {said}");
        assert!(said.starts_with("s.yaml:1:"), "{said}");
    }
}

#[test]
fn names_are_checked_across_scenarios() {
    let step = "steps: [{ name: a, request: GET / }]";
    for (scenarios, says) in [
        (format!("[{{ id: a, title: t, {step} }}, {{ id: a, title: t, {step} }}]"), "two scenarios are called `a`"),
        (format!("[{{ id: A b, title: t, {step} }}]"), "is not a check id"),
        (
            format!("[{{ id: health, title: t, {step} }}, {{ id: b, title: t, needs: [helth], {step} }}]"),
            "did you mean `health`?",
        ),
    ] {
        let said = refused(&format!("scenarios: {scenarios}")).unwrap();
        assert!(said.contains(says), "{said}");
    }
    // Later ones may be needed by earlier ones, and `always` may use what steps captured.
    let ahead = format!("[{{ id: a, title: t, needs: [b], {step} }}, {{ id: b, title: t, {step} }}]");
    assert_eq!(refused(&format!("scenarios: {ahead}")), None);
    let always = "scenarios: [{ id: a, title: t, steps: [{ name: a, request: GET /, capture: { id: $.id } }], always: [{ name: b, request: 'DELETE /{{ id }}' }] }]";
    assert_eq!(refused(always), None);
}

#[test]
fn a_suite_has_a_name_of_its_own() {
    let file: ScenarioFile = read(&steps("{ name: a, request: GET / }"));
    let refused = |suite: &str| {
        let list: Vec<Located<Suite>> = read(suite);
        suites(&list, &file.scenarios).err().map(|error| error.to_string())
    };
    assert_eq!(refused("[{ name: e2e, junit: a.xml, needs: [demo] }, { name: ui, junit: b.xml }]"), None);
    for (suite, says) in [
        ("[{ name: demo, junit: a.xml }]", "a scenario or another suite is called `demo`"),
        ("[{ name: a, junit: a.xml }, { name: a, junit: a.xml }]", "a scenario or another suite is called `a`"),
        ("[{ name: E2E, junit: a.xml }]", "is not a check id"),
        ("[{ name: e2e, junit: a.xml, needs: [dmeo] }]", "unknown scenario `dmeo`"),
    ] {
        assert!(refused(suite).unwrap().contains(says), "{suite}");
    }
}

#[test]
fn a_pattern_names_its_files_in_order() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.yaml", "a.yaml", "c.txt"] {
        let text = format!("scenarios: [{{ id: {}, title: t, steps: [{{ name: a, request: GET / }}] }}]", &name[..1]);
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let at = |pattern: &str| {
        Located::new(FilePath(folder.path().join(pattern)), Place { file: "p.yaml".into(), line: 1, column: 1 })
    };
    let ids = |patterns: &[Located<FilePath>], more: &[PathBuf]| {
        let loaded = scenarios(patterns, more, &environment());
        loaded
            .map(|all| all.into_iter().map(|one| one.value.id.value).collect::<Vec<_>>())
            .map_err(|error| error.to_string())
    };
    assert_eq!(ids(&[at("*.yaml")], &[folder.path().join("c.txt")]).unwrap(), ["a", "b", "c"]);
    assert!(ids(&[at("*.yml")], &[]).unwrap_err().starts_with("p.yaml:1:1: `"));
    assert!(ids(&[at("gone.yaml")], &[]).unwrap_err().contains("there is no file"));
    assert!(ids(&[at("a.yaml"), at("*.yaml")], &[]).unwrap_err().contains("two scenarios are called `a`"));
}
