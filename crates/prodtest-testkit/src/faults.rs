//! Faults as data: what is done to a real part, and which checks must notice.

use std::collections::BTreeSet;

use prodtest_gate::Outcome;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Done, Flaw, GateCommand, Godel, repository};

/// The faults of one gate, `tests/faults/<gate>.yaml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FaultTable {
    /// The gate.
    pub gate: String,
    /// The faults.
    pub faults: Vec<Fault>,
}

/// One fault.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fault {
    /// Its name.
    pub name: String,
    /// What is wrong, for `docs/detection.md`.
    pub what: String,
    /// How it is done.
    pub how: How,
    /// The checks that must fail: these and no others.
    #[serde(default)]
    pub red: BTreeSet<String>,
    /// The checks that must be undetermined by it: these and no others.
    #[serde(default)]
    pub undetermined: BTreeSet<String>,
    /// The gate's exit code.
    pub exit: i32,
    /// Words that the findings must have, for a person to know the reason.
    #[serde(default)]
    pub says: Vec<String>,
    /// The line that a finding must stand on.
    #[serde(default)]
    pub at: Option<At>,
}

/// A line, by what is on it: its number is nobody's business.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct At {
    /// The end of the file's path.
    pub file: String,
    /// A part of the line.
    pub line: String,
}

/// A release of `tests/specimen/chart`, and an upgrade of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Specimen {
    /// The values of the revision that is there, over those of the chart.
    pub was: Map<String, Value>,
    /// The values of the one that is deployed, over these.
    pub values: Map<String, Value>,
    /// What the gate is told further; `--tag` with the image's own, when nothing.
    pub arguments: Vec<String>,
    /// Whether it runs the image of the reference service that has switches for faults.
    pub image_with_faults: bool,
    /// Whether it shows itself by chance: a request must meet a pod in the moment between its end and the news of it.
    pub by_chance: bool,
    /// What is done beforehand to what is beside the release, by name.
    pub upset: Option<String>,
    /// Whether that is felt by other releases too, so that nothing else may be measured meanwhile.
    pub alone: bool,
}

/// How a fault is done.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// A switch of the reference service, over plain HTTP.
    Godel(String),
    /// The reference service is healthy, and its certificate has a flaw.
    Certificate(Flaw),
    /// Nothing listens.
    NoServer,
    /// A fault of the lab or of what stands beside it, by name; the service is a release on a cluster.
    Cluster(String),
    /// Nothing is wrong with the service: the gate is called with these further arguments.
    Arguments(Vec<String>),
    /// An upgrade of a release on a cluster that is not to get through.
    Specimen(Specimen),
}

impl FaultTable {
    /// The table of a gate.
    ///
    /// # Panics
    /// When there is none, or it cannot be read.
    #[must_use]
    pub fn of(gate: &str) -> Self {
        let path = repository().join(format!("tests/faults/{gate}.yaml"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

impl Fault {
    /// Injects the fault into a service that is a process, and runs the smoke gate; none where that takes a cluster.
    #[must_use]
    pub fn smoke(&self) -> Option<Done> {
        let done = match &self.how {
            How::Cluster(_) | How::Specimen(_) => return None,
            How::Godel(fault) => GateCommand::smoke(&Godel::start(&[fault], None)).run(),
            How::Certificate(flaw) => GateCommand::smoke(&Godel::start(&[], Some(*flaw))).run(),
            How::NoServer => {
                let mut gone = Godel::healthy();
                gone.kill();
                GateCommand::smoke(&gone).run()
            }
            How::Arguments(arguments) => GateCommand::smoke(&Godel::healthy()).args(arguments).run(),
        };
        Some(done)
    }

    /// What is not as this fault must turn out, in words; empty when all is.
    #[must_use]
    pub fn differences(&self, gate: &str, done: &Done) -> Vec<String> {
        let mut differences = Vec::new();
        if done.code() != Some(self.exit) {
            differences.push(format!("exit code {:?}, must be {}", done.code(), self.exit));
        }
        for (outcome, must) in [(Outcome::Failed, &self.red), (Outcome::Undetermined, &self.undetermined)] {
            let is = done.checks(gate, outcome);
            if is != *must {
                differences.push(format!("{outcome}: {is:?}, must be {must:?}"));
            }
        }
        let findings = done.record(gate).findings;
        for word in &self.says {
            let is_said = |text: &String| text.contains(word.as_str());
            if !findings.iter().any(|it| is_said(&it.message) || it.because.as_ref().is_some_and(is_said)) {
                differences.push(format!("no finding says `{word}`"));
            }
        }
        if let Some(at) = &self.at {
            let places: Vec<_> = findings.iter().filter_map(|finding| finding.place.as_ref()).collect();
            if !places.iter().any(|place| at.is(&place.file, place.line)) {
                differences.push(format!("no finding stands at {at:?}, but at {places:?}"));
            }
        }
        differences
    }
}

impl At {
    fn is(&self, file: &str, line: u32) -> bool {
        let text = std::fs::read_to_string(repository().join(file)).unwrap_or_default();
        let index = usize::try_from(line).unwrap_or_default().saturating_sub(1);
        file.ends_with(&self.file) && text.lines().nth(index).is_some_and(|text| text.contains(&self.line))
    }
}
