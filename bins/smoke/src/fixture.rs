//! What the unit tests share: answers, and plans made of YAML.

use std::rc::Rc;

use clap::{Args, Command, FromArgMatches};
use prodtest_cli::{CommandLine, Common, Input, Selection};
use prodtest_config::{Config, Located, Node};
use prodtest_http::{Body, Exchange, Failure, FailureKind, Response};
use serde::de::DeserializeOwned;

use crate::{
    facts::{Attempt, Facts, ScenarioFacts, StepFacts},
    gate::{Flags, Smoke},
    plan::{Plan, Planned},
    scenario::{Scenario, ScenarioFile},
};

/// What a user writes, at `s.yaml`.
pub(crate) fn read<T: DeserializeOwned>(yaml: &str) -> T {
    Node::parse("s.yaml", yaml).unwrap().read().unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

/// An answer that took 5 ms.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Exchange {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let body = Body { text: body.to_owned(), bytes: body.len() as u64, cut: false, binary: false };
    Exchange {
        duration_ms: 5.0,
        first_byte_ms: Some(4.0),
        reused: false,
        found_closed: false,
        resent: false,
        response: Some(Response { status, headers, body }),
        failure: None,
    }
}

/// No answer.
pub(crate) fn silence(kind: FailureKind) -> Exchange {
    let failure = Failure { kind, message: format!("it was {kind}") };
    Exchange { first_byte_ms: None, response: None, failure: Some(failure), ..answer(0, &[], "") }
}

/// A step that was done, with what came of each try, 100 ms after one another.
pub(crate) fn done(name: &str, exchanges: Vec<Exchange>) -> StepFacts {
    let attempts = exchanges.into_iter().zip(0_u32..);
    StepFacts {
        name: name.to_owned(),
        asked: "GET http://demo.example/".to_owned(),
        attempts: attempts.map(|(exchange, i)| Attempt { at_ms: f64::from(i) * 100.0, exchange }).collect(),
        ..StepFacts::default()
    }
}

/// What was seen of the scenario `demo`.
pub(crate) fn seen(steps: Vec<StepFacts>, always: Vec<StepFacts>) -> Facts {
    let demo = ScenarioFacts { id: "demo".to_owned(), duration_ms: 7.0, steps, always };
    Facts { label: "prodtest-1".to_owned(), scenarios: vec![demo], ..Facts::default() }
}

/// A plan with the scenario `demo`, whose steps (and what else it has) are given.
pub(crate) fn plan(rest: &str) -> Plan {
    let file: ScenarioFile = read(&format!("scenarios:\n  - id: demo\n    title: t\n    {rest}\n"));
    let scenarios: Vec<Planned<Located<Scenario>>> =
        file.scenarios.into_iter().map(|part| Planned { part, left_out: None }).collect();
    let mut plan = godel();
    plan.scenarios = scenarios;
    plan
}

/// The plan of Godel's own configuration, in its environment `local`.
pub(crate) fn godel() -> Plan {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/godel/prodtest.yaml");
    let config = Config::load(&path, "smoke", Some("local")).unwrap();
    let command = Flags::augment_args(Common::augment_args(Command::new("prodtest-smoke")));
    let matches = command.get_matches_from(["prodtest-smoke"]);
    let input = Input {
        config: &config,
        common: &Common::from_arg_matches(&matches).unwrap(),
        flags: &Flags::from_arg_matches(&matches).unwrap(),
        selection: &Selection::default(),
        variable: Rc::new(|_| Some("a-key".to_owned())),
        recorded: None,
    };
    Smoke::plan(&input).unwrap_or_else(|error| panic!("{error:?}"))
}
