//! What the smoke gate saw: plain data, kept in the run record, without secrets.

use jiff::Timestamp;
use prodtest_config::SecretRef;
use prodtest_http::{CertificateFacts, Exchange};
use serde::{Deserialize, Serialize};

use crate::{
    plan::{self, Plan},
    scenario::Scenario,
};

/// Everything seen in one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    /// The run's label, part of what it creates.
    pub(crate) label: String,
    /// When the run began: certificates are judged against it.
    pub(crate) now: Timestamp,
    /// Why it ended early, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stopped: Option<String>,
    /// The secrets that the cluster did not give.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) secrets: Vec<Withheld>,
    /// The scenarios, as far as they came.
    pub(crate) scenarios: Vec<ScenarioFacts>,
    /// The test suites.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) suites: Vec<SuiteFacts>,
    /// Answers from a loopback server that are wrong in a known way.
    pub(crate) controls: Vec<ControlFacts>,
}

/// A secret that the cluster did not give.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Withheld {
    /// Where it should be.
    pub(crate) secret: SecretRef,
    /// Whether it is known not to be set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unset: bool,
    /// What came instead of it.
    pub(crate) why: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

/// One scenario.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ScenarioFacts {
    /// The scenario's id.
    pub(crate) id: String,
    /// How long it took.
    pub(crate) duration_ms: f64,
    /// The steps that were done, in order.
    pub(crate) steps: Vec<StepFacts>,
    /// The steps of `always` that were done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) always: Vec<StepFacts>,
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct StepFacts {
    /// The step's name.
    pub(crate) name: String,
    /// What was asked, `GET https://godel.example.com/api/agents/a7`.
    pub(crate) asked: String,
    /// Each try, in order; bodies of all but the last are kept short.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) attempts: Vec<Attempt>,
    /// The burst, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) burst: Option<Vec<Sample>>,
    /// The certificate, if it was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<CertificateFacts>,
    /// A variable that had no value, so that nothing was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) missing: Option<String>,
    /// Whether the run ended before the step did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unfinished: bool,
}

/// One try.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Attempt {
    /// When it began, since the scenario did.
    pub(crate) at_ms: f64,
    /// What came of it.
    pub(crate) exchange: Exchange,
}

/// One request of a burst.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Sample {
    /// The status, if there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// Why there was none, or no whole one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<prodtest_http::Failure>,
    /// How long it took.
    pub(crate) duration_ms: f64,
}

/// A test suite of the user's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SuiteFacts {
    /// The suite's name.
    pub(crate) name: String,
    /// How long its command took.
    pub(crate) duration_ms: f64,
    /// How its command ended; none if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<Ended>,
    /// The end of what its command printed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) output: String,
    /// Its cases, or why they could not be read.
    pub(crate) cases: Result<Vec<CaseFacts>, String>,
    /// A failure that its report tells of and that is no case's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) untold: Option<String>,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ended {
    /// With an exit code.
    Exit(i32),
    /// By a signal, or stopped at its deadline.
    Killed(String),
    /// It could not be started.
    NotStarted(String),
}

/// One case of a suite's JUnit report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CaseFacts {
    /// Its name.
    pub(crate) name: String,
    /// Its class, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) class: Option<String>,
    /// What came of it.
    pub(crate) outcome: CaseOutcome,
    /// What it says about that.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) message: String,
    /// Its time.
    pub(crate) duration_ms: f64,
}

/// What came of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CaseOutcome {
    /// It passed.
    Passed,
    /// It failed, or broke.
    Failed,
    /// It was left out.
    Skipped,
}

/// One answer of the control server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ControlFacts {
    /// Which of the controls.
    pub(crate) name: String,
    /// What came back.
    pub(crate) exchange: Exchange,
}

impl Facts {
    /// The first secret that a scenario needs and that the cluster did not give: then nothing of it was asked.
    pub(crate) fn withheld(&self, plan: &Plan, scenario: &Scenario) -> Option<&Withheld> {
        plan.secrets_of(scenario).find_map(|(needed, _)| self.secrets.iter().find(|one| one.secret == needed.value))
    }

    /// Why a scenario is skipped, if it is for a secret that is not set and need not be.
    pub(crate) fn unset(&self, plan: &Plan, scenario: &Scenario) -> Option<String> {
        let withheld = self.withheld(plan, scenario).filter(|one| one.unset)?;
        let (name, _) = plan.identities.iter().find(|(_, asker)| asker.secret.value == withheld.secret)?;
        Some(plan::no_secret(name, &withheld.secret))
    }

    /// Whether the service showed itself at all: then what it does not answer is its own failure, not the runner's.
    pub(crate) fn answered(&self) -> bool {
        self.scenarios
            .iter()
            .flat_map(|scenario| scenario.steps.iter().chain(&scenario.always))
            .any(StepFacts::answered)
    }
}

impl StepFacts {
    fn answered(&self) -> bool {
        let by_sample = |sample: &Sample| {
            sample.status.is_some() || sample.failure.as_ref().is_some_and(|failure| failure.kind.answered())
        };
        self.attempts.iter().any(|attempt| attempt.exchange.answered())
            || self.burst.iter().flatten().any(by_sample)
            || self.certificate.as_ref().is_some_and(|certificate| !certificate.chain.is_empty())
    }
}
