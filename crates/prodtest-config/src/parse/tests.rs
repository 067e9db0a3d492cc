//! Texts that are not YAML, or are YAML of the worst kind.

use crate::{MAX_FILE_BYTES, Node};

fn problem(text: &str) -> String {
    let error = Node::parse("x.yaml", text).expect_err(text);
    // A report can be made of every error.
    assert!(error.render(false).starts_with("error: ") && error.render(true).contains("error"));
    error.to_string()
}

#[test]
fn what_is_not_one_document_is_refused_where_it_stands() {
    for (text, expected) in [
        ("", "`x.yaml` is empty"),
        ("# nothing\n---\n", "`x.yaml` is empty"),
        ("null", "`x.yaml` is empty"),
        ("a: 1\n---\nb: 2\n", "x.yaml:3:1: a second YAML document"),
        ("a: [1, 2", "x.yaml:1:4: unclosed bracket '['"),
        ("a: 'x", "x.yaml:1:4: unclosed quote"),
        ("a: b: c", "x.yaml:1:5: mapping values are not allowed in this context"),
        ("a: *x", "x.yaml:1:4: an alias of an anchor that is not there"),
        ("a: &x [*x]", "x.yaml:1:8: an alias of what it is part of"),
        ("<<: 3", "x.yaml:1:5: `<<` merges a map, or a list of maps"),
        ("a: .nan", "x.yaml:1:4: `.nan` is not a finite number"),
        ("a: 1e999", "x.yaml:1:4: `1e999` is not a finite number"),
        ("a: 99999999999999999999", "x.yaml:1:4: `99999999999999999999` is too large for a whole number"),
        ("a: !secret b", "x.yaml:1:12: the tag `!secret` means nothing here"),
        ("? [a]\n: b", "x.yaml:1:3: this cannot be a key"),
        ("~: b", "x.yaml:1:1: this cannot be a key"),
        ("a: 1\nb: {c: 1, c: 2}", "x.yaml:2:11: the key `c` is written twice"),
        ("1: a\n1: b", "x.yaml:2:1: the key `1` is written twice"),
        ("a: \0", "x.yaml:1:4: the control character U+0000"),
    ] {
        assert_eq!(problem(text), expected, "{text:?}");
    }
}

#[test]
fn a_tab_is_told_from_spaces() {
    let error = Node::parse("x.yaml", "a:\n\tb: 1\n").unwrap_err();
    assert_eq!(error.place().map(|place| place.line), Some(2));
    assert_eq!(error.hint(), Some("indent with spaces: YAML takes no tabs there"));
}

#[test]
fn a_key_that_is_written_twice_shows_both() {
    let error = Node::parse("x.yaml", "smoke: {}\nservice: godel\nsmoke:\n  scenarios: []\n").unwrap_err();
    insta::assert_snapshot!(error.render(false), @r"
    error: the key `smoke` is written twice
     --> x.yaml:3:1
      |
    1 | smoke: {}
      | ----- first here
    2 | service: godel
    3 | smoke:
      | ^^^^^
      |
      = hint: keep one of them; the other is on line 1
    ");
}

#[test]
fn places_count_characters_whatever_ends_a_line() {
    for text in ["ключ: 'é'\nb: [é, ü]\n", "ключ: 'é'\r\nb: [é, ü]\r\n", "\u{feff}ключ: 'é'\nb: [é, ü]\n"]
    {
        let node = Node::parse("x.yaml", text).unwrap();
        assert_eq!(node.get("ключ").unwrap().place().to_string(), "x.yaml:1:7", "{text:?}");
        let list = node.get("b").unwrap();
        let places: Vec<String> = list.items().map(|item| item.place().to_string()).collect();
        assert_eq!(places, ["x.yaml:2:5", "x.yaml:2:8"], "{text:?}");
    }
}

#[test]
fn depth_and_aliases_are_bounded() {
    let limits = "too deep, or too much";
    assert!(problem(&"[".repeat(10_000)).starts_with("x.yaml:1:"));
    assert!(problem(&"{a: ".repeat(10_000)).starts_with("x.yaml:1:"));
    assert!(problem(&"- ".repeat(10_000)).contains(limits));
    assert!(problem(&format!("{}1{}", "[".repeat(33), "]".repeat(33))).contains(limits));
    let deep = (0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>();
    assert!(problem(&deep).contains(limits));

    let mut laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert!(problem(&laughs).contains(limits), "{}", problem(&laughs));
}

#[test]
fn the_largest_file_is_read_in_good_time() {
    let entries: String = (0..).map(|i| format!("k{i}: v\n")).take(90_000).collect();
    assert!(entries.len() < MAX_FILE_BYTES);
    let started = std::time::Instant::now();
    let node = Node::parse("x.yaml", &entries).unwrap();
    assert_eq!(Node::merge(&node, &node).entries().count(), 90_000);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    // One long line is no trouble either.
    let line = format!("a: [{}]\n", "x, ".repeat(300_000));
    assert!(problem(&line).contains("too deep, or too much"));
}

#[test]
fn what_is_allowed_at_most_can_be_read() {
    let text = format!("{}1{}", "[".repeat(32), "]".repeat(32));
    let value: serde_json::Value = Node::parse("x.yaml", &text).unwrap().read().unwrap();
    assert!(value.is_array());
}
