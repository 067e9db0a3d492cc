//! The flags that all gates share, and where their values come from.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueEnum,
    error::{ContextKind, ContextValue},
    parser::ValueSource,
};
use clap_complete::Shell;
use prodtest_config::Period;
use prodtest_gate::CheckId;

use crate::CommandLine;

/// The flags that all gates share.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "prodtest.yaml", help_heading = "Target")]
    pub config: PathBuf,
    /// The environment of the configuration to judge; may be left out when there is only one
    #[arg(long, value_name = "NAME", help_heading = "Target")]
    pub env: Option<String>,
    /// The version that was deployed, and that must answer
    #[arg(long, value_name = "VERSION", help_heading = "Target")]
    pub expect_version: Option<String>,
    /// Make only these checks: an id, a name, a pattern with `*`, or `tag:NAME`; repeat or separate by commas
    #[arg(long, value_name = "CHECK", value_delimiter = ',', help_heading = "Checks")]
    pub only: Vec<String>,
    /// Leave these checks out
    #[arg(long, value_name = "CHECK", value_delimiter = ',', help_heading = "Checks")]
    pub skip: Vec<String>,
    /// Do not let this check block when it could not be measured; the report says that it was allowed
    #[arg(long, value_name = "CHECK", value_delimiter = ',', help_heading = "Checks")]
    pub allow_undetermined: Vec<CheckId>,
    /// How long the whole gate may take, such as `90s` or `5m`; what is not measured by then is undetermined
    #[arg(long, value_name = "TIME", help_heading = "Checks")]
    pub timeout: Option<Period>,
    /// Where the reports go
    #[arg(long, value_name = "DIR", default_value = "prodtest-results", help_heading = "Output")]
    pub out: PathBuf,
    /// How to print: for a person, as JSON (the run record), or for the log of GitHub or GitLab; detected when left out
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub format: Option<Format>,
    /// Whether to use colour
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    pub color: Color,
    /// Say more while it works
    #[arg(short, long, action = ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,
    /// Judge a recorded run again, without the network; with `--config`, under that configuration's limits
    #[arg(long, value_name = "RUN.json", help_heading = "Instead of a run")]
    pub replay: Option<PathBuf>,
    /// Print the checks, one a line, id first, with their limits and requirements
    #[arg(long, help_heading = "Instead of a run")]
    pub list: bool,
    /// Print the checks, flags, outputs, schemas and RBAC rules as JSON
    #[arg(long, help_heading = "Instead of a run")]
    pub describe: bool,
    /// Print a completion script for this shell
    #[arg(long, value_enum, value_name = "SHELL", help_heading = "Instead of a run")]
    pub completions: Option<Shell>,
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person at a terminal.
    Human,
    /// The run record.
    Json,
    /// With workflow commands of GitHub Actions.
    Github,
    /// With sections of GitLab CI.
    Gitlab,
}

/// Whether to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Flags that make no sense as the input of an action.
const NOT_INPUTS: [&str; 6] = ["format", "color", "replay", "list", "describe", "completions"];

/// Whether an action offers this flag as an input.
pub(crate) fn is_input(arg: &clap::Arg) -> bool {
    (takes_value(arg) || is_switch(arg)) && !NOT_INPUTS.contains(&arg.get_id().as_str())
}

/// Whether it is on or off: as a variable, `true` or `false`.
pub(crate) fn is_switch(arg: &clap::Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue) && !NOT_INPUTS.contains(&arg.get_id().as_str())
}

