//! Whole files, as a gate sees them.

use prodtest_gate::WaiverTarget;
use serde::Deserialize;

use super::*;

const FILE: &str = "\
service: godel
environments:
  local: { url: http://127.0.0.1:7373 }
  staging:
    url: https://staging.example.com
    version: 1.2.3
    tls: { ca: ca.pem }
    connect: 127.0.0.1:8443
    auth: { header: X-API-Key, value: { env: STAGING_KEY } }
    identities:
      other: { header: X-API-Key, value: { file: other.key }, optional: true }
    smoke: { retries: 2 }
  production:
    extends: staging
    protected: true
    auth: { value: { file: production.key } }
    smoke: { scenarios: [one.yaml] }
waivers:
  - { check: smoke/auth-required, reason: known, owner: ops, expires: 2026-12-31 }
  - { check: perf/latency, reason: known, owner: ops, expires: 2026-12-31 }
smoke:
  scenarios: [scenarios/*.yaml]
  retries: 1
perf: { whatever: [perf reads] }
";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Smoke {
    scenarios: Vec<crate::FilePath>,
    #[serde(default)]
    retries: u8,
}

fn load(text: &str, gate: &str, environment: Option<&str>) -> Result<Config, ConfigError> {
    Config::of(&Source::new("godel/prodtest.yaml", text)?, gate, environment)
}

fn problem(text: &str) -> String {
    load(text, "smoke", None).unwrap_err().to_string()
}

#[test]
fn a_gate_sees_its_environment_and_its_section() {
    let config = load(FILE, "smoke", Some("staging")).unwrap();
    assert_eq!((config.service.as_str(), config.environment_name.as_str()), ("godel", "staging"));
    assert_eq!((config.label.as_str(), config.folder.as_path()), ("godel/prodtest.yaml", Path::new("godel")));
    let environment = &config.environment;
    assert_eq!(environment.url.as_ref().unwrap().as_str(), "https://staging.example.com/");
    assert_eq!(environment.url.as_ref().unwrap().place.to_string(), "godel/prodtest.yaml:5:10");
    assert_eq!(environment.tls.ca.as_ref().unwrap().to_string(), "godel/ca.pem");
    assert_eq!((environment.tls.min_days, environment.protected), (14, false));
    assert_eq!(environment.connect.as_ref().unwrap().to_string(), "127.0.0.1:8443");
    assert_eq!(environment.identity_names().collect::<Vec<_>>(), ["default", "other"]);
    assert!(environment.identity("other").unwrap().optional && !environment.identity("default").unwrap().optional);
    assert!(environment.identity("nobody").is_none());
    let section: Smoke = config.section.read().unwrap();
    assert_eq!((section.scenarios[0].to_string().as_str(), section.retries), ("godel/scenarios/*.yaml", 2));
    let targets: Vec<_> = config.waivers.iter().map(|waiver| waiver.target.clone()).collect();
    assert_eq!(targets, [WaiverTarget::Check("smoke/auth-required".parse().unwrap())]);
}

#[test]
fn an_environment_is_laid_over_the_one_it_extends() {
    let config = load(FILE, "smoke", Some("production")).unwrap();
    let environment = &config.environment;
    assert!(environment.protected && environment.version.is_some());
    let auth = environment.identity("default").unwrap();
    assert_eq!(
        (auth.header.as_str(), auth.secret.to_string().as_str()),
        ("X-API-Key", "the file `godel/production.key`")
    );
    let section: Smoke = config.section.read().unwrap();
    assert_eq!((section.scenarios[0].to_string().as_str(), section.retries), ("godel/one.yaml", 2));
}

#[test]
fn a_gate_without_a_section_reads_an_empty_one() {
    let config = load(FILE, "scan", Some("local")).unwrap();
    assert_eq!(config.section.entries().count(), 0);
    let error = config.section.read::<Smoke>().unwrap_err();
    assert_eq!(error.to_string(), "godel/prodtest.yaml:1:1: missing key `scenarios`: there is no section `scan`");
    // Written, but with nothing in it: the same as absent, and no end to the top-level one.
    let text = "service: a\nenvironments: {e: {smoke: }}\nsmoke: {scenarios: [x]}\n";
    assert_eq!(load(text, "smoke", None).unwrap().section.read::<Smoke>().unwrap().scenarios.len(), 1);
}

#[test]
fn what_is_wrong_at_the_top_is_told() {
    for (text, expected) in [
        ("- a", "1:1: expected a map, seen a list"),
        ("godel", "1:1: expected a map, seen the text `godel`"),
        ("environments: {e: }", "1:1: missing key `service`"),
        ("service: a", "1:1: missing key `environments`"),
        ("service: ' '\nenvironments: {e: }", "1:10: expected a name in one line, seen the text ` `"),
        ("service: \"a\\nb\"\nenvironments: {e: }", "1:10: expected a name in one line, seen the text `a…`"),
        ("service: 5\nenvironments: {e: }", "1:10: expected a text, seen the number `5`"),
        ("service: a\nenvironments:", "2:1: no environment, and at least one is needed"),
        ("service: a\nenvironments: [e]", "2:15: expected a map of environments, seen a list"),
        ("service: a\nenvironments: {a: , b: }", "2:1: 2 environments, and none is chosen"),
        ("service: a\nenvironments: {e: }\nsmoek: {}", "3:1: unknown key `smoek`"),
        ("service: a\nenvironments: {e: }\nurl: http://a", "3:1: `url` belongs to an environment"),
    ] {
        assert_eq!(problem(text), format!("godel/prodtest.yaml:{expected}"), "{text}");
    }
    assert_eq!(problem(""), "`godel/prodtest.yaml` is empty");
    assert_eq!(load(FILE, "smoke", Some("stagin")).unwrap_err().hint(), Some("did you mean `staging`?"));
    assert_eq!(
        load(FILE, "smoke", None).unwrap_err().hint(),
        Some("name one by `--env`: `local`, `staging` and `production`")
    );
}

#[test]
fn the_sections_of_other_gates_are_left_unread() {
    let text = "service: a\nenvironments: {e: {perf: [nonsense]}}\nscan: 5\n";
    assert!(load(text, "smoke", None).is_ok());
    assert!(load("service: a\nenvironments: {e: }\nmine: {}\n", "mine", None).is_ok(), "a gate knows its own name");
}

#[test]
fn an_error_made_from_a_place_can_show_its_line() {
    let config = load(FILE, "smoke", Some("staging")).unwrap();
    let auth = config.environment.identity("default").unwrap();
    let mut secrets = crate::Secrets::new(|_| None);
    let error = config.explain(secrets.resolve(&auth.secret).unwrap_err());
    insta::assert_snapshot!(error.render(false), @r"
    error: the environment variable `STAGING_KEY` is not set
     --> godel/prodtest.yaml:9:39
      |
    9 |     auth: { header: X-API-Key, value: { env: STAGING_KEY } }
      |                                       ^^^^^^^^^^^^^^^^^^^^
      |
      = hint: export STAGING_KEY=…
    ");
}

#[test]
fn a_file_is_read_from_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prodtest.yaml");
    std::fs::write(&path, "service: a\nenvironments: {e: {tls: {ca: ca.pem}}}\nwaivers: waivers.yaml\n").unwrap();
    let missing = Config::load(&path, "smoke", None).unwrap_err();
    assert!(missing.to_string().contains("prodtest.yaml:3:10: there is no file `"), "{missing}");
    std::fs::write(
        folder.path().join("waivers.yaml"),
        "- { check: smoke/a, reason: known, owner: ops, expires: 2026-12-31 }\n",
    )
    .unwrap();
    let config = Config::load(&path, "smoke", Some("e")).unwrap();
    assert_eq!(config.environment.tls.ca.unwrap().0, folder.path().join("ca.pem"));
    assert!(config.waivers[0].place.file.ends_with("waivers.yaml"));
}
