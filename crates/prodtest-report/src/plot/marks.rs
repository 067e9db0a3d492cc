//! What happened meanwhile: a line across the plot, and its words above it where they do not overlap.

use prodtest_gate::Mark;

use super::{WIDTH, axis, axis::Axis, position, rounded};
use crate::text;

/// More than this hide the numbers.
const MAX_MARKS: usize = 40;
/// The longest that words are in the drawing, and in the list under it.
const MAX_WORDS: usize = 28;
const MAX_LISTED: usize = 200;
/// How wide a letter of the drawing is, generously.
const LETTER: f64 = 6.2;
/// Words are on so many rows at most, each this high.
const MAX_ROWS: usize = 5;
pub(super) const ROW: f64 = 14.0;
/// Between a line and its words, and between words on one row.
const SPACE: f64 = 4.0;

/// A mark, ready for the template.
#[derive(Debug)]
pub(crate) struct Flag {
    pub(crate) x: f64,
    /// Where its line begins.
    pub(crate) top: f64,
    /// Where its words begin or end, and on which row, from 1; 0 when there is no room for them.
    pub(crate) words_x: f64,
    pub(crate) words_y: f64,
    pub(crate) row: usize,
    /// The `text-anchor`.
    pub(crate) anchor: &'static str,
    /// The words in the drawing.
    pub(crate) label: String,
    /// The line of the list, with its time.
    pub(crate) listed: String,
}

/// The marks on a time axis in their order, of those that are on it, and how many were left out.
pub(super) fn flags(marks: &[Mark], axis: &Axis) -> (Vec<Flag>, usize) {
    let mut shown: Vec<&Mark> = marks.iter().filter(|mark| axis.has(mark.at_ms)).collect();
    shown.sort_by(|one, two| one.at_ms.total_cmp(&two.at_ms));
    let left_out = marks.len() - shown.len().min(MAX_MARKS);
    let mut taken: [Vec<(f64, f64)>; MAX_ROWS] = Default::default();
    let flag = |mark: &Mark| {
        let line = text::line(&mark.label);
        let label = shortened(&line, MAX_WORDS);
        let x = axis.x(mark.at_ms);
        let width = label.chars().count() as f64 * LETTER;
        let is_flipped = x + SPACE + width > WIDTH;
        let from = if is_flipped { x - SPACE - width } else { x + SPACE };
        let is_free = |spans: &Vec<(f64, f64)>| {
            spans.iter().all(|(start, end)| from + width + SPACE <= *start || from >= end + SPACE)
        };
        let row = taken.iter().position(is_free);
        let rows_above = position(row.unwrap_or(MAX_ROWS));
        if let Some(spans) = row.and_then(|row| taken.get_mut(row)) {
            spans.push((from, from + width));
        }
        Flag {
            x: rounded(x),
            top: rows_above * ROW + SPACE / 2.0,
            words_y: rows_above * ROW + ROW - SPACE,
            words_x: rounded(if is_flipped { x - SPACE } else { x + SPACE }),
            row: row.map_or(0, |row| row + 1),
            anchor: if is_flipped { "end" } else { "start" },
            label,
            listed: format!("{}: {}", axis::time(mark.at_ms), text::cut(&line, MAX_LISTED)),
        }
    };
    (shown.into_iter().take(MAX_MARKS).map(flag).collect(), left_out)
}

/// The beginning of a text, by its letters and not its bytes.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXIS: Axis = Axis::Time { from: 0.0, until: 60_000.0, slot: 1000.0 };

    fn mark(at_ms: f64, label: &str) -> Mark {
        Mark { at_ms, label: label.to_owned() }
    }

    fn span(flag: &Flag) -> (f64, f64) {
        let width = flag.label.chars().count() as f64 * LETTER;
        if flag.anchor == "end" { (flag.words_x - width, flag.words_x) } else { (flag.words_x, flag.words_x + width) }
    }

    #[test]
    fn words_do_not_overlap_and_stay_inside() {
        let marks: Vec<Mark> = (0..40).map(|i| mark(f64::from(i * i) * 36.0, &format!("pod {i} is ready"))).collect();
        let (flags, left_out) = flags(&marks, &AXIS);
        assert_eq!((flags.len(), left_out), (40, 0));
        let worded: Vec<&Flag> = flags.iter().filter(|flag| flag.row > 0).collect();
        assert!(worded.len() > 10 && worded.len() < 40, "{}", worded.len());
        for (i, one) in worded.iter().enumerate() {
            assert!(span(one).0 >= 0.0 && span(one).1 <= WIDTH, "{one:?}");
            let beside = worded[i + 1..].iter().filter(|other| other.row == one.row);
            for other in beside {
                assert!(span(one).1 < span(other).0 || span(other).1 < span(one).0, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn what_is_not_on_the_axis_is_counted() {
        let (flags, left_out) =
            flags(&[mark(-1.0, "a"), mark(f64::NAN, "b"), mark(60_001.0, "c"), mark(0.0, "d")], &AXIS);
        assert_eq!((flags.len(), left_out), (1, 3));
        let many: Vec<Mark> = (0..100).map(|_| mark(5.0, "x")).collect();
        assert_eq!(super::flags(&many, &AXIS).1, 60);
        assert!(super::flags(&many, &Axis::Row(9)).0.is_empty(), "a row has no times");
    }

    #[test]
    fn long_words_are_shortened_in_the_drawing() {
        let (flags, _) = flags(&[mark(59_000.0, &"é".repeat(300))], &AXIS);
        assert_eq!((flags[0].label.chars().count(), flags[0].anchor), (MAX_WORDS, "end"));
        assert!(flags[0].listed.starts_with("59 s: é") && flags[0].listed.len() < 300);
    }
}
