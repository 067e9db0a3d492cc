//! `cargo xtask bench deploy`: the gate and its peers, each in a namespace of its own, on one lab.

use std::{path::Path, thread, time::Duration};

use anyhow::{Context as _, Result, anyhow, ensure};

use super::{
    bed::{Bed, LIMIT},
    contestant::{Contestant, Outcome},
    doom::{self, Doom},
    page,
};
use crate::{
    image,
    lab::{Lab, down, godel, up},
    say, sh,
    test::FEATURES,
};

/// The lab that is started where none is named.
const LAB: &str = "bench";
/// What a contestant has for itself when all are measured beside each other. The dooms are waited out for a minute by
/// those who do not see them, and six minutes each would be an hour.
const HEAD_START: Duration = Duration::from_secs(3);

/// Options of `cargo xtask bench deploy`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// On a lab that runs; without it, one is started and ended
    #[arg(long, value_name = "NAME")]
    lab: Option<String>,

    /// How many good upgrades of each
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Write `docs/benchmarks.md`
    #[arg(long)]
    write: bool,
}

/// What was measured.
pub(super) struct Results {
    /// Of each doom what each contestant made of it.
    pub(super) dooms: Vec<(Doom, Vec<Outcome>)>,
    /// Of each contestant how long its good upgrades took.
    pub(super) good: Vec<(Contestant, Vec<Duration>)>,
}

pub(super) fn run(options: &Options) -> Result<()> {
    // As the tests build it, so that nothing is built twice.
    let programs = sh::build(&["--locked", "--workspace", "--bins", "--features", FEATURES])?.join("debug");
    let lab = Lab::named(options.lab.as_deref().unwrap_or(LAB))?;
    if options.lab.is_none() {
        up(&lab, &up::Options::default())?;
    }
    let measured = measure(&lab, &programs, options.rounds);
    if options.lab.is_none() {
        down(&lab)?;
    }
    let results = measured?;
    say::data(page::tables(&results));
    if options.write { page::write(&results) } else { Ok(()) }
}

fn measure(lab: &Lab, programs: &Path, rounds: u32) -> Result<Results> {
    lab.running()?;
    let image = godel::push(lab, &image::build(&image::Options::default())?)?;
    let make = |contestant| Bed::make(lab, contestant, &image);
    let beds = Contestant::ALL.into_iter().map(make).collect::<Result<Vec<_>>>()?;
    side_by_side(&beds, Duration::ZERO, |bed| bed.reset("first"))?;
    let good = goods(&beds, programs, rounds)?;
    let dooms = Doom::ALL.into_iter().map(|doom| Ok((doom, doomed(&beds, programs, doom)?)));
    Ok(Results { good, dooms: dooms.collect::<Result<Vec<_>>>()? })
}

/// Good upgrades: one contestant after the other, and round by round, so that what the machine does meanwhile is
/// everybody's.
fn goods(beds: &[Bed<'_>], programs: &Path, rounds: u32) -> Result<Vec<(Contestant, Vec<Duration>)>> {
    let mut all: Vec<(Contestant, Vec<Duration>)> = beds.iter().map(|bed| (bed.contestant, Vec::new())).collect();
    for round in 1..=rounds {
        for (bed, (contestant, times)) in beds.iter().zip(&mut all) {
            let values = doom::good(&bed.image(), &format!("good-{round}"));
            let outcome = contestant.measure(bed, programs, &values)?;
            ensure!(outcome.is_good, "{}: a good upgrade, and it says `{}`", contestant.name(), outcome.said);
            say::line(format_args!("good, round {round}: {}, {}", contestant.name(), say::time(outcome.after)));
            times.push(outcome.after);
        }
    }
    Ok(all)
}

/// One doom, and what each makes of it.
fn doomed(beds: &[Bed<'_>], programs: &Path, doom: Doom) -> Result<Vec<Outcome>> {
    side_by_side(beds, Duration::ZERO, |bed| bed.reset(&format!("before {}", doom.name())))?;
    let outcomes = side_by_side(beds, HEAD_START, |bed| {
        let values = doom.values(&bed.image(), doom.name());
        bed.contestant.measure(bed, programs, &values)
    })?;
    for (bed, outcome) in beds.iter().zip(&outcomes) {
        let (name, after) = (bed.contestant.name(), say::time(outcome.after));
        ensure!(!outcome.is_good, "{name}: {} is good to it", doom.name());
        let word = if outcome.is_late { "nothing within" } else { "called after" };
        say::line(format_args!("{}: {name}: {word} {after}: {}", doom.name(), outcome.said));
    }
    Ok(outcomes)
}

/// Does it in all beds at once, each `later` than the one before.
fn side_by_side<T: Send>(
    beds: &[Bed<'_>],
    later: Duration,
    what: impl Fn(&Bed<'_>) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    thread::scope(|scope| {
        let what = &what;
        let started: Vec<_> = (0u32..)
            .zip(beds)
            .map(|(number, bed)| {
                scope.spawn(move || {
                    // Not a wait for anything: the others are to be out of the way.
                    thread::sleep(later * number);
                    what(bed).with_context(|| format!("`{}` within {LIMIT} s", bed.contestant.name()))
                })
            })
            .collect();
        started.into_iter().map(|one| one.join().map_err(|_| anyhow!("a thread panicked"))?).collect()
    })
}
