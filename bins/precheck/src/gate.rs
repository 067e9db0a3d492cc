//! The precheck gate: its checks, and its command line.

use std::time::Duration;

use prodtest_cli::{CommandLine, Input, Refusal};
use prodtest_config::Period;
use prodtest_gate::{Check, Control, Figure, Gate, Judged, Listing, Rule, Run};
use prodtest_inspect::{Entry, Facts, Means, Survey, controls, declared, judge, observe, plan, rules};

use crate::{checks, flags::Flags, section::Section, shared::Shared, site::Site};

/// How long each check may take when nobody says.
const DEADLINE: Duration = Duration::from_secs(10);

/// The precheck gate.
pub(crate) struct Precheck;

type Plan = prodtest_inspect::Plan<Site>;

/// How long each check may take.
pub(crate) fn deadline(section: &Section) -> Period {
    section.deadline.unwrap_or(Period(DEADLINE))
}

impl Survey for Precheck {
    const NAME: &'static str = "precheck";
    const CHECKS: &'static [Entry<Self>] = checks::ALL;

    type Flags = Flags;
    type Section = Section;
    type Site = Site;
    type Own = Shared;
}

impl Gate for Precheck {
    const NAME: &'static str = "precheck";
    const QUESTION: &'static str = "May we deploy at all?";

    type Plan = Plan;
    type Facts = Facts;
    type Means = Means<Shared>;

    fn checks(plan: &Plan, _facts: Option<&Facts>) -> Vec<Check> {
        declared::<Self>(plan)
    }

    async fn observe(plan: &Plan, means: &Means<Shared>, run: &Run) -> Facts {
        observe::<Self>(plan, means, run).await
    }

    fn judge(plan: &Plan, facts: &Facts) -> Vec<Judged> {
        judge::<Self>(plan, facts)
    }

    fn controls(plan: &Plan, facts: &Facts) -> Vec<Control> {
        controls::<Self>(plan, facts)
    }

    fn listings(plan: &Plan, facts: &Facts) -> Vec<Listing> {
        checks::permissions::listing(plan, facts).into_iter().collect()
    }

    fn figures(_plan: &Plan, _facts: &Facts) -> Vec<Figure> {
        Vec::new()
    }
}

impl CommandLine for Precheck {
    const ABOUT: &'static str = "\
Looks, before anything is touched, at all that a deployment needs: the cluster and room in it, the rights of every later \
gate, the chart, the image and its registry, secrets, database, migrations, caches, backups, runbooks, and a way back. \
Each is asked for itself, with the credentials that the service will use, side by side, within a deadline. Changes \
nothing.";
    const EXAMPLES: &'static str = "\
  # may version 1.4.2 be deployed to `staging` of ./prodtest.yaml?
  prodtest-precheck --env staging --tag 1.4.2

  # the stores alone
  prodtest-precheck --env staging --only database --only redis

  # what are its checks, and what do they hold things against?
  prodtest-precheck --env staging --list";
    const OUTPUTS: &'static [(&'static str, &'static str)] = &[];

    type Flags = Flags;
    type Section = Section;

    fn plan(input: &Input<'_, Flags>) -> Result<Plan, Refusal> {
        let section: Section = input.config.section.read()?;
        plan::<Self>(input, &section, deadline(&section), || Site::new(input, &section))
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
