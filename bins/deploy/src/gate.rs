//! The deploy gate: its plan, its steps and its command line.

use std::time::Duration;

use prodtest_cli::{CommandLine, Input, Refusal};
use prodtest_gate::{Check, Control, Figure, Gate, Judged, Listing, Quantity, Rule, Run};
use prodtest_rollout::engine::{Means, facts::Facts, resolve, section::Section};

use crate::{checks, controls, flags::Flags, observe, plan::Plan};

/// The deploy gate.
pub(crate) struct Deploy;

impl Gate for Deploy {
    const NAME: &'static str = "deploy";
    const QUESTION: &'static str = "Did this version land, and did no user notice?";

    type Plan = Plan;
    type Facts = Facts;
    type Means = Means;

    fn checks(plan: &Plan, facts: Option<&Facts>) -> Vec<Check> {
        checks::declared(plan, facts)
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

    fn digest(_plan: &Plan, facts: &Facts) -> Option<String> {
        let resolved = facts.image.as_ref()?.registry.as_ref()?.resolved.as_ref()?;
        Some(resolved.digest.to_string())
    }

    fn remarks(_plan: &Plan, facts: &Facts) -> Vec<String> {
        facts.remarks()
    }

    fn listings(_plan: &Plan, facts: &Facts) -> Vec<Listing> {
        facts.listings()
    }

    fn figures(plan: &Plan, facts: &Facts) -> Vec<Figure> {
        let mut figures = Vec::new();
        let mut figure = |name: &str, value| figures.push(Figure { name: name.to_owned(), value });
        if let Some(revision) = facts.upgrade.as_ref().and_then(|upgrade| upgrade.revision) {
            figure("revision", Quantity::count(revision));
        }
        if facts.rollout.is_some() {
            figure("rollout", Quantity::milliseconds(checks::rollout::judge(plan, facts).duration_ms));
        }
        if let Some(probe) = &facts.probe {
            let failed = u32::try_from(probe.after.failed).unwrap_or(u32::MAX);
            figure("failed-requests", Quantity::count(failed));
        }
        figures
    }
}

impl CommandLine for Deploy {
    const ABOUT: &'static str = "\
Deploys a Helm chart, or plain manifests by server-side apply, with the digest that the registry has for a tag, and \
watches the rollout as the cluster and as users see it: what is doomed is called at the first evidence that leaves no \
doubt, with the reason and the line that it comes from; what was served is probed throughout. A release that did not \
land goes back to the revision that was good; one of manifests, to what the backup has. What is no longer in the \
manifests stays in the cluster: it is not pruned. Killed half way, the next run, or `--recover`, puts things in order.";
    const EXAMPLES: &'static str = "\
  # deploy version 1.4.2 to `staging` of ./prodtest.yaml
  prodtest-deploy --env staging --tag 1.4.2

  # what would be changed?
  prodtest-deploy --env staging --tag 1.4.2 --dry-run

  # production is protected
  prodtest-deploy --env production --tag 1.4.2 --confirm 1.4.2

  # in a step that always runs: put back what a killed job has left half way
  prodtest-deploy --env staging --recover

  # put the objects of the newest backup back
  prodtest-deploy restore --env staging";
    const OUTPUTS: &'static [(&'static str, &'static str)] = &[
        ("revision", "The revision of the release that was made."),
        ("rollout", "The time from the start of Helm to the verdict on the rollout, in milliseconds."),
        ("failed-requests", "The requests of the probe that failed during the rollout."),
    ];

    type Flags = Flags;
    type Section = Section;

    fn plan(input: &Input<'_, Flags>) -> Result<Plan, Refusal> {
        crate::resolve::plan(input)
    }

    fn means(plan: &Plan, input: &Input<'_, Flags>) -> Result<Means, Refusal> {
        resolve::means(&plan.change, input, &input.flags.release, Self::NAME)
    }

    fn rbac(plan: &Plan) -> Vec<Rule> {
        resolve::rules(&plan.change)
    }

    fn secrets(means: &Means) -> Vec<&str> {
        means.secrets.values().collect()
    }

    fn timeout(input: &Input<'_, Flags>) -> Result<Duration, Refusal> {
        Ok(crate::resolve::plan(input)?.change.whole())
    }
}
