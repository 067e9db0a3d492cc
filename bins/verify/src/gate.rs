//! The verify gate: its checks, and its command line.

use std::time::Duration;

use prodtest_cli::{CommandLine, Input, Refusal};
use prodtest_config::Period;
use prodtest_gate::{Check, Control, Figure, Gate, Judged, Rule, Run};
use prodtest_inspect::{Entry, Facts, Means, Survey, controls, declared, judge, observe, plan, rules};

use crate::{checks, flags::Flags, live::Shared, section::Section, site::Site};

/// How long each check may take when nobody says.
const DEADLINE: Duration = Duration::from_secs(30);

/// The verify gate.
pub(crate) struct Verify;

type Plan = prodtest_inspect::Plan<Site>;

impl Survey for Verify {
    const NAME: &'static str = "verify";
    const CHECKS: &'static [Entry<Self>] = checks::ALL;

    type Flags = Flags;
    type Section = Section;
    type Site = Site;
    type Own = Shared;
}

impl Gate for Verify {
    const NAME: &'static str = "verify";
    const QUESTION: &'static str = "Is what runs there healthy, and shaped as required?";

    type Plan = Plan;
    type Facts = Facts;
    type Means = Means<Shared>;

    fn checks(plan: &Plan, _facts: Option<&Facts>) -> Vec<Check> {
        declared::<Self>(plan)
    }

    async fn observe(plan: &Plan, means: &Means<Shared>, run: &Run) -> Facts {
        let mut facts = observe::<Self>(plan, means, run).await;
        // Whatever became of the check that made them.
        checks::network_policy::clean(means, run, &mut facts).await;
        facts
    }

    fn judge(plan: &Plan, facts: &Facts) -> Vec<Judged> {
        judge::<Self>(plan, facts)
    }

    fn controls(plan: &Plan, facts: &Facts) -> Vec<Control> {
        controls::<Self>(plan, facts)
    }

    fn figures(_plan: &Plan, _facts: &Facts) -> Vec<Figure> {
        Vec::new()
    }
}

impl CommandLine for Verify {
    const ABOUT: &'static str = "\
Looks at a release that runs: its pods and where they are, autoscaling, the strategy of its rollouts, quota, ingress and \
its certificate, network policies, stores, logs, the resources that it uses, events, and what it answers. Each is measured \
where it is: of the cluster, of the logs, through the ingress. Changes nothing that stays.";
    const EXAMPLES: &'static str = "\
  # is what runs in `staging` of ./prodtest.yaml as it must be?
  prodtest-verify --env staging

  # as version 1.4.2
  prodtest-verify --env staging --expect-version 1.4.2

  # what are its checks, and what do they hold things against?
  prodtest-verify --env staging --list";
    const OUTPUTS: &'static [(&'static str, &'static str)] = &[];

    type Flags = Flags;
    type Section = Section;

    fn plan(input: &Input<'_, Flags>) -> Result<Plan, Refusal> {
        let section: Section = input.config.section.read()?;
        let deadline = section.deadline.unwrap_or(Period(DEADLINE));
        plan::<Self>(input, &section, deadline, || Site::new(input))
    }

    fn means(plan: &Plan, input: &Input<'_, Flags>) -> Result<Means<Shared>, Refusal> {
        Means::new::<Self>(plan, input, &plan.site.cluster, Shared::default())
    }

    async fn fetch(means: &mut Means<Shared>, run: &Run) -> Result<(), Refusal> {
        means.fetch(run).await;
        Ok(())
    }

    fn rbac(plan: &Plan) -> Vec<Rule> {
        rules::<Self>(plan)
    }

    fn secrets(means: &Means<Shared>) -> Vec<&str> {
        means.values().collect()
    }

    fn timeout(input: &Input<'_, Flags>) -> Result<Duration, Refusal> {
        Ok(<Self as CommandLine>::plan(input)?.whole())
    }
}
