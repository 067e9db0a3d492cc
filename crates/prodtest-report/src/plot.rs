//! The geometry of a small plot: bars for a few values, a line for many, the limit across.

use prodtest_gate::{Quantity, Series, Unit};

use crate::text;

/// The drawing's size, in its own units; it scales to the page.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
/// Room for the axes' words.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 26.0;
/// More values than this are drawn as a line.
const MAX_BARS: usize = 80;
/// A line has at most this many columns, each from its lowest to its highest value, so that no peak is lost.
const MAX_COLUMNS: usize = 300;
const TICKS: f64 = 4.0;

/// A plot, ready for the template.
#[derive(Debug)]
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) check: String,
    /// What a reader who sees no drawing is told.
    pub(crate) summary: String,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) bars: Vec<Bar>,
    pub(crate) line: String,
    pub(crate) ticks: Vec<Tick>,
    pub(crate) limit: Option<Tick>,
    pub(crate) last: usize,
}

#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) over: bool,
    pub(crate) value: String,
}

#[derive(Debug)]
pub(crate) struct Tick {
    pub(crate) y: f64,
    pub(crate) label: String,
}

impl Plot {
    /// The plot of a series that has at least one value to draw.
    pub(crate) fn of(check: &str, series: &Series) -> Option<Self> {
        let values: Vec<f64> = series.values.iter().copied().filter(|value| value.is_finite()).collect();
        let limit = series.limit.filter(|limit| limit.is_finite());
        let highest = values.iter().copied().reduce(f64::max)?;
        let step = step(highest.max(limit.unwrap_or(0.0)));
        let top = (highest.max(limit.unwrap_or(0.0)) / step).ceil().max(1.0) * step;
        let base = HEIGHT - BOTTOM;
        let y = |value: f64| rounded(base - (value.max(0.0) / top) * (base - TOP));
        let is_bars = values.len() <= MAX_BARS;
        let count = (top / step).round() as u32;
        Some(Self {
            title: text::cut(&text::line(&series.name), 200).into_owned(),
            check: check.to_owned(),
            summary: summary(&values, limit, series.unit),
            width: WIDTH,
            height: HEIGHT,
            left: LEFT,
            right: WIDTH - RIGHT,
            bars: if is_bars { bars(&values, limit, series.unit, y) } else { Vec::new() },
            line: if is_bars { String::new() } else { line(&values, y) },
            ticks: (0..=count)
                .map(|i| f64::from(i) * step)
                .map(|value| Tick { y: y(value), label: shown(value, series.unit) })
                .collect(),
            limit: limit.map(|limit| Tick { y: y(limit), label: format!("limit {}", shown(limit, series.unit)) }),
            last: values.len(),
        })
    }
}

fn shown(number: f64, unit: Unit) -> String {
    Quantity::Number { number, unit }.to_string()
}

fn summary(values: &[f64], limit: Option<f64>, unit: Unit) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |i: usize| sorted.get(i).map_or_else(String::new, |value| shown(*value, unit));
    let mut summary = format!(
        "{} values, lowest {}, median {}, highest {}",
        sorted.len(),
        at(0),
        at(sorted.len() / 2),
        at(sorted.len() - 1)
    );
    if let Some(limit) = limit {
        let over = sorted.iter().filter(|value| **value > limit).count();
        summary.push_str(&format!("; limit {}, {over} above it", shown(limit, unit)));
    }
    summary
}

/// The distance between ticks: 1, 2 or 5 times a power of ten, and about [`TICKS`] of them.
fn step(highest: f64) -> f64 {
    let rough = if highest > 0.0 { highest / TICKS } else { 1.0 };
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough).unwrap_or(10.0);
    factor * power
}

fn bars(values: &[f64], limit: Option<f64>, unit: Unit, y: impl Fn(f64) -> f64) -> Vec<Bar> {
    let slot = (WIDTH - LEFT - RIGHT) / position(values.len());
    let width = (slot * 0.8).min(48.0);
    let bar = |(i, value): (usize, &f64)| {
        let top = y(*value);
        Bar {
            x: rounded(LEFT + slot * position(i) + (slot - width) / 2.0),
            y: top,
            width: rounded(width),
            height: rounded(HEIGHT - BOTTOM - top),
            over: limit.is_some_and(|limit| *value > limit),
            value: shown(*value, unit),
        }
    };
    values.iter().enumerate().map(bar).collect()
}

fn line(values: &[f64], y: impl Fn(f64) -> f64) -> String {
    let columns = values.chunks(values.len().div_ceil(MAX_COLUMNS)).collect::<Vec<_>>();
    let slot = (WIDTH - LEFT - RIGHT) / position(columns.len());
    let points = columns.iter().enumerate().map(|(i, column)| {
        let x = rounded(LEFT + slot * (position(i) + 0.5));
        let lowest = column.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{x},{} {x},{}", y(lowest), y(highest))
    });
    points.collect::<Vec<_>>().join(" ")
}

/// A place along the axis.
const fn position(i: usize) -> f64 {
    i as f64
}

/// A tenth is finer than any screen, and keeps the page small.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: Vec<f64>, limit: Option<f64>) -> Series {
        Series::new("duration", Unit::Milliseconds, values).limited(limit)
    }

    #[test]
    fn ticks_are_round_numbers_that_cover_values_and_limit() {
        let plot = Plot::of("smoke/burst", &series(vec![80.0, 212.5], Some(500.0))).unwrap();
        let labels: Vec<&str> = plot.ticks.iter().map(|tick| tick.label.as_str()).collect();
        assert_eq!(labels, ["0 ms", "200 ms", "400 ms", "600 ms"]);
        assert_eq!(plot.summary, "2 values, lowest 80 ms, median 212 ms, highest 212 ms; limit 500 ms, 0 above it");
    }

    #[test]
    fn what_is_above_the_limit_is_marked() {
        let plot = Plot::of("smoke/burst", &series(vec![1.0, 3.0], Some(2.0))).unwrap();
        assert_eq!(plot.bars.iter().map(|bar| bar.over).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn many_values_keep_their_peak() {
        let mut values = vec![10.0; 10_000];
        values[6_543] = 900.0;
        let plot = Plot::of("perf/latency", &series(values, None)).unwrap();
        assert!(plot.bars.is_empty());
        assert!(plot.line.split(' ').count() <= 2 * MAX_COLUMNS);
        let highest = plot.line.split([' ', ',']).skip(1).step_by(2).map(|y| y.parse().unwrap()).fold(1e9, f64::min);
        assert!(highest < HEIGHT / 3.0, "{highest}");
    }

    #[test]
    fn what_cannot_be_drawn_is_not() {
        assert!(Plot::of("a/b", &series(vec![], Some(1.0))).is_none());
        assert!(Plot::of("a/b", &series(vec![f64::NAN, f64::INFINITY], None)).is_none());
        for values in [vec![0.0], vec![-5.0, -1.0], vec![1e-300], vec![1e300, 2.0]] {
            let plot = Plot::of("a/b", &series(values.clone(), None)).unwrap();
            assert!(plot.ticks.len() < 12, "{values:?}: {}", plot.ticks.len());
            assert!(plot.bars.iter().all(|bar| bar.height.is_finite() && bar.height >= 0.0), "{values:?}");
        }
    }
}
