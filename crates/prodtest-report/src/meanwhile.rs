//! What a plot would show of a series over time, in a line: when it was above its limit, and after what.

use prodtest_gate::{Mark, Quantity, RunRecord, Series};

use crate::text;

/// The longest that words of strangers are in such a line.
const MAX_WORDS: usize = 200;
/// How many lines a report has of them.
const MAX_LINES: usize = 20;

/// A line for each series over time that was above its limit.
pub(crate) fn lines(record: &RunRecord) -> Vec<String> {
    let series = record.checks.iter().flat_map(|check| check.series.iter().map(move |series| (check, series)));
    let lines = series.filter_map(|(check, series)| Some(format!("`{}`: {}", check.check.id, line(series)?)));
    lines.take(MAX_LINES).collect()
}

/// `failed requests each second: 3 of 42 above 0, from 12 s to 14 s, the first after `change` at 11.4 s; highest 5`.
fn line(series: &Series) -> Option<String> {
    let limit = series.limit?;
    if series.times.len() != series.values.len() {
        return None;
    }
    let timed = || series.times.iter().copied().zip(series.values.iter().copied());
    let over: Vec<(f64, f64)> = timed().filter(|(_, value)| *value > limit).collect();
    let ((first, _), (last, _)) = (*over.first()?, *over.last()?);
    let highest = over.iter().map(|(_, value)| *value).fold(limit, f64::max);
    let unit = |number| Quantity::Number { number, unit: series.unit };
    // What is measured at a time may have happened at any moment until the next one.
    let next = series.times.iter().copied().find(|time| *time > first).unwrap_or(f64::INFINITY);
    let before = series.marks.iter().filter(|mark| mark.at_ms < next);
    let cause = before.max_by(|one, two| one.at_ms.total_cmp(&two.at_ms)).map_or_else(String::new, after);
    Some(format!(
        "{}: {} of {} above {}, from {} to {}{cause}; highest {}",
        text::cut(&text::line(&series.name), MAX_WORDS),
        over.len(),
        series.values.len(),
        unit(limit),
        Quantity::milliseconds(first),
        Quantity::milliseconds(last),
        unit(highest),
    ))
}

fn after(mark: &Mark) -> String {
    let label = text::line(&mark.label).replace('`', "'");
    format!(", the first after `{}` at {}", text::cut(&label, MAX_WORDS), Quantity::milliseconds(mark.at_ms))
}

#[cfg(test)]
mod tests {
    use prodtest_gate::Unit;

    use super::*;

    fn failed(values: Vec<f64>) -> Series {
        let times = (0..values.len()).map(|i| i as f64 * 1000.0).collect();
        let mark = |at_ms, label: &str| Mark { at_ms, label: label.to_owned() };
        let marks = vec![mark(1700.0, "pod `b`\nis ready"), mark(500.0, "change"), mark(3500.0, "pod c")];
        Series::new("failed requests each second", Unit::Count, values).limited(Some(0.0)).over_time(times, marks)
    }

    #[test]
    fn a_line_tells_when_and_after_what() {
        let told = line(&failed(vec![0.0, 2.0, 0.0, 5.0, 0.0])).unwrap();
        let words = "failed requests each second: 2 of 5 above 0, from 1 s to 3 s, the first after `pod 'b' is ready` at \
                     1.7 s; highest 5";
        assert_eq!(told, words);
    }

    #[test]
    fn what_stays_within_its_limit_is_no_line() {
        assert_eq!(line(&failed(vec![0.0, 0.0])), None);
        assert_eq!(line(&Series { times: Vec::new(), ..failed(vec![1.0]) }), None);
        assert_eq!(line(&Series { limit: None, ..failed(vec![1.0]) }), None);
    }
}
