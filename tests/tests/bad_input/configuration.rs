//! A configuration or a command line that cannot be meant.

use prodtest_testkit::{GateCommand, Project};

use crate::{healthy, refused};

const SCENARIOS: &str = "\
scenarios:
  - id: health
    title: it is healthy
    steps: [{ name: ask, request: GET /health, as: default }]
";

const CONFIG: &str = "\
service: demo
environments:
  test:
    url: http://127.0.0.1:1
    auth: { header: X-API-Key, value: { env: DEMO_KEY } }
  production:
    url: http://127.0.0.1:1
smoke: { scenarios: [scenarios.yaml] }
";

/// What is wrong with a call, and what must be said of it.
struct Wrong {
    /// What is replaced in the configuration.
    edit: (&'static str, &'static str),
    call: fn(GateCommand) -> GateCommand,
    says: &'static [&'static str],
}

/// What a test does not edit.
const NOTHING: (&str, &str) = ("", "");

const WRONGS: [Wrong; 13] = [
    Wrong {
        edit: ("{ scenarios:", "{ scenarioz:"),
        call: test,
        says: &["unknown key `scenarioz`", "prodtest.yaml:8:10", "did you mean `scenarios`?"],
    },
    Wrong {
        edit: ("smoke:", "smoek:"),
        call: test,
        says: &["unknown key `smoek`", "prodtest.yaml:8:1", "did you mean `smoke`?"],
    },
    Wrong {
        edit: ("http://127.0.0.1:1\n    auth", "gopher://127.0.0.1\n    auth"),
        call: test,
        says: &["gopher", "prodtest.yaml:4:10", "http"],
    },
    Wrong {
        edit: NOTHING,
        call: |gate| gate.args(["--env", "prod"]),
        says: &[
            "there is no environment `prod`",
            "prodtest.yaml:2:1",
            "`test` and `production`",
            "did you mean `production`?",
        ],
    },
    Wrong { edit: NOTHING, call: |gate| gate, says: &["test", "production", "--env"] },
    Wrong {
        edit: NOTHING,
        call: |gate| test(gate).args(["--config", "nowhere.yaml"]),
        says: &["there is no file `nowhere.yaml`", "--config FILE"],
    },
    Wrong {
        edit: NOTHING,
        call: |gate| test(gate).env_remove("DEMO_KEY"),
        says: &["the environment variable `DEMO_KEY` is not set", "prodtest.yaml:5:39", "export DEMO_KEY="],
    },
    Wrong {
        edit: NOTHING,
        call: |gate| test(gate).env("DEMO_KEY", "abc"),
        says: &["`DEMO_KEY` holds fewer than 4 characters", "prodtest.yaml:5:39", "use a longer one"],
    },
    Wrong {
        edit: ("{ env: DEMO_KEY }", "a-key-in-the-clear"),
        call: test,
        says: &["a secret is never written in the file", "prodtest.yaml:5:39", "{ env: NAME }"],
    },
    Wrong {
        edit: ("[scenarios.yaml]", "[nothing/*.yaml]"),
        call: test,
        says: &["`nothing/*.yaml` names no file", "prodtest.yaml:8:22", "relative to the file"],
    },
    Wrong {
        edit: NOTHING,
        call: |gate| test(gate).args(["--only", "helth"]),
        says: &["no check is called `helth`", "the checks are", "smoke/health"],
    },
    Wrong {
        edit: NOTHING,
        call: |gate| test(gate).args(["--timeout", "5 parsecs"]),
        says: &["`5 parsecs` is not a duration", "'--timeout <TIME>'", "as in `500ms`"],
    },
    Wrong {
        edit: NOTHING,
        call: |gate| test(gate).env("PRODTEST_TIMEOUT", "5 parsecs"),
        says: &["`5 parsecs` is not a duration", "it comes from the environment variable `PRODTEST_TIMEOUT`"],
    },
];

fn test(gate: GateCommand) -> GateCommand {
    gate.args(["--env", "test"])
}

#[test]
fn a_wrong_call_is_refused_before_anything_is_asked() {
    for Wrong { edit: (from, to), call, says } in WRONGS {
        assert!(CONFIG.contains(from), "`{from}` is not in the configuration");
        let project = Project::new(&[("prodtest.yaml", &CONFIG.replacen(from, to, 1)), ("scenarios.yaml", SCENARIOS)]);
        let service = healthy();
        let done = call(project.gate_against(&service)).run();
        assert!(!done.said().contains("a-key-in-the-clear"), "{}", done.said());
        refused(done, &service, says);
    }
}

/// The table above proves something only if what is not wrong is accepted.
#[test]
fn the_same_call_without_a_mistake_passes() {
    let project = Project::new(&[("prodtest.yaml", CONFIG), ("scenarios.yaml", SCENARIOS)]);
    let service = healthy();
    let done = test(project.gate_against(&service)).run().expect_code(0);
    assert_eq!(done.outcomes("smoke"), [("health".to_owned(), "passed".to_owned())]);
    assert_eq!(service.asked().len(), 1);
}

#[test]
fn an_authority_that_is_none_is_refused() {
    let project = Project::new(&[("prodtest.yaml", CONFIG), ("scenarios.yaml", SCENARIOS), ("ca.pem", "no PEM")]);
    for (file, says) in [("nowhere.pem", "could not be read"), ("ca.pem", "BEGIN CERTIFICATE")] {
        let service = healthy();
        let done = test(project.gate_against(&service)).args(["--ca", file]).run();
        refused(done, &service, &[says]);
    }
}
