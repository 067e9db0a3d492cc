//! One call of a gate, from its flags to its exit code.

use std::{process::ExitCode, rc::Rc, time::Duration};

use jiff::Timestamp;
use prodtest_ci::{Environment, add_mask, end_group, start_group};
use prodtest_config::Config;
use prodtest_gate::{Check, Pardons, Redactor, Run, Stop, Verdict};
use tokio::{sync::mpsc, sync::watch, time::Instant};

use crate::{
    CommandLine, Common, Input, Refusal, Selection, Variable,
    conclude::{About, conclude, unfinished},
    describe::describe,
    finish::{finish, placeholder},
    flags::{Flags, Format, command, parse},
    output::Output,
    progress,
    replay::{self, Recorded},
    stop::Signals,
};

/// Exit code of a wrong command line or configuration.
const MISUSED: u8 = 2;
/// What the reports say that stand until the real ones take their place.
const UNFINISHED: &str = "the run did not come to its end";
/// A secret this long is no ordinary word: it is taken out of whole reports too, not only of what was seen.
const UNMISTAKABLE: usize = 8;

/// What `main` of a gate calls.
pub fn main<G: CommandLine>() -> ExitCode {
    let environment = Rc::new(Environment::from_process());
    exit_three_on_panic();
    let variable = |name: &str| environment.var(name);
    let flags = match parse::<G>(std::env::args_os().collect(), &variable) {
        Ok(flags) => flags,
        Err(error) => {
            // Help and version are such errors too; they go to standard output, with code 0. A closed pipe is no error.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(MISUSED));
        }
    };
    let mut output = Output::new(&flags.common, &environment);
    match call::<G>(&flags, &environment, &mut output) {
        Ok(code) => ExitCode::from(code),
        Err(refusal) => {
            output.refusal(&refusal);
            ExitCode::from(MISUSED)
        }
    }
}

/// A panic is a defect of the gate: nothing was decided. Reports that say so were written before the run began, and
/// the code must say so too, whether the profile unwinds or aborts.
fn exit_three_on_panic() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        default(info);
        #[expect(
            clippy::disallowed_methods,
            clippy::exit,
            reason = "with panic=abort there is no other way to choose the code"
        )]
        std::process::exit(i32::from(Verdict::Undetermined.exit_code()));
    }));
}

fn call<G: CommandLine>(
    flags: &Flags<G::Flags>,
    environment: &Rc<Environment>,
    output: &mut Output,
) -> Result<u8, Refusal> {
    let common = &flags.common;
    if let Some(shell) = common.completions {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command::<G>(), format!("prodtest-{}", G::NAME), &mut script);
        output.result(&String::from_utf8_lossy(&script));
        return Ok(0);
    }
    if common.describe && !flags.config_given && !common.config.exists() {
        output.result(&json(&describe::<G>(&[], &[])));
        return Ok(0);
    }
    let recorded = common.replay.as_deref().map(replay::read::<G>).transpose()?;
    if let (Some(record), false) = (&recorded, flags.config_given) {
        return replay::finish(replay::judge::<G>(record, None)?, common, environment, output);
    }
    let selection = Selection::new(common.only.clone(), common.skip.clone());
    let name = environment_name(common, recorded.as_ref())?;
    let config = Config::load(&common.config, G::NAME, name.as_deref())?;
    let input = Input {
        config: &config,
        common,
        flags: &flags.gate,
        selection: &selection,
        variable: variable_of(environment),
        recorded: recorded.as_ref().map(|record| &record.plan),
    };
    let plan = G::plan(&input)?;
    let checks = G::checks(&plan, None);
    refuse_typos(&selection, common, &checks)?;
    if common.list {
        output.result(&prodtest_report::list(&checks));
        return Ok(0);
    }
    if common.describe {
        output.result(&json(&describe::<G>(&checks, &G::rbac(&plan))));
        return Ok(0);
    }
    let waivers = config.waivers.clone();
    if let Some(record) = &recorded {
        let pardons = replay::pardons(record, waivers, common);
        return replay::finish(replay::judge::<G>(record, Some((plan, pardons)))?, common, environment, output);
    }
    let mut means = G::means(&plan, &input)?;
    let timeout = match &common.timeout {
        Some(timeout) => timeout.0,
        None => G::timeout(&input)?,
    };
    let sweep = guard::<G>(&means, &[], output);
    let about = About {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        service: config.service.clone(),
        environment: config.environment_name.clone(),
        commit: environment.commit(),
        digest: None,
        started: now(),
        duration_ms: 0,
        stopped: None,
        pardons: Pardons { waivers, allow_undetermined: common.allow_undetermined.clone() },
    };
    placeholder(&unfinished::<G>(about.clone(), &plan, UNFINISHED), &common.out, output, &sweep)?;
    let title = format!("prodtest {} ({})", G::NAME, config.environment_name);
    let unix = |time: Timestamp| u64::try_from(time.as_second()).unwrap_or_default();
    if let Some(line) = start_group(output.platform(), &title, unix(about.started)) {
        output.command(&line);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Refusal::usage(format!("this machine cannot run the gate: {error}")))?;
    let ran = runtime
        .block_on(observe::<G>(&plan, &mut means, timeout, output, checks.len()))
        .map_err(|error| Refusal::usage(format!("this machine cannot run the gate: {error}")))?;
    if let Some(line) = end_group(output.platform(), &title, unix(Timestamp::now())) {
        output.command(&line);
    }
    let Ran { facts, stop, sweep } = match ran {
        Ok(ran) => ran,
        Err(refusal) => {
            placeholder(&unfinished::<G>(about, &plan, &refusal.to_string()), &common.out, output, &sweep)?;
            return Err(refusal);
        }
    };
    let elapsed = Timestamp::now().duration_since(about.started);
    let about = About {
        duration_ms: u64::try_from(elapsed.as_millis()).unwrap_or_default(),
        stopped: stop.map(|reason| reason.to_string()),
        ..about
    };
    let code = finish(conclude::<G>(about, &plan, &facts), common, environment, output, &sweep);
    stop.and_then(Stop::exit_code).map_or(code, Ok)
}

