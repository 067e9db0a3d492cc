//! Texts from strangers, made harmless before any format escapes them in its own way.
//!
//! A message may come from a pod's log or a service's answer. What a terminal would obey and what would show a text
//! as something it is not (reversed, hidden) is taken out here, once, for every renderer.

use std::borrow::Cow;

const ESCAPE: char = '\u{1b}';
const BELL: char = '\u{7}';
/// The one-character form of `ESC [`.
const CSI: char = '\u{9b}';

/// The text without escape sequences, control characters other than line feed and tab, and characters that hide or
/// reorder their neighbours. Every kind of line end becomes a line feed.
///
/// A terminal swallows everything after an escape sequence that never ends; here only the sequence's start is dropped,
/// so that nobody can hide the rest of a message by opening one.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            ESCAPE => rest = after_sequence(rest),
            CSI => rest = after_parameters(rest),
            '\r' => {
                cleaned.push('\n');
                rest = rest.strip_prefix('\n').unwrap_or(rest);
            }
            '\u{85}' | '\u{2028}' | '\u{2029}' => cleaned.push('\n'),
            c if is_harmless(c) => cleaned.push(c),
            _ => {}
        }
    }
    Cow::Owned(cleaned)
}

/// The same on one line: line ends and tabs become spaces, and the ends are trimmed.
#[must_use]
pub fn line(text: &str) -> String {
    clean(text).replace(['\n', '\t'], " ").trim().to_owned()
}

/// The text, or as much of its beginning as fits into `max` bytes, with a word on how much is missing.
#[must_use]
pub fn cut(text: &str, max: usize) -> Cow<'_, str> {
    /// Room for the word below with the longest number in it.
    const WORD: usize = 40;
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(max.saturating_sub(WORD));
    let word = format!("… ({} more bytes)", text.len() - end);
    if word.len() + end > max {
        return Cow::Borrowed(&text[..text.floor_char_boundary(max)]);
    }
    Cow::Owned(format!("{}{word}", &text[..end]))
}

/// Neither obeyed by a terminal, nor illegal in XML, nor able to show a text as something it is not.
const fn is_harmless(c: char) -> bool {
    match c {
        '\n' | '\t' | ' '..='~' => true,
        // C0, DEL and C1; the line and paragraph separators, which are line ends to some readers only.
        '\0'..='\u{9f}' | '\u{2028}' | '\u{2029}' => false,
        // Zero width, and marks that turn the direction of writing: https://trojansource.codes
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => false,
        // Byte order mark, interlinear annotations, the two that XML forbids, and invisible tags.
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}' => false,
        _ => true,
    }
}

/// What follows the sequence whose `ESC` has just been taken off.
fn after_sequence(rest: &str) -> &str {
    let Some(kind) = rest.chars().next() else { return rest };
    match kind {
        '[' => after_parameters(&rest[1..]),
        // Operating system command, device control and their kin: a text that ends with BEL or `ESC \`.
        ']' | 'P' | 'X' | '^' | '_' => {
            let body = &rest[1..];
            match body.find(|c: char| c.is_control()) {
                Some(end) if body[end..].starts_with(BELL) => &body[end + 1..],
                Some(end) if body[end..].starts_with("\u{1b}\\") => &body[end + 2..],
                _ => body,
            }
        }
        ' '..='/' => {
            let rest = rest.trim_start_matches(|c| matches!(c, ' '..='/'));
            rest.strip_prefix(|c| matches!(c, '0'..='~')).unwrap_or(rest)
        }
        '0'..='~' => &rest[1..],
        _ => rest,
    }
}

/// What follows the parameters and the final letter of a `CSI` sequence.
fn after_parameters(rest: &str) -> &str {
    let rest = rest.trim_start_matches(|c| matches!(c, '0'..='?'));
    let rest = rest.trim_start_matches(|c| matches!(c, ' '..='/'));
    rest.strip_prefix(|c| matches!(c, '@'..='~')).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_dropped() {
        for (text, shown) in [
            ("plain `text`, ümlaut, 日本", "plain `text`, ümlaut, 日本"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{9b}1;31mred", "red"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("\u{1b}]8;;https://evil\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}(Bascii\u{1b}c", "ascii"),
            ("a\0b\u{8}c\u{7f}", "abc"),
            ("one\r\ntwo\rthree\u{2028}four", "one\ntwo\nthree\nfour"),
            ("\u{202e}desrever\u{feff}", "desrever"),
        ] {
            assert_eq!(clean(text), shown, "{text:?}");
        }
    }

    #[test]
    fn an_endless_sequence_hides_nothing() {
        assert_eq!(clean("seen: \u{1b}]0;500 Internal Server Error"), "seen: 0;500 Internal Server Error");
        assert_eq!(clean("\u{1b}"), "");
        assert_eq!(clean("\u{1b}[31"), "");
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(line(" a\r\nb\tc\n"), "a b c");
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut(&"é".repeat(50), 60), format!("{}… (80 more bytes)", "é".repeat(10)));
        assert_eq!(cut("too long for it", 3), "too");
    }

    proptest! {
        #[test]
        fn whatever_comes_is_clean(text in "(.|[\u{0}-\u{20}\u{7f}-\u{9f}\u{1b}\u{202e}\\[\\]m]){0,80}") {
            let cleaned = clean(&text).into_owned();
            prop_assert!(cleaned.chars().all(is_harmless));
            prop_assert_eq!(clean(&cleaned).into_owned(), cleaned);
        }

        #[test]
        fn a_cut_fits(text in ".{0,120}", max in 0..200_usize) {
            prop_assert!(cut(&text, max).len() <= max);
        }
    }
}
