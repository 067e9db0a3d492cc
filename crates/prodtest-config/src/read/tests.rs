//! What is read, and each error as a user sees it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::{Located, Period};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Section {
    scenarios: Vec<String>,
    #[serde(default)]
    timeout: Option<Period>,
    #[serde(default)]
    retries: u8,
    #[serde(default)]
    mode: Option<Mode>,
    #[serde(default)]
    ratio: f64,
    #[serde(default)]
    strict: bool,
    #[serde(default)]
    pair: Option<(u8, String)>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    Quick,
    Thorough { rounds: u8 },
    Only(Vec<Located<String>>),
}

fn read(text: &str) -> Result<Section, ConfigError> {
    Node::parse("prodtest.yaml", text)?.read()
}

fn problem(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn values_become_what_they_are_read_as() {
    let section = read(
        "scenarios: [a.yaml, \"1\"]\ntimeout: 1m30s\nretries: 0x10\nmode: {only: [x]}\nratio: 1\nstrict: true\npair: [1, b]\n",
    )
    .unwrap();
    assert_eq!(section.scenarios, ["a.yaml", "1"]);
    assert_eq!(section.timeout.unwrap().to_string(), "1m30s");
    assert_eq!((section.retries, section.ratio, section.strict), (16, 1.0, true));
    assert_eq!(section.pair, Some((1, "b".to_owned())));
    let Some(Mode::Only(only)) = section.mode else { panic!("{:?}", section.mode) };
    assert_eq!((only[0].as_str(), only[0].place.to_string().as_str()), ("x", "prodtest.yaml:4:15"));
    assert_eq!(read("{scenarios: [], mode: quick, timeout: }").unwrap().mode, Some(Mode::Quick));
    assert_eq!(read("{scenarios: [], mode: {quick: }}").unwrap().mode, Some(Mode::Quick));
    let rounds = read("{scenarios: [], mode: {thorough: {rounds: 2}}}").unwrap().mode;
    assert_eq!(rounds, Some(Mode::Thorough { rounds: 2 }));
}

#[test]
fn json_takes_everything_in_its_order() {
    let node = Node::parse("x.yaml", "{b: [1, -2, 1.5, true, ~], a: {1: x}}").unwrap();
    let json: serde_json::Value = node.read().unwrap();
    assert_eq!(json.to_string(), r#"{"b":[1,-2,1.5,true,null],"a":{"1":"x"}}"#);
}

#[test]
fn a_wrong_type_says_what_was_expected_and_what_was_seen() {
    for (text, expected) in [
        ("scenarios: a.yaml", "1:12: expected a list, seen the text `a.yaml`"),
        ("scenarios: [a, 1.10]", "1:16: expected a text, seen the number `1.10`"),
        ("scenarios: [{a: b}]", "1:13: expected a text, seen a map"),
        ("scenarios:", "1:10: expected a list, seen nothing"),
        ("{scenarios: [], retries: 256}", "1:26: expected a whole number from 0 to 255, seen the number `256`"),
        ("{scenarios: [], retries: 1.0}", "1:26: expected a whole number from 0 to 255, seen the number `1.0`"),
        ("{scenarios: [], retries: '3'}", "1:26: expected a whole number from 0 to 255, seen the text `3`"),
        ("{scenarios: [], strict: yes}", "1:25: expected `true` or `false`, seen the text `yes`"),
        ("{scenarios: [], ratio: [1]}", "1:24: expected a number, seen a list"),
        ("{scenarios: [], pair: [1]}", "1:23: expected a list of 2, seen one of 1"),
        ("{scenarios: [], timeout: 10}", "1:26: `10` has no unit"),
        ("{scenarios: [], timeout: -5s}", "1:26: `-5s` is negative"),
        ("{scenarios: [], timeout: [1s]}", "1:26: expected a duration such as `2s`, seen a list"),
        ("{scenarios: [], mode: 5}", "1:23: expected a word, seen the number `5`"),
        ("{scenarios: [], mode: {}}", "1:23: expected a key, seen an empty map"),
        ("{scenarios: [], mode: quik}", "1:23: unknown word `quik`"),
        ("{scenarios: [], mode: {onyl: []}}", "1:24: unknown word `onyl`"),
        ("{scenarios: [], mode: {quick: 1}}", "1:31: `quick` takes no value"),
        ("{scenarios: [], mode: thorough}", "1:23: `thorough` needs a value"),
        ("{scenarios: [], mode: {thorough: {}}}", "1:34: missing key `rounds`"),
        ("{scenarios: [], mode: {only: [], quick: }}", "1:34: expected one key, and here is a second one, `quick`"),
        ("[scenarios]", "1:1: expected a map, seen a list"),
        ("retries: 1", "1:1: missing key `scenarios`"),
        ("scenarios: []\nsecnarios: []", "2:1: unknown key `secnarios`"),
    ] {
        assert_eq!(problem(text), format!("prodtest.yaml:{expected}"), "{text}");
    }
}

#[test]
fn an_unknown_key_shows_its_line_and_the_nearest_one() {
    let error = read("# what smoke does\nsecnarios: [scenarios/*.yaml]\n").unwrap_err();
    insta::assert_snapshot!(error.render(false), @r"
    error: unknown key `secnarios`
     --> prodtest.yaml:2:1
      |
    2 | secnarios: [scenarios/*.yaml]
      | ^^^^^^^^^
      |
      = note: known here: `scenarios`, `timeout`, `retries`, `mode`, `ratio`, `strict` and `pair`
      = hint: did you mean `scenarios`?
    ");
}

#[test]
fn a_key_like_no_other_lists_them_all() {
    let error = read("{scenarios: [], colour: red}").unwrap_err();
    insta::assert_snapshot!(error.render(false), @r"
    error: unknown key `colour`
     --> prodtest.yaml:1:17
      |
    1 | {scenarios: [], colour: red}
      |                 ^^^^^^
      |
      = hint: known here: `scenarios`, `timeout`, `retries`, `mode`, `ratio`, `strict` and `pair`
    ");
}

#[test]
fn a_wrong_type_shows_its_value() {
    let error = read("scenarios: [a]\nretries: three\n").unwrap_err();
    insta::assert_snapshot!(error.render(false), @r"
    error: expected a whole number from 0 to 255, seen the text `three`
     --> prodtest.yaml:2:10
      |
    2 | retries: three
      |          ^^^^^
    ");
}

#[test]
fn a_number_where_a_text_is_wanted_is_put_in_quotes() {
    let error = read("scenarios:\n  - 1.10 # a version\n").unwrap_err();
    insta::assert_snapshot!(error.render(false), @r#"
    error: expected a text, seen the number `1.10`
     --> prodtest.yaml:2:5
      |
    2 |   - 1.10 # a version
      |     ^^^^
      |
      = hint: put it in quotes: "1.10"
    "#);
}

#[test]
fn a_bad_duration_shows_how_to_write_one() {
    let error = read("scenarios: []\ntimeout: 10\n").unwrap_err();
    insta::assert_snapshot!(error.render(false), @r"
    error: `10` has no unit
     --> prodtest.yaml:2:10
      |
    2 | timeout: 10
      |          ^^
      |
      = hint: write `10s`, `10ms`, `10m` or `10h`
    ");
}

#[test]
fn an_error_in_a_value_with_anchors_is_where_the_value_is_written() {
    let text = "all: &all\n  a: {retires: 1}\nmine:\n  <<: *all\n";
    let node = Node::parse("x.yaml", text).unwrap();
    let mine: Result<BTreeMap<String, Section>, ConfigError> = node.get("mine").unwrap().read();
    assert_eq!(mine.unwrap_err().to_string(), "x.yaml:2:7: unknown key `retires`");
}

#[test]
fn a_key_written_beside_a_merge_wins() {
    let node = Node::parse("x.yaml", "a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: {x: 4, <<: [*a, {z: 5}]}\n").unwrap();
    let json: serde_json::Value = node.read().unwrap();
    assert_eq!(json["b"], serde_json::json!({ "x": 3, "y": 2 }));
    assert_eq!(json["c"], serde_json::json!({ "x": 4, "y": 2, "z": 5 }));
}

#[test]
fn what_is_repeated_of_a_file_cannot_reach_the_terminal() {
    let error = read("{scenarios: [], \"\\x1b[31m\\nred\": 1}").unwrap_err();
    assert_eq!(error.to_string(), "prodtest.yaml:1:17: unknown key ` [31m red`");
    assert!(!error.render(false).contains('\u{1b}'));
}

#[test]
fn the_keys_of_a_type_are_known() {
    assert_eq!(fields_of::<Section>().first(), Some(&"scenarios"));
    assert!(fields_of::<Mode>().is_empty());
}