pub(crate) fn takes_value(arg: &clap::Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

/// The variable that stands in for a flag, `PRODTEST_EXPECT_VERSION`.
pub(crate) fn variable_of(arg: &clap::Arg) -> String {
    format!("PRODTEST_{}", arg.get_id().as_str().to_uppercase().replace('-', "_"))
}

/// The command of a gate.
pub(crate) fn command<G: CommandLine>() -> Command {
    // The flags come first: clap takes the comment on a struct of flags for what the command is about.
    G::Flags::augment_args(Common::augment_args(Command::new(format!("prodtest-{}", G::NAME))))
        .version(env!("CARGO_PKG_VERSION"))
        .about(G::QUESTION)
        .long_about(format!("{}\n\n{}", G::QUESTION, G::ABOUT))
        .after_help(AFTER_HELP)
        .after_long_help(format!("Examples:\n{}\n\n{AFTER_HELP}", G::EXAMPLES))
}

const AFTER_HELP: &str = "\
Every flag that takes a value can be given as PRODTEST_<FLAG> too (PRODTEST_EXPECT_VERSION); empty means unset.
One that changes what is done takes `true` or `false` so (PRODTEST_RECOVER=true).

Exit codes:
  0    passed: every check was measured and good
  1    failed: something was measured and bad
  2    the command line or the configuration is wrong; nothing was touched
  3    undetermined: something could not be measured, and nothing failed
  130  interrupted (SIGINT), 143 (SIGTERM): reports written, changes undone";

/// The flags of one call, from the command line and, where it is silent, from the environment.
pub(crate) struct Flags<F> {
    pub(crate) common: Common,
    pub(crate) gate: F,
    /// Whether `--config` was given rather than defaulted.
    pub(crate) config_given: bool,
}

/// Reads the flags.
///
/// # Errors
/// With clap's own error, which knows how to print itself (help and version are such errors).
pub(crate) fn parse<G: CommandLine>(
    arguments: Vec<OsString>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Flags<G::Flags>, clap::Error> {
    let matches = command::<G>().try_get_matches_from(&arguments)?;
    // clap's own `env` takes an empty variable for a value; ours means unset, so that an action can pass every input.
    let more = from_environment(&command::<G>(), &matches, variable);
    let word = word_from_environment(&command::<G>(), &matches, variable);
    let matches = if more.is_empty() && word.is_empty() {
        matches
    } else {
        let (program, rest) = arguments.split_at(arguments.len().min(1));
        command::<G>().try_get_matches_from([program, &more, rest, &word].concat()).map_err(naming_variable::<G>)?
    };
    Ok(Flags {
        common: Common::from_arg_matches(&matches)?,
        gate: G::Flags::from_arg_matches(&matches)?,
        config_given: matches.value_source("config") == Some(ValueSource::CommandLine),
    })
}

/// The command line alone was good: what is wrong comes from a variable, and nobody would look for it there.
fn naming_variable<G: CommandLine>(mut error: clap::Error) -> clap::Error {
    let wrong = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    // As the command line has it: `--timeout <TIME>`, `--recover`, `[ACTION]`.
    let is_wrong = |arg: &&clap::Arg| arg.to_string() == wrong;
    let mut command = command::<G>();
    // An argument knows how it is shown only then.
    command.build();
    if let Some(variable) = command.get_arguments().find(is_wrong).map(variable_of) {
        let tip = format!("it comes from the environment variable `{variable}`");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// The flags that the environment gives and the command line does not.
fn from_environment(
    command: &Command,
    matches: &ArgMatches,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Vec<OsString> {
    command
        .get_arguments()
        .filter(|arg| (takes_value(arg) || is_switch(arg)) && is_silent(arg, matches))
        .filter_map(|arg| Some((arg, arg.get_long()?, variable(&variable_of(arg))?)))
        .flat_map(|(arg, long, value)| {
            if is_switch(arg) {
                return match value.trim() {
                    "" | "false" => Vec::new(),
                    "true" => vec![format!("--{long}").into()],
                    // For clap to refuse, and to name.
                    other => vec![format!("--{long}={other}").into()],
                };
            }
            let repeats = matches!(arg.get_action(), ArgAction::Append);
            let values: Vec<String> = if repeats { value.lines().map(str::to_owned).collect() } else { vec![value] };
            values
                .into_iter()
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
                .map(move |value| format!("--{long}={value}").into())
                .collect()
        })
        .collect()
}

/// The word, such as `restore`, that the environment gives and the command line does not; after `--`, or it could be a
/// flag.
fn word_from_environment(
    command: &Command,
    matches: &ArgMatches,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Vec<OsString> {
    let mut silent = command.get_positionals().filter(|arg| is_silent(arg, matches));
    let word = silent.find_map(|arg| variable(&variable_of(arg)));
    match word.as_deref().map(str::trim) {
        None | Some("") => Vec::new(),
        Some(word) => vec!["--".into(), word.into()],
    }
}

/// Whether the command line says nothing of it.
fn is_silent(arg: &clap::Arg, matches: &ArgMatches) -> bool {
    matches.value_source(arg.get_id().as_str()) != Some(ValueSource::CommandLine)
}
