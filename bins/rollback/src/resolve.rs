//! From configuration and flags to a plan.

use std::time::Duration;

use prodtest_cli::{Input, Refusal};
use prodtest_config::Period;
use prodtest_rollout::engine::{
    resolve::{self, Deployed},
    section::Section as Deploy,
};
use serde::Deserialize as _;

use crate::{
    checks,
    flags::{Fault, Flags, Verb},
    plan::{Action, Plan, SmokePlan, Target},
    section::Section,
};

/// NFR2.4 of the seed: a way back within five minutes.
const RTO: Duration = Duration::from_secs(300);
/// Most doom shows within seconds; a version that never gets ready needs a probe's patience.
const DETECTION: Duration = Duration::from_secs(60);
/// NFR2.1 of the seed, in percent.
const AVAILABILITY: f64 = 99.9;
/// Thirty days.
const WINDOW: Duration = Duration::from_secs(720 * 3600);
/// No build makes it.
const NO_SUCH_TAG: &str = "prodtest-drill-no-such-tag";

/// The plan, as flags and configuration have it; of a recorded run, as it was, under today's limits.
pub(crate) fn plan(input: &Input<'_, Flags>) -> Result<Plan, Refusal> {
    let section: Section = input.config.section.read()?;
    // How a release is changed is said once.
    let deploy: Deploy = input.config.section_of("deploy").read()?;
    let plan = match input.recorded {
        Some(recorded) => Plan::deserialize(recorded)
            .map_err(|error| Refusal::usage(format!("the record's plan cannot be read by this version: {error}")))?,
        None => fresh(input, &section, &deploy)?,
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
    let availability = section.availability.unwrap_or(AVAILABILITY);
    if !(0.0..100.0).contains(&availability) {
        let message = format!("`rollback.availability` is {availability}: it is a percentage below 100");
        return Err(Refusal::usage_with_hint(message, "write `availability: 99.9`"));
    }
    let or = |given: Option<Period>, otherwise| given.unwrap_or(Period(otherwise));
    Ok(Plan {
        change: resolve::limited(plan.change, &deploy),
        rto: or(section.rto, RTO),
        detection_time: or(section.detection_time, DETECTION),
        availability,
        budget_window: or(section.budget_window, WINDOW),
        reversible_migrations: section.reversible_migrations,
        left_out,
        ..plan
    })
}

fn fresh(input: &Input<'_, Flags>, section: &Section, deploy: &Deploy) -> Result<Plan, Refusal> {
    let (flags, change) = (input.flags, &input.flags.release.change);
    let action = action(input)?;
    let mut asked = flags.release.clone();
    let deployed = match &action {
        Action::Drill(fault) => {
            let bad = section.drill.get(fault);
            if *fault != Fault::Tag && bad.is_none() && flags.bad_tag.is_none() {
                let message = format!("nothing says which version has the fault `{fault}`");
                let hint = format!("add `rollback: {{ drill: {{ {fault}: {{ tag: … }} }} }}`, or pass `--bad-tag`");
                return Err(Refusal::usage_with_hint(message, hint));
            }
            asked.values.extend(bad.iter().flat_map(|bad| &bad.values).map(|file| file.value.0.clone()));
            let configured = bad.and_then(|bad| bad.tag.clone());
            let tag = flags.bad_tag.clone().or(configured).unwrap_or_else(|| NO_SUCH_TAG.to_owned());
            Deployed { tag: Some(tag), no_pin: true, ..Deployed::default() }
        }
        // Only for the registry, which is asked about earlier images.
        Action::To(_) | Action::Recover => Deployed { no_pin: true, ..Deployed::default() },
    };
    let is_drill = matches!(action, Action::Drill(_));
    let mut plan = if is_drill {
        resolve::plan(input, &asked, deploy, Some(&deployed))?
    } else {
        let mut plan = resolve::plan(input, &asked, deploy, None)?;
        plan.image = resolve::image(input, &asked, &deployed)?;
        plan
    };
    if is_drill && plan.image.is_none() {
        let hint = "add `image: { repository: …, values-key: image.digest, tag-key: image.tag }`";
        return Err(Refusal::usage_with_hint("the configuration names no image, so there is none to break", hint));
    }
    // The version in the plan is what a chart is told that it deploys; which one must answer is seen before.
    plan.version = is_drill.then(|| deployed.tag.clone()).flatten();
    if action != Action::Recover {
        let confirmed = match &action {
            Action::To(target) => target.to_string(),
            Action::Drill(_) | Action::Recover => "drill".to_owned(),
        };
        change.refuse_unconfirmed(&input.config.environment_name, &input.config.environment, &confirmed)?;
    }
    Ok(Plan {
        dry_run: change.dry_run,
        smoke: smoke(input, section),
        across_migrations: flags.across_migrations,
        expected: input.common.expect_version.clone(),
        action,
        change: plan,
        rto: Period::default(),
        detection_time: Period::default(),
        availability: AVAILABILITY,
        budget_window: Period::default(),
        reversible_migrations: Vec::new(),
        left_out: Vec::new(),
    })
}

fn action(input: &Input<'_, Flags>) -> Result<Action, Refusal> {
    let (flags, change) = (input.flags, &input.flags.release.change);
    if change.recover && change.dry_run {
        return Err(Refusal::usage("`--recover` does not go with `--dry-run`"));
    }
    Ok(match (flags.action, &flags.target) {
        _ if change.recover => Action::Recover,
        (Some(Verb::Drill), None) => Action::Drill(flags.fault.unwrap_or_default()),
        (Some(Verb::Drill), Some(target)) => {
            let message = format!("`drill` goes back to where it began, and not to `{target}`");
            return Err(Refusal::usage_with_hint(message, "leave it out, or say `to`"));
        }
        (Some(Verb::To), Some(_)) if flags.fault.is_some() || flags.bad_tag.is_some() => {
            return Err(Refusal::usage_with_hint(
                "only a drill deploys something bad",
                "leave `--fault` out, or say `drill`",
            ));
        }
        (Some(Verb::To), Some(target)) => {
            Action::To(target.parse::<Target>().map_err(|error| Refusal::usage_with_hint(error, EXAMPLES))?)
        }
        (Some(Verb::To), None) => return Err(Refusal::usage_with_hint("nothing says where `to`", EXAMPLES)),
        // What is listed and described without one.
        (None, _) if input.common.list || input.common.describe => Action::Drill(flags.fault.unwrap_or_default()),
        (None, _) => {
            let hint = "`prodtest-rollback to previous`, or `prodtest-rollback drill`";
            return Err(Refusal::usage_with_hint("nothing says what to do", hint));
        }
    })
}

const EXAMPLES: &str = "`to previous`, `to 12` (a revision), `to 1.4.1` (a version)";

/// The smoke gate, with the same target as this one.
fn smoke(input: &Input<'_, Flags>, section: &Section) -> Option<SmokePlan> {
    let has_scenarios = input.config.section_of("smoke").entries().next().is_some();
    if input.flags.no_smoke || !section.smoke.unwrap_or(has_scenarios) {
        return None;
    }
    let flags = &input.flags.release;
    let out = input.common.out.join(checks::GATE).join("smoke");
    let shown = |path: &std::path::Path| path.display().to_string();
    let mut arguments = vec![
        "--config".to_owned(),
        shown(&input.common.config),
        "--env".to_owned(),
        input.config.environment_name.clone(),
        "--out".to_owned(),
        shown(&out),
    ];
    let optional = [
        ("--url", flags.url.as_ref().map(ToString::to_string)),
        ("--connect", flags.connect.as_ref().map(ToString::to_string)),
        ("--ca", flags.ca.as_deref().map(shown)),
        ("--kubeconfig", flags.cluster.kubeconfig.as_deref().map(shown)),
        ("--context", flags.cluster.context.clone()),
        ("--namespace", flags.cluster.namespace.as_ref().map(ToString::to_string)),
    ];
    for (flag, value) in optional {
        arguments.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
    }
    Some(SmokePlan { arguments, out })
}