/// Keeps the secrets of `means` out of everything printed from here on, some of which are kept out already. Returns
/// what sweeps whole reports.
fn guard<G: CommandLine>(means: &G::Means, already: &[String], output: &mut Output) -> Redactor {
    output.redact(Redactor::new(G::secrets(means)));
    if output.format == Format::Github {
        // The runner knows the secrets that it was given by name; those from files and from the cluster it does not.
        let new = G::secrets(means).into_iter().filter(|secret| !already.iter().any(|known| known == secret));
        new.filter_map(add_mask).for_each(|line| output.mask(&line));
    }
    Redactor::new(G::secrets(means).into_iter().filter(|secret| secret.len() >= UNMISTAKABLE))
}

fn variable_of(environment: &Rc<Environment>) -> Variable {
    let environment = Rc::clone(environment);
    Rc::new(move |name| environment.var(name))
}

/// The environment of `--env`, or of the recorded run. What only prints the checks needs none to be chosen: the first
/// will do.
fn environment_name(common: &Common, recorded: Option<&Recorded>) -> Result<Option<String>, Refusal> {
    let given = common.env.clone().or_else(|| recorded.map(|record| record.about.environment.clone()));
    if given.is_some() || !(common.list || common.describe) {
        return Ok(given);
    }
    Ok(Config::first_environment(&common.config)?)
}

/// The time in whole milliseconds: what is finer tells a reader nothing.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// A pattern that fits no check would leave out more, or less, than was meant.
fn refuse_typos(selection: &Selection, common: &Common, checks: &[Check]) -> Result<(), Refusal> {
    let known = || checks.iter().map(|check| check.id.as_str()).collect::<Vec<_>>().join("\n  ");
    let unknown = |pattern: &str| {
        Refusal::usage_with_hint(format!("no check is called `{pattern}`"), format!("the checks are\n  {}", known()))
    };
    if let Some(pattern) = selection.unused(checks) {
        return Err(unknown(pattern));
    }
    // The cases of a suite are known only when it ran.
    match common
        .allow_undetermined
        .iter()
        .find(|id| !checks.iter().any(|check| check.id == **id || id.as_str().starts_with(&format!("{}-", check.id))))
    {
        Some(id) => Err(unknown(id.as_str())),
        None => Ok(()),
    }
}

/// What a run gave.
struct Ran<F> {
    facts: F,
    stop: Option<Stop>,
    sweep: Redactor,
}

async fn observe<G: CommandLine>(
    plan: &G::Plan,
    means: &mut G::Means,
    timeout: Duration,
    output: &mut Output,
    total: usize,
) -> std::io::Result<Result<Ran<G::Facts>, Refusal>> {
    let signals = Signals::listen()?;
    let (stop, stopped) = watch::channel::<Option<(Stop, Instant)>>(None);
    let (sender, receiver) = mpsc::unbounded_channel();
    let run = Run::new(stopped.clone(), sender);
    let watch = signals.watch(timeout, stop);
    tokio::pin!(watch);
    let already: Vec<String> = G::secrets(means).into_iter().map(str::to_owned).collect();
    let fetched = tokio::select! {
        fetched = G::fetch(means, &run) => fetched,
        never = &mut watch => match never {},
    };
    if let Err(refusal) = fetched {
        return Ok(Err(refusal));
    }
    let (means, sweep) = (&*means, guard::<G>(means, &already, output));
    let output = &*output;
    let working = async {
        let facts = G::observe(plan, means, &run).await;
        // The last sender: whoever watches sees the end.
        drop(run);
        facts
    };
    let watching = async {
        let (facts, ()) = tokio::join!(working, progress::show(receiver, output, total));
        facts
    };
    let facts = tokio::select! {
        facts = watching => facts,
        never = watch => match never {},
    };
    let stop = stopped.borrow().map(|(reason, _)| reason);
    Ok(Ok(Ran { facts, stop, sweep }))
}

fn json(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
