//! Shows an error with the line it is about.

use std::ops::Range;

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Level, Origin, Renderer, Snippet, normalize_untrusted_str,
};
use prodtest_gate::Place;

use crate::{Source, error::Details};

/// The report. What users and services wrote is made harmless to a terminal first.
pub(crate) fn report(error: &Details, color: bool) -> String {
    let mut group = Level::ERROR.primary_title(error.message.as_str()).elements(snippets(error));
    for note in &error.notes {
        group = group.element(Level::NOTE.message(normalize_untrusted_str(note)));
    }
    if let Some(hint) = &error.hint {
        group = group.element(Level::HELP.with_name("hint").message(normalize_untrusted_str(hint)));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group])
}

/// A place, and what is there if it is not the error itself.
type Spot<'a> = (&'a Place, Option<&'a str>);

/// One piece for each file, the one with the error first.
fn snippets(error: &Details) -> Vec<Element<'_>> {
    let primary = error.place.iter().map(|place| (place, None));
    let related = error.related.iter().map(|(place, what)| (place, Some(what.as_str())));
    let mut files: Vec<(&str, Vec<Spot<'_>>)> = Vec::new();
    for (place, what) in primary.chain(related) {
        match files.iter_mut().find(|(file, _)| *file == place.file) {
            Some((_, places)) => places.push((place, what)),
            None => files.push((&place.file, vec![(place, what)])),
        }
    }
    files
        .into_iter()
        .flat_map(|(file, places)| match error.sources.iter().find(|source| source.label() == file) {
            Some(source) => vec![snippet(source, &places)],
            None => places.into_iter().map(|(place, _)| origin(place)).collect(),
        })
        .collect()
}

fn snippet<'a>(source: &'a Source, places: &[Spot<'a>]) -> Element<'a> {
    let text = masked(source.text());
    let annotations: Vec<Annotation<'a>> = places
        .iter()
        .map(|(place, what)| {
            let range = word_at(&text, place);
            match what {
                None => AnnotationKind::Primary.span(range),
                Some(what) => AnnotationKind::Context.span(range).label(*what),
            }
        })
        .collect();
    Snippet::source(text).path(source.label()).annotations(annotations).into()
}

/// A place whose text is not known, or must not be shown.
fn origin(place: &Place) -> Element<'_> {
    Origin::path(place.file.as_str()).line(place.line as usize).char_column(place.column as usize).into()
}

/// The bytes of the key, value or bracket that begins at a place. A place beyond the text is its end.
fn word_at(text: &str, place: &Place) -> Range<usize> {
    let mut start = 0;
    let mut line = "";
    for (number, content) in (1..).zip(text.split_inclusive('\n')) {
        line = content.strip_suffix('\n').unwrap_or(content);
        if number == place.line {
            break;
        }
        start += content.len();
    }
    if start == text.len() {
        return start..start;
    }
    let skip = place.column.saturating_sub(1) as usize;
    let offset = line.char_indices().nth(skip).map_or(line.len(), |(offset, _)| offset);
    let (before, rest) = line.split_at(offset);
    start + offset..start + offset + word_length(rest, is_inside_brackets(before))
}

fn word_length(rest: &str, inside_brackets: bool) -> usize {
    let mut chars = rest.char_indices();
    let end = match chars.next() {
        None => 0,
        Some((_, quote @ ('"' | '\''))) => {
            let closing = chars.find(|(at, c)| *c == quote && !rest[..*at].ends_with('\\'));
            closing.map_or(rest.len(), |(at, _)| at + 1)
        }
        Some((_, '[' | '{')) => closing_bracket(rest).unwrap_or(1),
        Some(_) => {
            let ends = |(at, c): &(usize, char)| {
                let after = &rest[at + c.len_utf8()..];
                let last = after.is_empty() || after.starts_with([' ', '\t']);
                match c {
                    ':' => last,
                    '#' => rest[..*at].ends_with([' ', '\t']),
                    ',' => inside_brackets,
                    ']' | '}' => inside_brackets,
                    _ => false,
                }
            };
            chars.find(ends).map_or(rest.len(), |(at, _)| at)
        }
    };
    rest[..end].trim_end().len()
}

/// The length up to the bracket that closes the first one, if it is on the same line.
fn closing_bracket(rest: &str) -> Option<usize> {
    let mut open = 0_u32;
    for (at, c) in rest.char_indices() {
        match c {
            '[' | '{' => open += 1,
            ']' | '}' if open == 1 => return Some(at + 1),
            ']' | '}' => open -= 1,
            _ => {}
        }
    }
    None
}

/// Whether a `[` or `{` is open at the end of this beginning of a line.
fn is_inside_brackets(before: &str) -> bool {
    before.chars().filter(|c| matches!(c, '[' | '{')).count()
        > before.chars().filter(|c| matches!(c, ']' | '}')).count()
}

/// The text with the user and password of every address replaced, character by character: a line that is shown
/// because of one mistake must not give away another.
fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, authority) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = authority.find(|c: char| c.is_whitespace() || "/?#\"'".contains(c)).unwrap_or(authority.len());
        let user = authority[..end].rfind('@').unwrap_or(0);
        shown.extend(authority[..user].chars().map(|_| '*'));
        rest = &authority[user..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, line: u32, column: u32) -> &str {
        &text[word_at(text, &Place { file: String::new(), line, column })]
    }

    #[test]
    fn the_word_at_a_place_is_underlined() {
        let text = "url: http://é, x # no\nlist: [ab, \"c d\"]\nü: {k: v}\n";
        assert_eq!(word(text, 1, 1), "url");
        assert_eq!(word(text, 1, 6), "http://é, x");
        assert_eq!(word(text, 2, 8), "ab");
        assert_eq!(word(text, 2, 12), "\"c d\"");
        assert_eq!(word(text, 3, 1), "ü");
        assert_eq!(word(text, 3, 4), "{k: v}");
        assert_eq!(word(text, 3, 8), "v");
    }

    #[test]
    fn a_place_outside_the_text_is_no_reason_to_fail() {
        for (line, column) in [(0, 0), (1, 99), (2, 1), (9, 9), (u32::MAX, u32::MAX)] {
            assert_eq!(word("a: é\n", line, column), "", "{line}:{column}");
        }
        assert_eq!(word("", 1, 1), "");
    }

    #[test]
    fn passwords_in_addresses_are_not_shown() {
        assert_eq!(masked("a: http://me:p@ss@host/x@y é"), "a: http://*******@host/x@y é");
        assert_eq!(masked("a: http://host/x b: é://"), "a: http://host/x b: é://");
    }
}
