//! The rollback gate: its plan, its steps and its command line.

use std::time::Duration;

use prodtest_cli::{CommandLine, Input, Refusal};
use prodtest_gate::{Check, Control, Figure, Gate, Judged, Listing, Quantity, Rule, Run};
use prodtest_rollout::engine::{Means, resolve};

use crate::{
    checks::{self, detection_time, rto},
    controls,
    facts::Facts,
    flags::Flags,
    observe,
    plan::Plan,
    section::Section,
};

/// The rollback gate.
pub(crate) struct Rollback;

/// How long the smoke gate may take beside.
const SMOKE: Duration = Duration::from_secs(600);

impl Gate for Rollback {
    const NAME: &'static str = checks::GATE;
    const QUESTION: &'static str = "Can we get back, how fast, and what did it cost?";

    type Plan = Plan;
    type Facts = Facts;
    type Means = Means;

    fn checks(plan: &Plan, _facts: Option<&Facts>) -> Vec<Check> {
        checks::declared(plan)
    }

    async fn observe(plan: &Plan, means: &Means, run: &Run) -> Facts {
        observe::observe(plan, means, run).await
    }

    fn judge(plan: &Plan, facts: &Facts) -> Vec<Judged> {
        checks::judge(plan, facts)
    }

    fn controls(plan: &Plan, facts: &Facts) -> Vec<Control> {
        controls::controls(plan, facts)
    }

    fn remarks(plan: &Plan, facts: &Facts) -> Vec<String> {
        let mut remarks = facts.change.remarks();
        if !plan.dry_run && facts.change.upgrade.is_some() && plan.fault().is_none() {
            remarks.push(
                "a rollback does not bring back custom resource definitions, what migrations did to a database, or what is \
                 in volumes"
                    .to_owned(),
            );
        }
        remarks
    }

    fn listings(_plan: &Plan, facts: &Facts) -> Vec<Listing> {
        facts.change.listings()
    }

    fn figures(plan: &Plan, facts: &Facts) -> Vec<Figure> {
        let mut figures = Vec::new();
        let mut figure = |name: &str, value| figures.push(Figure { name: name.to_owned(), value });
        if let Some(Ok(target)) = &facts.target {
            figure("target", Quantity::count(target.revision));
        }
        let began = facts.change.upgrade.as_ref().and_then(|upgrade| upgrade.started_ms);
        if let (Some(called), Some(began), Some(_)) = (detection_time::called(plan, facts), began, plan.fault()) {
            figure("detection-time", Quantity::milliseconds(called.at_ms.saturating_sub(began) as f64));
        }
        if let Some((from, until)) = rto::span(facts) {
            figure("rto", Quantity::milliseconds(until.saturating_sub(from) as f64));
        }
        if let Some(probe) = &facts.change.probe {
            figure("failed-requests", Quantity::count(u32::try_from(probe.after.failed).unwrap_or(u32::MAX)));
        }
        figures
    }
}

impl CommandLine for Rollback {
    const ABOUT: &'static str = "\
Goes back to an earlier revision of a release (`to`), or tries whether one could (`drill`). A drill notes all that the \
release has in the cluster, deploys a version that is bad on purpose, measures how soon it is called bad and whether the \
old pods serve on, goes back, measures how long it takes until service and state are as before, and compares them field by \
field. `previous` is the newest earlier revision that a gate found good, and not the number before, as `helm rollback` has \
it. How a release is changed and probed is what `deploy` in the configuration says. Killed half way, the next run, or \
`--recover`, puts things in order.";
    const EXAMPLES: &'static str = "\
  # could we get back, and how fast? (deploys a tag that does not exist, and undoes it)
  prodtest-rollback drill --env staging

  # where would we go?
  prodtest-rollback to previous --env staging --dry-run

  # back to the revision before that was good; production is protected
  prodtest-rollback to previous --env production --confirm previous

  # to a version, or to a revision of `helm history`
  prodtest-rollback to 1.4.1 --env staging
  prodtest-rollback to 12 --env staging

  # a version that gets ready and answers with errors: an image of yours, in `rollback.drill`
  prodtest-rollback drill --env staging --fault error-rate

  # in a step that always runs: put back what a killed job has left half way
  prodtest-rollback --env staging --recover";
    const OUTPUTS: &'static [(&'static str, &'static str)] = &[
        ("target", "The revision that was gone back to."),
        ("detection-time", "Of a drill, the time until the bad version was called bad, in milliseconds."),
        ("rto", "The time from the start of the way back until service and state were as before, in milliseconds."),
        ("failed-requests", "The requests of the probe that failed meanwhile."),
    ];

    type Flags = Flags;
    type Section = Section;

    fn plan(input: &Input<'_, Flags>) -> Result<Plan, Refusal> {
        crate::resolve::plan(input)
    }

    fn means(plan: &Plan, input: &Input<'_, Flags>) -> Result<Means, Refusal> {
        let mut means = resolve::means(&plan.change, input, &input.flags.release, Self::NAME)?;
        let image = plan.change.image.as_ref();
        means.registry = image.map(|image| resolve::registry(image, &mut means.secrets, input)).transpose()?;
        Ok(means)
    }

    fn rbac(plan: &Plan) -> Vec<Rule> {
        resolve::rules(&plan.change)
    }

    fn secrets(means: &Means) -> Vec<&str> {
        means.secrets.values().collect()
    }

    fn timeout(input: &Input<'_, Flags>) -> Result<Duration, Refusal> {
        Ok(crate::resolve::plan(input)?.change.whole() + SMOKE)
    }
}
