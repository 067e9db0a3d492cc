//! The geometry of a small plot: bars for a few values, a line for many, the limit across, what happened meanwhile.

mod axis;
mod marks;

use prodtest_gate::{Quantity, Series, Unit};

use crate::text;
use axis::{Axis, Word};
use marks::Flag;

/// The drawing's width, and its height without the rows of words above it, in its own units; it scales to the page.
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
/// A bar is at least so wide, or nobody sees it.
const THINNEST: f64 = 1.5;
const TICKS: f64 = 4.0;

/// A plot, ready for the template.
#[derive(Debug)]
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) check: String,
    /// What a reader who sees no drawing is told, beside what the flags list.
    pub(crate) summary: String,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) left: f64,
    pub(crate) right: f64,
    /// The y of the ground.
    pub(crate) base: f64,
    pub(crate) bars: Vec<Bar>,
    pub(crate) line: String,
    pub(crate) ticks: Vec<Tick>,
    pub(crate) words: Vec<Word>,
    pub(crate) limit: Option<Tick>,
    pub(crate) flags: Vec<Flag>,
    pub(crate) more_flags: usize,
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

/// A value and its place on the axis.
type Point = (f64, f64);

/// What bars and lines are drawn by.
struct Scale<'a> {
    axis: &'a Axis,
    unit: Unit,
    limit: Option<f64>,
    /// The value at the top.
    highest: f64,
    top: f64,
    base: f64,
}

impl Plot {
    /// The plot of a series that has at least one value to draw.
    pub(crate) fn of(check: &str, series: &Series) -> Option<Self> {
        let kept = series.values.iter().filter(|value| value.is_finite()).count();
        let axis = Axis::of(series, kept);
        let points = points(series, &axis);
        let values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
        let limit = series.limit.filter(|limit| limit.is_finite());
        let highest = values.iter().copied().reduce(f64::max)?;
        let step = step(highest.max(limit.unwrap_or(0.0)) / TICKS);
        // What is counted has no halves.
        let step = if series.unit == Unit::Milliseconds { step } else { step.max(1.0) };
        let highest = (highest.max(limit.unwrap_or(0.0)) / step).ceil().max(1.0) * step;
        let (flags, more_flags) = marks::flags(&series.marks, &axis);
        let rows = position(flags.iter().map(|flag| flag.row).max().unwrap_or_default());
        let (top, height) = (TOP + rows * marks::ROW, HEIGHT + rows * marks::ROW);
        let scale = Scale { axis: &axis, unit: series.unit, limit, highest, top, base: height - BOTTOM };
        let is_bars = points.len() <= MAX_BARS;
        let count = (highest / step).round() as u32;
        Some(Self {
            title: text::cut(&text::line(&series.name), 200).into_owned(),
            check: check.to_owned(),
            summary: summary(&values, limit, series.unit) + &about_time(&points, limit, &axis),
            width: WIDTH,
            height,
            left: LEFT,
            right: WIDTH - RIGHT,
            base: scale.base,
            bars: if is_bars { scale.bars(&points) } else { scale.peaks(&points) },
            line: if is_bars { String::new() } else { scale.line(&points) },
            ticks: (0..=count)
                .map(|i| f64::from(i) * step)
                .map(|value| Tick { y: scale.y(value), label: shown(value, series.unit) })
                .collect(),
            words: axis.words(),
            limit: limit.map(|limit| Tick { y: scale.y(limit), label: format!("limit {}", shown(limit, series.unit)) }),
            flags,
            more_flags,
        })
    }
}

/// The values that can be drawn, each with its time or its place in the row.
fn points(series: &Series, axis: &Axis) -> Vec<Point> {
    if axis.is_timed() {
        let timed = series.times.iter().copied().zip(series.values.iter().copied());
        return timed.filter(|(_, value)| value.is_finite()).collect();
    }
    let values = series.values.iter().copied().filter(|value| value.is_finite());
    values.enumerate().map(|(i, value)| (position(i), value)).collect()
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

/// When values were above the limit, on an axis of time.
fn about_time(points: &[Point], limit: Option<f64>, axis: &Axis) -> String {
    let Some(limit) = limit.filter(|_| axis.is_timed()) else { return String::new() };
    let mut over = points.iter().filter(|(_, value)| *value > limit).map(|(at, _)| axis::time(*at));
    match (over.next(), over.next_back()) {
        (None, _) => String::new(),
        (Some(only), None) => format!(", at {only}"),
        (Some(first), Some(last)) => format!(", from {first} to {last}"),
    }
}

/// The distance between ticks: 1, 2 or 5 times a power of ten, and no less than `rough`.
fn step(rough: f64) -> f64 {
    let rough = if rough > 0.0 { rough } else { 1.0 };
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough).unwrap_or(10.0);
    factor * power
}

impl Scale<'_> {
    fn y(&self, value: f64) -> f64 {
        rounded(self.base - (value.max(0.0) / self.highest) * (self.base - self.top))
    }

    fn is_over(&self, value: f64) -> bool {
        self.limit.is_some_and(|limit| value > limit)
    }

    /// A bar from the ground to a value, in the middle of `slot` from `x`.
    fn bar(&self, x: f64, slot: f64, value: f64) -> Bar {
        let (width, y) = ((slot * 0.8).clamp(THINNEST, 48.0), self.y(value));
        Bar {
            x: rounded(x + (slot - width) / 2.0),
            y,
            width: rounded(width),
            height: rounded(self.base - y),
            over: self.is_over(value),
            value: shown(value, self.unit),
        }
    }

    fn bars(&self, points: &[Point]) -> Vec<Bar> {
        let named = |(i, (at, value)): (usize, &Point)| {
            let bar = self.bar(self.axis.x(*at), self.axis.slot(), *value);
            let name = if self.axis.is_timed() { axis::time(*at) } else { (i + 1).to_string() };
            Bar { value: format!("{name}: {}", bar.value), ..bar }
        };
        points.iter().enumerate().map(named).collect()
    }

    /// Of so many values that they are a line, the columns that are above the limit.
    fn peaks(&self, points: &[Point]) -> Vec<Bar> {
        let columns = columns(points).filter_map(|column| {
            let (at, highest) = column.iter().copied().reduce(|one, two| if two.1 > one.1 { two } else { one })?;
            let bar = self.bar(self.axis.x(at), self.axis.slot(), highest);
            let value = if self.axis.is_timed() { format!("{}: {}", axis::time(at), bar.value) } else { bar.value };
            bar.over.then_some(Bar { value, ..bar })
        });
        columns.collect()
    }

    fn line(&self, points: &[Point]) -> String {
        let points = columns(points).filter_map(|column| {
            let ((first, _), (last, _)) = (column.first()?, column.last()?);
            let x = rounded(self.axis.x(f64::midpoint(*first, *last)) + self.axis.slot() / 2.0);
            let lowest = column.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
            let highest = column.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max);
            Some(format!("{x},{} {x},{}", self.y(lowest), self.y(highest)))
        });
        points.collect::<Vec<_>>().join(" ")
    }
}

fn columns(points: &[Point]) -> impl Iterator<Item = &[Point]> {
    points.chunks(points.len().div_ceil(MAX_COLUMNS).max(1))
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
mod tests;
