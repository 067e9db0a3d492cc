//! What can be wrong with environments.

use crate::{Config, ConfigError, Source};

fn load(environments: &str) -> Result<Config, ConfigError> {
    let text = format!("service: godel\nenvironments:\n{environments}");
    Config::of(&Source::new("prodtest.yaml", &text)?, "smoke", Some("a"))
}

fn problem(environments: &str) -> ConfigError {
    load(environments).unwrap_err()
}

#[test]
fn environments_may_build_on_each_other() {
    let config = load(
        "  a: {extends: b, protected: true}\n  b: {extends: c, version: '2'}\n  c: {version: '1', url: http://c}\n",
    );
    let environment = config.unwrap().environment;
    assert_eq!(environment.version.unwrap().as_str(), "2");
    assert!(environment.protected && environment.url.is_some());
}

#[test]
fn nothing_takes_away_what_was_inherited() {
    let config = load("  a: {extends: b, version: }\n  b: {version: '1', url: http://b}\n").unwrap();
    assert!(config.environment.version.is_none() && config.environment.url.is_some());
}

#[test]
fn a_circle_is_shown_whole() {
    let error = problem("  a:\n    extends: b\n  b:\n    extends: c\n  c:\n    extends: b\n");
    insta::assert_snapshot!(error.render(false), @r"
    error: environments extend each other in a circle: b → c → b
     --> prodtest.yaml:8:14
      |
    6 |     extends: c
      |              - `b` extends `c`
    7 |   c:
    8 |     extends: b
      |              ^
      |
      = hint: let one of them stand alone
    ");
    let itself = problem("  a: {extends: a}\n");
    assert_eq!(itself.message(), "environments extend each other in a circle: a → a");
}

#[test]
fn an_unknown_key_of_an_environment_is_told_with_the_nearest() {
    let error = problem("  a:\n    ulr: http://a\n");
    insta::assert_snapshot!(error.render(false), @r"
    error: unknown key `ulr`
     --> prodtest.yaml:4:5
      |
    4 |     ulr: http://a
      |     ^^^
      |
      = note: known here: `extends`, `url`, `version`, `protected`, `tls`, `connect`, `kubernetes`, `chart`, `manifests`, `image`, `auth`, `identities`, `precheck`, `deploy`, `verify`, `smoke`, `perf`, `scan`, `rollback`, `monitor`, `resilience` and `release`
      = hint: did you mean `url`?
    ");
}

#[test]
fn a_secret_in_the_clear_is_not_shown() {
    let error = problem("  a:\n    auth: { header: X-API-Key, value: hunter22 }\n");
    insta::assert_snapshot!(error.render(false), @r"
    error: a secret is never written in the file
    --> prodtest.yaml:4:39
     = note: the line is not shown; if what stands there is a real secret, it needs replacing
     = hint: say where it is: `{ env: NAME }`, `{ file: PATH }` or `{ kubernetes: { secret: NAME, key: KEY } }`
    ");
    let error = problem("  a:\n    url: http://me:hunter22@host\n");
    insta::assert_snapshot!(error.render(false), @r"
    error: the address holds a user or a password
     --> prodtest.yaml:4:10
      |
    4 |     url: http://***********@host
      |          ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = hint: write the address alone; `auth` says which header carries the secret
    ");
}

#[test]
fn mistakes_are_found_in_every_environment() {
    for (environments, expected) in [
        ("  a: {extends: x}\n", "3:16: unknown environment `x`"),
        ("  a: {extends: [b]}\n", "3:16: expected a text, seen a list"),
        ("  a: 5\n", "3:6: expected a map, seen the number `5`"),
        ("  a: {extends: b}\n  b: text\n", "4:6: expected a map, seen the text `text`"),
        ("  a: {}\n  b c: {}\n", "4:3: `b c` cannot be the name of an environment"),
        ("  a: {}\n  ../b: {}\n", "4:3: `../b` cannot be the name of an environment"),
        ("  a:\n  b: {protected: maybe}\n", "4:18: expected `true` or `false`, seen the text `maybe`"),
        ("  a: {tls: {min-days: -1}}\n", "3:23: expected a whole number from 0 to 4294967295, seen the number `-1`"),
        ("  a: {connect: localhost}\n", "3:16: `localhost` is not `HOST:PORT`"),
        ("  a: {version: 1.10}\n", "3:16: expected a text, seen the number `1.10`"),
        ("  a: {auth: {header: X}}\n", "3:13: missing key `value`"),
        ("  a: {auth: {header: 'X:', value: {env: K}}}\n", "3:22: `X:` is not the name of a header"),
        ("  a: {auth: {header: X, value: {}}}\n", "3:32: a secret is in one place"),
        ("  a: {auth: {header: X, value: {vault: K}}}\n", "3:33: a secret by reference has no such key"),
        ("  a: {kubernetes: {}}\n", "3:19: missing key `namespace`"),
        ("  a: {kubernetes: {namespace: Godel}}\n", "3:31: `Godel` is not the name of a namespace"),
        ("  a: {image: {repository: a, values-key: a..b}}\n", "3:42: `a..b` is not the path of a value"),
        ("  a: {kubernetes: {namespace: a, releases: b}}\n", "3:34: unknown key `releases`"),
        (
            "  a: {identities: {default: {header: X, value: {env: K}}}}\n",
            "3:29: the identity `default` is written as `auth`",
        ),
    ] {
        let problem = problem(environments).to_string();
        assert_eq!(problem, format!("prodtest.yaml:{expected}"), "{environments}");
    }
}

#[test]
fn the_cluster_of_an_environment_is_laid_over_the_one_it_extends() {
    let config = load(
        "  a: {extends: b, kubernetes: {namespace: production}}\n  b: {kubernetes: {namespace: staging, context: eu, kubeconfig: kube.yaml}}\n",
    );
    let cluster = config.unwrap().environment.kubernetes.unwrap();
    assert_eq!(cluster.namespace.as_str(), "production");
    assert_eq!(
        (cluster.context.unwrap().as_str(), cluster.kubeconfig.unwrap().to_string()),
        ("eu", "kube.yaml".into())
    );
}
