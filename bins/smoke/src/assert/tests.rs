use super::*;
use crate::fixture::{answer, read, silence};

fn vars() -> Vars {
    Vars::from([("id".to_owned(), "a7".to_owned())])
}

/// What is not as `expect` (YAML) has it.
fn against(expect: &str, exchange: &Exchange) -> Vec<Unmet> {
    unmet(&read::<Expect>(expect), exchange, &vars()).unwrap()
}

/// What is said of `$.a` under this matcher, if it does not hold.
fn mismatch_of(matcher: &str, a: &str) -> Option<(String, String)> {
    let body = if a.is_empty() { "{}".to_owned() } else { format!("{{\"a\": {a}}}") };
    let unmet = against(&format!("json: {{ $.a: {matcher} }}"), &answer(200, &[], &body));
    assert!(unmet.iter().all(|unmet| unmet.rule == "json" && unmet.subject == "$.a"), "{unmet:?}");
    unmet.into_iter().next().map(|unmet| (unmet.expected, unmet.seen))
}

#[test]
fn each_operation_holds_where_it_should_and_nowhere_else() {
    for (matcher, holds, fails) in [
        ("healthy", &["\"healthy\""][..], &["\"Healthy\"", "1", "null", "[\"healthy\"]", ""][..]),
        ("'{{ id }}'", &["\"a7\""], &["\"{{ id }}\""]),
        ("1", &["1", "1.0", "10e-1"], &["\"1\"", "2", "true", ""]),
        ("true", &["true"], &["false", "1", "\"true\""]),
        ("null", &["null"], &["0", "false", "\"\"", ""]),
        ("[1, x]", &["[1, \"x\"]"], &["[1]", "[\"x\", 1]", "1"]),
        ("{ equals: { b: 1 } }", &["{\"b\": 1}"], &["{\"b\": 2}", "{\"b\": 1, \"c\": 2}"]),
        ("{ not: failed }", &["\"ok\"", "null", "1"], &["\"failed\"", ""]),
        ("{ one-of: [1, '{{ id }}'] }", &["1", "1.0", "\"a7\""], &["2", "\"a8\"", ""]),
        ("{ contains: '{{ id }}' }", &["\"xa7x\"", "[1, \"a7\"]"], &["\"a\"", "[\"xa7\"]", "7", "{\"a7\": 1}", ""]),
        ("{ contains: 1 }", &["[1.0]"], &["\"1\"", "1"]),
        ("{ matches: '^{{ id }}$' }", &["\"a7\""], &["\"a77\"", "7", "[\"a7\"]", ""]),
        ("{ exists: true }", &["1", "null", "[]"], &[""]),
        ("{ exists: false }", &[""], &["1", "null"]),
        ("{ type: string }", &["\"\""], &["1", "null", ""]),
        ("{ type: number }", &["1", "1.5"], &["\"1\""]),
        ("{ type: boolean }", &["false"], &["0"]),
        ("{ type: array }", &["[]"], &["{}"]),
        ("{ type: object }", &["{}"], &["[]"]),
        ("{ type: 'null' }", &["null"], &["0", ""]),
        ("{ min: 2 }", &["2", "2.5"], &["1.9", "\"3\"", "null", ""]),
        ("{ max: 2 }", &["2", "-1"], &["2.1", "\"1\"", ""]),
        ("{ count: 1 }", &["1", "[]"], &[""]),
        ("{ count: 0 }", &[""], &["1"]),
        ("{ type: number, min: 1, max: 2 }", &["1.5"], &["0", "3", "\"1\""]),
    ] {
        for a in holds {
            assert_eq!(mismatch_of(matcher, a), None, "{matcher} against {a}");
        }
        for a in fails {
            assert!(mismatch_of(matcher, a).is_some(), "{matcher} against {a}");
        }
    }
}

#[test]
fn every_value_that_is_selected_must_hold() {
    let body = r#"{"items": [{"n": 1}, {"n": 2}, {"n": 7}]}"#;
    let seen = |expect: &str| against(expect, &answer(200, &[], body)).into_iter().next().map(|unmet| unmet.seen);
    assert_eq!(seen("json: { '$.items[*].n': { min: 1 } }"), None);
    assert_eq!(seen("json: { '$.items[*].n': { max: 2 } }").as_deref(), Some("`7`"));
    assert_eq!(seen("json: { '$.items[*].n': { count: 2 } }").as_deref(), Some("3"));
    assert_eq!(seen("json: { '$.items[?@.n == 8]': { exists: false } }"), None);
    assert!(seen("json: { '$.items[?@.n == 8].n': { min: 1 } }").is_some(), "nothing selected is nothing measured");
}

#[test]
fn what_was_expected_and_seen_is_said_in_words() {
    for (matcher, a, expected, seen) in [
        ("healthy", "\"degraded\"", "`$.a` is `\"healthy\"`", "`\"degraded\"`"),
        ("{ one-of: [a, 1] }", "null", "`$.a` is one of `\"a\"`, `1`", "`null`"),
        ("{ type: number, min: 2 }", "1", "`$.a` is of type number and is at least 2", "`1`"),
        ("x", "", "`$.a` is `\"x\"`", "nothing there"),
        ("{ exists: false }", "1", "`$.a` is not there", "`1`"),
    ] {
        let (said, saw) = mismatch_of(matcher, a).unwrap();
        // Back-ticks round values are a matter of taste; the words are not.
        let plain = |text: &str| text.replace('`', "");
        assert_eq!((plain(&said), plain(&saw)), (plain(expected), plain(seen)), "{matcher}");
    }
}

