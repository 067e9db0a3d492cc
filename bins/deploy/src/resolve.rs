//! From configuration and flags to a plan.

use prodtest_cli::{Input, Refusal};
use prodtest_rollout::engine::{
    resolve::{self, Deployed},
    section::Section,
};
use serde::Deserialize as _;

use crate::{
    checks,
    flags::{Flags, Verb},
    plan::{Action, Plan},
};

/// The plan, as flags and configuration have it; of a recorded run, as it was, under today's limits.
pub(crate) fn plan(input: &Input<'_, Flags>) -> Result<Plan, Refusal> {
    let section: Section = input.config.section.read()?;
    let plan = match input.recorded {
        Some(recorded) => Plan::deserialize(recorded)
            .map_err(|error| Refusal::usage(format!("the record's plan cannot be read by this version: {error}")))?,
        None => fresh(input, &section)?,
    };
    let mut left_out = plan.left_out;
    for name in checks::NAMES {
        let id = checks::id(name);
        if let (false, Some(why)) =
            (left_out.iter().any(|(known, _)| known == name), input.selection.left_out(&id, &[]))
        {
            left_out.push((name.to_owned(), why));
        }
    }
    Ok(Plan { change: resolve::limited(plan.change, &section), left_out, ..plan })
}

fn fresh(input: &Input<'_, Flags>, section: &Section) -> Result<Plan, Refusal> {
    let (flags, change) = (input.flags, &input.flags.release.change);
    let action = match flags.action {
        Some(Verb::Restore) if change.recover || change.dry_run => {
            return Err(Refusal::usage("`restore` goes with neither `--recover` nor `--dry-run`"));
        }
        Some(Verb::Restore) => Action::Restore(flags.backup.clone()),
        None if change.recover && change.dry_run => {
            return Err(Refusal::usage("`--recover` does not go with `--dry-run`"));
        }
        None if change.recover => Action::Recover,
        None if change.dry_run => Action::DryRun,
        None => Action::Deploy,
    };
    let deployed = matches!(action, Action::Deploy | Action::DryRun).then(|| Deployed {
        tag: flags.tag.clone(),
        digest: flags.digest.clone(),
        build: flags.build,
        no_pin: flags.no_pin,
    });
    let mut plan = resolve::plan(input, &flags.release, section, deployed.as_ref())?;
    if let Action::Restore(_) = action {
        plan.what = None;
    }
    if let Some(said) = flags.on_failure {
        plan.on_failure = said.into();
    }
    if action != Action::Recover {
        let digest = plan.image.as_ref().and_then(|image| image.digest.clone());
        let confirmed = plan.version.clone().or(digest).unwrap_or_else(|| plan.release.clone());
        change.refuse_unconfirmed(&input.config.environment_name, &input.config.environment, &confirmed)?;
    }
    Ok(Plan { action, change: plan, left_out: Vec::new() })
}
