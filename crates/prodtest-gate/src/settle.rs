//! The rules that hold between checks, and the verdict.

use std::collections::HashMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Check, CheckId, CheckRecord, Control, Finding, Judged, Outcome, Pardon, RULE_UNDETERMINED, Verdict, Waiver,
    WaiverTarget,
};

/// Everything that may excuse a check in this run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Pardons {
    /// The waivers for this gate's checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waivers: Vec<Waiver>,
    /// The checks of `--allow-undetermined`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_undetermined: Vec<CheckId>,
}

/// What settling gives: each check, every finding, remarks, and the verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// Each check in the order of the plan, then those that the plan did not know.
    pub checks: Vec<CheckRecord>,
    /// Every finding, in the order of the checks.
    pub findings: Vec<Finding>,
    /// Remarks that change no verdict.
    pub notes: Vec<String>,
    /// The verdict.
    pub verdict: Verdict,
}

/// Turns judgements into a verdict. `today` is the day of the run in UTC: waivers are held against it.
///
/// In this order: a check that nothing judged is undetermined; a control that did not trip makes the passed and failed
/// checks it proves undetermined; a check that did not pass while one it needs failed, or could not be measured, is
/// undetermined and names it; expired waivers are a failed check of their own; pardons; the verdict.
#[must_use]
pub fn settle(
    gate: &str,
    checks: Vec<Check>,
    judged: Vec<Judged>,
    controls: &[Control],
    pardons: &Pardons,
    today: Date,
) -> Settled {
    let mut rows = pair(checks, judged);
    apply_controls(&mut rows, controls);
    apply_needs(&mut rows);
    if let Some(row) = expired_waivers(gate, &pardons.waivers, today) {
        rows.push(row);
    }
    let notes = apply_pardons(&mut rows, pardons, today);
    let verdict = verdict(rows.iter().map(|(record, _)| record));
    let (checks, findings): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    Settled { checks, findings: findings.into_iter().flatten().collect(), notes, verdict }
}

type Row = (CheckRecord, Vec<Finding>);

fn pair(checks: Vec<Check>, judged: Vec<Judged>) -> Vec<Row> {
    let mut by_id: HashMap<CheckId, Judged> = judged.into_iter().map(|one| (one.id.clone(), one)).collect();
    checks
        .into_iter()
        .map(|check| {
            let judged = match (&check.left_out, by_id.remove(&check.id)) {
                (Some(reason), _) => Judged::skipped(check.id.clone(), reason),
                (None, Some(judged)) => judged,
                (None, None) => Judged::undetermined(check.id.clone(), "it was not measured"),
            };
            row(check, judged)
        })
        .collect()
}

fn row(check: Check, judged: Judged) -> Row {
    let mut findings = judged.findings;
    for finding in &mut findings {
        finding.severity = finding.severity.max(check.severity);
        if finding.place.is_none() {
            finding.place.clone_from(&check.place);
        }
        if finding.help.is_none() {
            finding.help.clone_from(&check.help);
        }
    }
    let mut record = CheckRecord {
        check,
        outcome: judged.outcome,
        reason: judged.reason,
        pardon: None,
        evidence: judged.evidence,
        series: judged.series,
        duration_ms: judged.duration_ms,
    };
    if record.outcome == Outcome::Failed && findings.is_empty() {
        // A check that fails without saying why is a defect of the gate; it must not look measured.
        record.outcome = Outcome::Undetermined;
        record.reason = Some("it failed without a finding: a defect of this gate".to_owned());
    }
    if record.outcome == Outcome::Undetermined {
        let reason = record.reason.clone().unwrap_or_default();
        findings = vec![undetermined_finding(&record.check, &reason, findings.first())];
    }
    (record, findings)
}

/// The one finding of an undetermined check. What was seen before the reason took over is kept as `seen`.
fn undetermined_finding(check: &Check, reason: &str, before: Option<&Finding>) -> Finding {
    let mut finding = Finding::new(&check.id, RULE_UNDETERMINED, "", format!("could not be measured: {reason}"));
    finding.severity = check.severity;
    finding.place = check.place.clone();
    if let Some(before) = before {
        finding.seen = Some(before.message.clone());
        finding.help.clone_from(&before.help);
        finding.command.clone_from(&before.command);
    }
    finding
}

