//! What was measured, as tables, and as `docs/benchmarks.md`.

use std::{fs, thread, time::Duration};

use anyhow::{Context as _, Result};

use super::{bed::LIMIT, contestant::Contestant, deploy::Results};
use crate::{repo, say};

const PAGE: &str = "docs/benchmarks.md";

/// The tables, in Markdown.
pub(super) fn tables(results: &Results) -> String {
    let names = || Contestant::ALL.iter().map(|contestant| contestant.name());
    let header = |first: &str| {
        let columns: Vec<&str> = names().collect();
        format!("| {first} | {} |\n|---|{}\n", columns.join(" | "), "---|".repeat(columns.len()))
    };
    let mut text = header("doomed by");
    for (doom, outcomes) in &results.dooms {
        let cells = outcomes.iter().map(|outcome| match outcome.is_late {
            true => format!("not within {LIMIT} s"),
            false => seconds(outcome.after),
        });
        text += &format!("| {} | {} |\n", doom.name(), cells.collect::<Vec<_>>().join(" | "));
    }
    text += "\n| good, 3 pods | median | fastest | slowest | rounds |\n|---|---|---|---|---|\n";
    for (contestant, times) in &results.good {
        let mut times = times.clone();
        times.sort_unstable();
        let [fastest, median, slowest] = [times.first(), times.get(times.len() / 2), times.last()]
            .map(|time| time.map_or_else(String::new, |it| seconds(*it)));
        text += &format!("| {} | {median} | {fastest} | {slowest} | {} |\n", contestant.name(), times.len());
    }
    text
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// Writes the page.
pub(super) fn write(results: &Results) -> Result<()> {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").context("could not read `/proc/meminfo`")?;
    let kilobytes = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    let kilobytes: u64 = kilobytes.context("no `MemTotal`")?.parse().context("`MemTotal` is no number")?;
    let memory = kilobytes.div_ceil(1024 * 1024);
    let tables = tables(results);
    let page = format!(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench deploy --write`; every number is of one run on one machine, {cores} cores and \
         {memory} GB, with the lab, the gate and its peers all on it.\n\n\
         ## Deploy: from the start of Helm to the verdict\n\n\
         A release of three pods is upgraded, to good revisions and to ones that cannot succeed; each contestant has a \
         namespace of its own. The gate is the tests' build, not optimised. Its time begins where its peers' begins, with \
         the call of `helm upgrade`, and ends when it knows; before that it takes its lock, renders and backs up, which \
         no peer does. The peers wait for {LIMIT} s at most. The dooms are measured side by side, each contestant 3 s \
         after the one before; the good upgrades one after the other, round by round.\n\n\
         The gate gives an unschedulable pod 30 s and a missing Secret 5 s before it calls them (`deploy.patience`), for \
         both may come right by themselves; a crash it calls at the second exit. A failed hook Helm knows itself, and says.\n\n\
         {tables}"
    );
    fs::write(repo::root().join(PAGE), page).with_context(|| format!("could not write `{PAGE}`"))?;
    say::line(format_args!("written: {PAGE}"));
    Ok(())
}
