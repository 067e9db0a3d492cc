//! What a probe saw, for a plot against what happened meanwhile.

use prodtest_gate::{Mark, Series, Unit};

use super::facts::{Bin, ProbeFacts};

/// Failed requests and the slowest one of each bin, with the same marks on both. The marks' times are those of the
/// facts; the beginning of the change is added to them.
#[must_use]
pub fn series(facts: &ProbeFacts, marks: &[Mark]) -> Vec<Series> {
    let span = match facts.bin_ms {
        1000 => "each second".to_owned(),
        length => format!("each {} s", length / 1000),
    };
    let mut all = marks.to_vec();
    all.extend(facts.change_ms.map(|at| Mark { at_ms: at as f64, label: "change".to_owned() }));
    all.sort_by(|one, two| one.at_ms.total_cmp(&two.at_ms));
    let times: Vec<f64> = facts.bins.iter().map(|bin| bin.at_ms as f64).collect();
    let of = |name: &str, unit, limit, value: fn(&Bin) -> f64| {
        let values = facts.bins.iter().map(value).collect();
        Series::new(format!("{name} {span}"), unit, values).limited(limit).over_time(times.clone(), all.clone())
    };
    vec![
        of("failed requests", Unit::Count, Some(0.0), |bin| bin.failed as f64),
        of("slowest request", Unit::Milliseconds, Some(facts.timeout_ms as f64), |bin| bin.slowest_ms),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_series_stand_over_the_same_times() {
        let bin = |at_ms, failed| Bin { at_ms, requests: 20, failed, slowest_ms: 12.5 };
        let facts = ProbeFacts {
            bin_ms: 1000,
            timeout_ms: 2000,
            change_ms: Some(1500),
            bins: vec![bin(100, 0), bin(1100, 3)],
            ..ProbeFacts::default()
        };
        let later = Mark { at_ms: 1700.0, label: "pod `a` is ready".to_owned() };
        let [failed, slowest] = &series(&facts, std::slice::from_ref(&later))[..] else { panic!() };
        assert_eq!((failed.name.as_str(), &failed.values[..]), ("failed requests each second", &[0.0, 3.0][..]));
        assert_eq!((failed.times.clone(), slowest.values.clone()), (vec![100.0, 1100.0], vec![12.5, 12.5]));
        assert_eq!(failed.marks, [Mark { at_ms: 1500.0, label: "change".to_owned() }, later]);
        assert_eq!(failed.marks, slowest.marks);
    }
}