fn make_undetermined((record, findings): &mut Row, reason: String) {
    let before = findings.iter().find(|finding| finding.rule != RULE_UNDETERMINED).cloned();
    *findings = vec![undetermined_finding(&record.check, &reason, before.as_ref())];
    record.outcome = Outcome::Undetermined;
    record.reason = Some(reason);
}

fn apply_controls(rows: &mut [Row], controls: &[Control]) {
    for control in controls.iter().filter(|control| !control.tripped) {
        for row in rows.iter_mut() {
            let proven = control.proves.is_empty() || control.proves.contains(&row.0.check.id);
            if proven && matches!(row.0.outcome, Outcome::Passed | Outcome::Failed) {
                let reason = format!("the control `{}` did not trip: {}", control.name, control.detail);
                make_undetermined(row, reason);
            }
        }
    }
}

/// One pass is not enough: what leans on a check that leans on a failed one falls too. Every pass that changes
/// something changes a check for good, so there are at most as many passes as checks.
fn apply_needs(rows: &mut [Row]) {
    let mut blamed: Vec<bool> = vec![false; rows.len()];
    loop {
        let blocked: HashMap<CheckId, Outcome> = rows
            .iter()
            .filter(|(record, _)| record.outcome.blocks())
            .map(|(record, _)| (record.check.id.clone(), record.outcome))
            .collect();
        let mut changed = false;
        for (row, blamed) in rows.iter_mut().zip(&mut blamed) {
            if *blamed || !row.0.outcome.blocks() {
                continue;
            }
            let culprit = row.0.check.needs.iter().find_map(|need| blocked.get(need).map(|how| (need, how)));
            if let Some((need, how)) = culprit {
                let verb = if *how == Outcome::Failed { "failed" } else { "is undetermined" };
                let reason = format!("`{need}`, on which it leans, {verb}");
                make_undetermined(row, reason);
                *blamed = true;
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}

fn expired_waivers(gate: &str, waivers: &[Waiver], today: Date) -> Option<Row> {
    let expired: Vec<&Waiver> = waivers.iter().filter(|waiver| waiver.expires < today).collect();
    let id = CheckId::new(gate, "waivers").ok()?;
    let findings: Vec<Finding> = expired
        .iter()
        .map(|waiver| {
            let target = match &waiver.target {
                WaiverTarget::Check(check) => check.to_string(),
                WaiverTarget::Finding(fingerprint) => fingerprint.clone(),
            };
            Finding::new(&id, "expired", &target, format!("the waiver for `{target}` has expired"))
                .expected(format!("an expiry date of {today} or later"), waiver.expires.to_string())
                .at(Some(waiver.place.clone()))
                .help(format!("mend what it excuses, or have {} renew it with a new date", waiver.owner))
        })
        .collect();
    (!findings.is_empty())
        .then(|| row(Check::new(id.clone(), "no waiver has expired"), Judged::by_findings(id, findings)))
}

fn apply_pardons(rows: &mut [Row], pardons: &Pardons, today: Date) -> Vec<String> {
    let mut notes = Vec::new();
    for waiver in pardons.waivers.iter().filter(|waiver| waiver.expires >= today) {
        let pardon =
            Pardon::Waiver { owner: waiver.owner.clone(), reason: waiver.reason.clone(), expires: waiver.expires };
        let mut used = false;
        for (record, findings) in rows.iter_mut().filter(|(record, _)| record.outcome.blocks()) {
            for finding in findings.iter_mut() {
                let meant = match &waiver.target {
                    WaiverTarget::Check(id) => *id == record.check.id,
                    WaiverTarget::Finding(fingerprint) => *fingerprint == finding.fingerprint,
                };
                if meant {
                    finding.pardon = Some(pardon.clone());
                    used = true;
                }
            }
            if findings.iter().all(|finding| finding.pardon.is_some()) {
                record.pardon = findings.first().and_then(|finding| finding.pardon.clone());
            }
        }
        if !used {
            notes.push(format!("the waiver at {} excused nothing in this run", waiver.place));
        }
    }
    for (record, findings) in rows.iter_mut() {
        let allowed = pardons.allow_undetermined.contains(&record.check.id);
        if allowed && record.outcome == Outcome::Undetermined && record.pardon.is_none() {
            record.pardon = Some(Pardon::AllowUndetermined);
            for finding in findings {
                finding.pardon = Some(Pardon::AllowUndetermined);
            }
        }
    }
    notes
}

/// Passed only if at least one check passed and none that counts failed or is undetermined.
fn verdict<'a>(checks: impl Iterator<Item = &'a CheckRecord> + Clone) -> Verdict {
    let counts = |outcome| checks.clone().any(|check| check.outcome == outcome && check.pardon.is_none());
    if counts(Outcome::Failed) {
        Verdict::Failed
    } else if counts(Outcome::Undetermined) || !counts(Outcome::Passed) {
        Verdict::Undetermined
    } else {
        Verdict::Passed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Place;

    const TODAY: Date = jiff::civil::date(2026, 3, 1);

    fn id(name: &str) -> CheckId {
        CheckId::new("demo", name).unwrap()
    }

    fn check(name: &str, needs: &[&str]) -> Check {
        Check { needs: needs.iter().map(|need| id(need)).collect(), ..Check::new(id(name), name) }
    }

    fn passed(name: &str) -> Judged {
        Judged::by_findings(id(name), Vec::new())
    }

    fn failed(name: &str) -> Judged {
        Judged::by_findings(id(name), vec![Finding::new(&id(name), "rule", "subject", "it broke")])
    }

    fn run(checks: Vec<Check>, judged: Vec<Judged>, pardons: &Pardons) -> Settled {
        settle("demo", checks, judged, &[], pardons, TODAY)
    }

    fn outcomes(settled: &Settled) -> Vec<(&str, Outcome)> {
        settled.checks.iter().map(|record| (record.check.id.name(), record.outcome)).collect()
    }

    fn waiver(target: WaiverTarget, expires: Date) -> Waiver {
        let place = Place { file: "waivers.yaml".into(), line: 3, column: 1 };
        Waiver { target, reason: "known".into(), owner: "ops".into(), expires, place }
    }

    #[test]
    fn nothing_measured_is_undetermined() {
        assert_eq!(run(vec![], vec![], &Pardons::default()).verdict, Verdict::Undetermined);
        let settled = run(vec![check("a", &[])], vec![], &Pardons::default());
        assert_eq!(settled.verdict, Verdict::Undetermined);
        assert_eq!(settled.findings.len(), 1, "an undetermined check says so in every report");
        let only_skipped = run(vec![check("a", &[])], vec![Judged::skipped(id("a"), "no TLS")], &Pardons::default());
        assert_eq!(only_skipped.verdict, Verdict::Undetermined);
    }

    #[test]
    fn a_failure_that_another_explains_is_undetermined_and_names_it() {
        let checks = vec![check("c", &["b"]), check("b", &["a"]), check("a", &[]), check("d", &["a"])];
        let judged = vec![failed("c"), failed("b"), failed("a"), passed("d")];
        let settled = run(checks, judged, &Pardons::default());
        assert_eq!(
            outcomes(&settled),
            [
                ("c", Outcome::Undetermined),
                ("b", Outcome::Undetermined),
                ("a", Outcome::Failed),
                ("d", Outcome::Passed)
            ]
        );
        assert!(settled.checks[1].reason.as_deref().unwrap().contains("`demo/a`"));
        assert_eq!(settled.findings[0].seen.as_deref(), Some("it broke"), "what was seen is not lost");
        assert_eq!(settled.verdict, Verdict::Failed);
    }

    #[test]
    fn a_silent_control_takes_its_checks_along() {
        let silent = Control { name: "c".into(), tripped: false, detail: "d".into(), proves: vec![id("a")] };
        let judged = vec![passed("a"), passed("b")];
        let settled =
            settle("demo", vec![check("a", &[]), check("b", &[])], judged, &[silent], &Pardons::default(), TODAY);
        assert_eq!(outcomes(&settled), [("a", Outcome::Undetermined), ("b", Outcome::Passed)]);
        assert_eq!(settled.verdict, Verdict::Undetermined);
    }

    #[test]
    fn a_waived_check_keeps_its_outcome_and_does_not_count() {
        let pardons = Pardons { waivers: vec![waiver(WaiverTarget::Check(id("a")), TODAY)], ..Pardons::default() };
        let settled = run(vec![check("a", &[]), check("b", &[])], vec![failed("a"), passed("b")], &pardons);
        assert_eq!(outcomes(&settled), [("a", Outcome::Failed), ("b", Outcome::Passed)]);
        assert_eq!(settled.verdict, Verdict::Passed);
        assert!(settled.checks[0].pardon.is_some());
    }

    #[test]
    fn a_waiver_for_one_finding_of_two_excuses_no_check() {
        let two: Vec<Finding> = ["x", "y"].map(|subject| Finding::new(&id("a"), "rule", subject, "broke")).into();
        let target = WaiverTarget::Finding(two[0].fingerprint.clone());
        let pardons = Pardons { waivers: vec![waiver(target, TODAY)], ..Pardons::default() };
        let judged = vec![Judged::by_findings(id("a"), two), passed("b")];
        let settled = run(vec![check("a", &[]), check("b", &[])], judged, &pardons);
        assert_eq!(settled.verdict, Verdict::Failed);
    }

    #[test]
    fn an_expired_waiver_fails_and_an_idle_one_is_noted() {
        let yesterday = jiff::civil::date(2026, 2, 28);
        let pardons = Pardons {
            waivers: vec![
                waiver(WaiverTarget::Check(id("a")), yesterday),
                waiver(WaiverTarget::Finding("ff".into()), TODAY),
            ],
            ..Pardons::default()
        };
        let settled = run(vec![check("a", &[])], vec![passed("a")], &pardons);
        assert_eq!(outcomes(&settled), [("a", Outcome::Passed), ("waivers", Outcome::Failed)]);
        assert_eq!((settled.verdict, settled.notes.len()), (Verdict::Failed, 1));
    }

    #[test]
    fn undetermined_can_be_allowed_but_failure_cannot() {
        let pardons = Pardons { allow_undetermined: vec![id("a"), id("b")], ..Pardons::default() };
        let checks = || vec![check("a", &[]), check("b", &[])];
        let allowed = run(checks(), vec![Judged::undetermined(id("a"), "no key"), passed("b")], &pardons);
        assert_eq!(allowed.verdict, Verdict::Passed);
        assert_eq!(run(checks(), vec![passed("a"), failed("b")], &pardons).verdict, Verdict::Failed);
    }

    #[test]
    fn a_failure_without_a_finding_is_a_defect_not_a_measurement() {
        let bare = Judged { outcome: Outcome::Failed, ..passed("a") };
        let settled = run(vec![check("a", &[])], vec![bare], &Pardons::default());
        assert_eq!(settled.verdict, Verdict::Undetermined);
    }

    fn any_judged(name: String) -> impl Strategy<Value = Judged> {
        (0..4_u8).prop_map(move |kind| match kind {
            0 => passed(&name),
            1 => failed(&name),
            2 => Judged::undetermined(id(&name), "no answer"),
            _ => Judged::skipped(id(&name), "not here"),
        })
    }

    proptest! {
        /// Whatever the outcomes and needs: green only if something passed and nothing blocks; red only if something
        /// failed on its own; every blocking check has a finding; a passed check stays passed.
        #[test]
        fn green_is_true(
            judged in (1..8_usize).prop_flat_map(|n| {
                (0..n).map(|i| any_judged(format!("c{i}"))).collect::<Vec<_>>()
            }),
            needs in prop::collection::vec((0..8_usize, 0..8_usize), 0..12),
        ) {
            let n = judged.len();
            let checks: Vec<Check> = (0..n).map(|i| {
                let needs: Vec<String> = needs.iter().filter(|(from, to)| *from == i && *to < i)
                    .map(|(_, to)| format!("c{to}")).collect();
                check(&format!("c{i}"), &needs.iter().map(String::as_str).collect::<Vec<_>>())
            }).collect();
            let before: Vec<Outcome> = judged.iter().map(|one| one.outcome).collect();
            let settled = run(checks, judged, &Pardons::default());
            let after: Vec<Outcome> = settled.checks.iter().map(|record| record.outcome).collect();
            let any = |outcome| after.contains(&outcome);
            match settled.verdict {
                Verdict::Passed => prop_assert!(
                    any(Outcome::Passed) && !any(Outcome::Failed) && !any(Outcome::Undetermined)),
                Verdict::Failed => prop_assert!(any(Outcome::Failed)),
                Verdict::Undetermined => prop_assert!(!any(Outcome::Failed)),
            }
            // Consequences never hide the cause: if anything failed before, something still does.
            prop_assert_eq!(before.contains(&Outcome::Failed) && !any(Outcome::Failed)
                && !before.contains(&Outcome::Undetermined), false);
            for (record, before) in settled.checks.iter().zip(before) {
                if before == Outcome::Passed {
                    prop_assert_eq!(record.outcome, Outcome::Passed);
                }
                let findings = settled.findings.iter().filter(|finding| finding.check == record.check.id).count();
                prop_assert_eq!(record.outcome.blocks(), findings > 0);
            }
        }
    }
}
