//! `rollback/detection-time`: a bad version is called bad, and soon.

use prodtest_gate::{Check, Evidence, Finding, Judged, Limit, Quantity};
use prodtest_rollout::{
    engine::judge::{not_reached, served, troubled},
    watch::RolloutVerdict,
};

use super::{dry, id, not_begun};
use crate::{
    facts::Facts,
    flags::Fault,
    plan::{Action, Plan},
};

const NAME: &str = "detection-time";

/// What it declares.
pub(crate) fn declare(plan: &Plan) -> Check {
    let mut limits = vec![Limit { name: "within".to_owned(), value: plan.detection_time.to_string() }];
    limits.extend(plan.fault().map(|fault| Limit { name: "fault".to_owned(), value: fault.to_string() }));
    Check {
        why: Some("A bad version that nobody calls bad stays, and every minute until then is one more of outage.".to_owned()),
        help: Some(
            "A probe that fails late, a long `progressDeadlineSeconds` or a generous `deploy.patience` make it slow; what \
             gets ready and serves badly is seen by the probe of `deploy.probe` alone."
                .to_owned(),
        ),
        needs: vec![id("target")],
        limits,
        requirements: vec!["FR5.4".to_owned()],
        ..Check::new(id(NAME), "a bad version is called bad, and soon")
    }
}

/// Who called it, and when.
pub(crate) struct Called {
    pub(crate) at_ms: u64,
    pub(crate) by: String,
}

/// When the bad version was called bad, if it was.
pub(crate) fn called(plan: &Plan, facts: &Facts) -> Option<Called> {
    let upgrade = facts.change.upgrade.as_ref()?;
    let verdict = facts.change.rollout.as_ref().map(|rollout| rollout.verdict(&plan.change.patience));
    if let Some(RolloutVerdict::Doomed { at_ms, dooms }) = &verdict {
        let why = dooms.first().map_or_else(|| "the rollout is doomed".to_owned(), ToString::to_string);
        return Some(Called { at_ms: *at_ms, by: why });
    }
    if let Some(trouble) = upgrade.trouble.as_ref().filter(|trouble| trouble.measured) {
        return Some(Called { at_ms: upgrade.ended_ms?, by: trouble.message.clone() });
    }
    // Who was stopped has decided nothing: it only went back.
    let decided = facts.change.decided_ms.filter(|_| facts.change.halted.is_none())?;
    if let Some(RolloutVerdict::Unfinished { why }) = &verdict {
        return Some(Called { at_ms: decided, by: format!("not done within {}: {why}", plan.change.timeout) });
    }
    let seen = facts.probe_at_decision.as_ref()?;
    let worst = served::problems(&plan.change, seen).into_iter().next()?;
    Some(Called { at_ms: decided, by: format!("the probe: {worst}") })
}

/// What the facts say.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Judged {
    let Action::Drill(fault) = plan.action else {
        return Judged::skipped(id(NAME), "nothing bad is deployed: `drill` does that");
    };
    if let Some(skipped) = dry(NAME, plan) {
        return skipped;
    }
    let Some(upgrade) = facts.change.upgrade.as_ref() else { return not_reached(id(NAME), &facts.change) };
    if not_begun(facts) {
        // Refused before anything was changed: the chart or the cluster did not take it, and no version was deployed.
        return match &upgrade.trouble {
            Some(trouble) => {
                let message = format!("the bad version could not be deployed: {}", trouble.message);
                Judged::undetermined(id(NAME), message)
            }
            None => not_reached(id(NAME), &facts.change),
        };
    }
    let unmeasured = upgrade.trouble.as_ref().filter(|trouble| !trouble.measured);
    if let Some(trouble) = unmeasured {
        return troubled(id(NAME), trouble, &plan.change.release, None);
    }
    if let Some(RolloutVerdict::Unknown { why }) =
        facts.change.rollout.as_ref().map(|rollout| rollout.verdict(&plan.change.patience))
    {
        return Judged::undetermined(id(NAME), format!("the cluster was not heard of: {why}"));
    }
    let began = upgrade.started_ms.unwrap_or_default();
    let place = plan.change.places.chart.clone();
    let Some(called) = called(plan, facts) else {
        if facts.change.decided_ms.is_none() || facts.change.halted.is_some() {
            return not_reached(id(NAME), &facts.change);
        }
        let message = match fault.is_served() && plan.change.probe.is_none() {
            true => "nobody noticed that it serves badly, for the environment has no `url` to probe".to_owned(),
            false => format!("a version with the fault `{fault}` was deployed, and nothing called it bad"),
        };
        let finding = Finding::new(&id(NAME), "missed", &plan.change.release, message);
        let finding = finding.expected("a bad version is called bad", "it landed").at(place).help(help(fault));
        return Judged::by_findings(id(NAME), vec![finding]);
    };
    let took = called.at_ms.saturating_sub(began) as f64;
    let limit = plan.detection_time.0.as_secs_f64() * 1000.0;
    let findings = (took > limit).then(|| {
        Finding::new(&id(NAME), "late", &plan.change.release, "the bad version was called bad too late")
            .expected(format!("within {}", plan.detection_time), Quantity::milliseconds(took).to_string())
            .at(place)
    });
    let mut judged = Judged::by_findings(id(NAME), findings.into_iter().collect());
    judged.duration_ms = took;
    judged
        .evidence
        .push(Evidence::new("called bad after", Quantity::milliseconds(took)).limited(Quantity::milliseconds(limit)));
    judged.evidence.push(Evidence::new("because", Quantity::Text(called.by)));
    judged
}

const fn help(fault: Fault) -> &'static str {
    match fault {
        Fault::Tag => "look whether the chart takes the tag: `image.tag-key` says which value does",
        Fault::Crash | Fault::Unready => "look whether the image of `rollback.drill` is as bad as it is to be",
        Fault::ErrorRate | Fault::Slow => {
            "look whether the image of `rollback.drill` is as bad as it is to be, and whether `deploy.probe` asks for what it breaks"
        }
    }
}