#[test]
fn each_rule_is_broken_by_what_breaks_it() {
    let json = [("Content-Type", "application/json")];
    let good = || answer(200, &json, r#"{"a": 1}"#);
    let all = "{ status: 200, within: 10ms, headers: { content-type: { contains: json } }, json: { $.a: 1 }, \
               body: { contains: a } }";
    assert_eq!(against(all, &good()), []);
    for (exchange, rules) in [
        (answer(500, &json, r#"{"a": 1}"#), &["status"][..]),
        (Exchange { duration_ms: 10.1, ..good() }, &["within"]),
        (answer(200, &[("content-type", "text/json5")], r#"{"a": 1}"#), &[]),
        (answer(200, &[("content-type", "text/html")], r#"{"a": 1}"#), &["header"]),
        (answer(200, &[], r#"{"a": 1}"#), &["header"]),
        (answer(200, &json, r#"{"a": 2}"#), &["json"]),
        (answer(200, &json, "a page"), &["json"]),
        (answer(200, &json, ""), &["json", "body"]),
        (answer(200, &json, r#"{"b": 2}"#), &["json", "body"]),
        // A wrong status is told alone.
        (Exchange { duration_ms: 99.0, ..answer(404, &[], "no") }, &["status"]),
        // So is an answer that is not whole, whatever came of it.
        (Exchange { failure: silence(FailureKind::Incomplete).failure, ..good() }, &["transport"]),
        (silence(FailureKind::Refused), &["transport"]),
    ] {
        let broken: Vec<&str> = against(all, &exchange).iter().map(|unmet| unmet.rule).collect();
        assert_eq!(broken, rules, "{exchange:?}");
    }
}

#[test]
fn without_a_status_any_2xx_will_do() {
    for (status, holds) in
        [(200, true), (204, true), (299, true), (199, false), (301, false), (404, false), (500, false)]
    {
        assert_eq!(against("{}", &answer(status, &[], "")).is_empty(), holds, "{status}");
    }
}

#[test]
fn a_header_is_found_in_any_case_and_its_values_are_one() {
    let exchange = answer(200, &[("Vary", "a"), ("vary", "b")], "");
    assert_eq!(against("headers: { VARY: 'a, b' }", &exchange), []);
    let unmet = against("headers: { x-gone: { exists: true } }", &exchange);
    assert_eq!((unmet[0].subject.as_str(), unmet[0].seen.as_str()), ("x-gone", "nothing"));
    assert_eq!(against("headers: { x-gone: { exists: false } }", &exchange), []);
}

#[test]
fn silence_is_told_from_half_an_answer() {
    for (exchange, no_answer, ours) in [
        (silence(FailureKind::Refused), true, false),
        (silence(FailureKind::Resolve), true, false),
        (silence(FailureKind::Timeout), true, false),
        (Exchange { first_byte_ms: Some(1.0), ..silence(FailureKind::Timeout) }, false, false),
        (silence(FailureKind::Protocol), false, false),
        (silence(FailureKind::UnusableRequest), true, true),
        (Exchange { failure: None, ..silence(FailureKind::Refused) }, true, false),
    ] {
        let unmet = against("{}", &exchange);
        assert_eq!((unmet[0].no_answer, unmet[0].ours), (no_answer, ours), "{exchange:?}");
    }
}

#[test]
fn a_wrong_status_is_thought_about() {
    let because = |status, headers: &[(&str, &str)]| {
        against("{}", &answer(status, headers, "")).remove(0).because.unwrap_or_default()
    };
    assert!(because(302, &[("location", "/login")]).contains("redirects are not followed"));
    assert!(because(401, &[]).contains("the key was not accepted"));
    assert!(because(429, &[]).contains("rate limit"));
    assert!(because(503, &[]).contains("a proxy answered"));
    assert_eq!(because(500, &[]), "");
    let unmet = against("{}", &answer(302, &[("location", "/login")], "body")).remove(0);
    assert_eq!(unmet.seen, "302, to `/login`");
}

#[test]
fn a_variable_without_a_value_is_named() {
    for expect in [
        "json: { $.a: '{{ gone }}' }",
        "json: { '$.{{ gone }}': 1 }",
        "headers: { x: '{{ gone }}' }",
        "body: { matches: '{{ gone }}' }",
    ] {
        let missing = unmet(&read::<Expect>(expect), &answer(200, &[], "{}"), &vars());
        assert_eq!(missing, Err(Missing("gone".to_owned())), "{expect}");
    }
}

#[test]
fn an_excerpt_is_one_short_line() {
    assert_eq!(excerpt(" a\n\tb  c "), "a b c");
    let long = excerpt(&"é".repeat(500));
    assert_eq!(long.chars().count(), EXCERPT + 1);
    assert!(long.ends_with('…'));
}
