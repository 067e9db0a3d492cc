//! Judges a certificate. Pure.

use jiff::Timestamp;
use prodtest_gate::{Evidence, Quantity, Unit};
use prodtest_http::CertificateFacts;

use crate::assert::Unmet;

const DAY: i64 = 86_400;

/// What was measured, and what is not as it must be: trusted, for this host, and good for `min_days` days after `now`.
pub(crate) fn judge(facts: &CertificateFacts, min_days: u32, now: Timestamp) -> (Vec<Evidence>, Vec<Unmet>) {
    if let Some(failure) = &facts.failure {
        let mut unmet = Unmet::new("handshake", failure.kind.word(), "a TLS handshake", failure.message.clone());
        unmet.ours = failure.kind.is_ours();
        unmet.no_answer = !failure.kind.answered() && facts.chain.is_empty();
        return (Vec::new(), vec![unmet]);
    }
    let Some(leaf) = facts.chain.first() else {
        return (Vec::new(), vec![Unmet::new("handshake", "no certificate", "a certificate", "none")]);
    };
    let left = (leaf.not_after.as_second() - now.as_second()).div_euclid(DAY);
    #[expect(clippy::cast_precision_loss, reason = "days")]
    let days = |days: i64| Quantity::Number { number: days as f64, unit: Unit::Days };
    let mut evidence = vec![Evidence::new("days left", days(left)).limited(days(i64::from(min_days)))];
    evidence.extend(facts.protocol.clone().map(|protocol| Evidence::new("protocol", Quantity::Text(protocol))));
    let mut unmet = Vec::new();
    if !facts.problems.is_empty() {
        let problems: Vec<&str> = facts.problems.iter().map(|problem| problem.message.as_str()).collect();
        unmet.push(Unmet::new(
            "trust",
            "no client accepts the certificate",
            "a certificate that a client accepts",
            problems.join("; "),
        ));
    } else if left < i64::from(min_days) {
        let seen = format!("{}, until {}", days(left), leaf.not_after);
        unmet.push(Unmet::new(
            "expiry",
            format!("the certificate lasts {} more", days(left)),
            format!("at least {min_days} days left"),
            seen,
        ));
    }
    (evidence, unmet)
}

#[cfg(test)]
mod tests;
