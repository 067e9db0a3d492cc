//! The `smoke` section of `prodtest.yaml`.

use prodtest_config::{FilePath, Located, Period};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the smoke gate does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Section {
    /// Files of scenarios, as paths or globs relative to this file. They run in this order; a glob's files by name.
    #[serde(default)]
    pub(crate) scenarios: Vec<Located<FilePath>>,
    /// Your own test suites (Jest, Hurl, pytest, …), taken in by the JUnit report that they write.
    #[serde(default)]
    pub(crate) suites: Vec<Located<Suite>>,
    /// How long the whole gate may take; `5m` when left out.
    #[serde(default)]
    pub(crate) timeout: Option<Period>,
}

/// A test suite: each of its cases becomes a check, `smoke/<name>-<case>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Suite {
    /// The first part of its checks' names: lower-case letters, digits and hyphens.
    pub(crate) name: Located<String>,
    /// The JUnit report, relative to this file.
    pub(crate) junit: Located<FilePath>,
    /// The command that writes it, as a list of words, run in this file's folder without a shell. Left out: the report
    /// is there already. It is told the target by `PRODTEST_URL`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) exec: Vec<String>,
    /// How long the command may take; `5m` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<Period>,
    /// What a case is called: by its name, or, where names repeat, by its class and name.
    #[serde(default)]
    pub(crate) case_names: CaseNames,
    /// Scenarios whose failure explains this suite's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) needs: Vec<Located<String>>,
    /// Your own requirement ids that its cases prove.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) requirements: Vec<String>,
}

/// What a case is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CaseNames {
    /// `smoke/<suite>-<name>`.
    #[default]
    Name,
    /// `smoke/<suite>-<class>-<name>`.
    ClassAndName,
}
