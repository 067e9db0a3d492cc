//! Texts that strangers control, kept from giving orders to the runner.
//!
//! GitHub's runner obeys a line of the log that begins with `::`, spaces before it or not, and `##[` wherever it
//! stands; it compares as people do, so characters that nobody sees do not disturb it, neither before the mark nor
//! inside it. Anything a service says may hold such a line. `::stop-commands::` would silence the runner, and with it
//! our own groups, annotations and masks, and if the gate were killed in between it would leave the step deaf; so the
//! marks are broken instead, by a space that everybody sees.

/// The text with every mark of a command broken: `: :error::`, `## [error]`. Every kind of line end becomes a line
/// feed, which also breaks the marks of GitLab's sections: they need a carriage return.
///
/// Everything that is printed on a CI system goes through here, except the commands that are meant.
#[must_use]
pub fn neutralise(text: &str) -> String {
    let mut neutral = String::with_capacity(text.len() + 8);
    let mut line = Line::default();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let c = match c {
            '\r' if chars.peek() == Some(&'\n') => continue,
            '\r' => '\n',
            c => c,
        };
        if line.completes_a_mark(c) {
            neutral.push(' ');
        }
        line.push(c);
        neutral.push(c);
    }
    neutral
}

/// What of the present line matters for the next character.
#[derive(Default)]
struct Line {
    /// How many visible characters there were, spaces before them not counted.
    visible: usize,
    /// The last two visible characters.
    last: [Option<char>; 2],
}

impl Line {
    fn completes_a_mark(&self, c: char) -> bool {
        let [before, last] = self.last;
        match c {
            ':' => self.visible == 1 && last == Some(':'),
            '[' => (before, last) == (Some('#'), Some('#')),
            _ => false,
        }
    }

    fn push(&mut self, c: char) {
        let is_margin = self.visible == 0 && c.is_whitespace();
        if c == '\n' {
            *self = Self::default();
        } else if !is_margin && !is_unseen(c) {
            self.visible += 1;
            self.last = [self.last[1], Some(c)];
        }
    }
}

/// Control characters and those that have no width: comparison by culture passes over them.
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn marks_are_broken_and_nothing_else_changes() {
        for (text, neutral) in [
            ("::error::x", ": :error::x"),
            ("  \t::add-mask::x", "  \t: :add-mask::x"),
            ("ok\n::group::x", "ok\n: :group::x"),
            ("ok\r::group::x", "ok\n: :group::x"),
            ("ok\r\nok", "ok\nok"),
            ("\u{feff}::error::x", "\u{feff}: :error::x"),
            (":\u{200b}:error::x", ":\u{200b} :error::x"),
            ("\u{1b}[31m::error::x", "\u{1b}[31m::error::x"),
            ("text ##[error]x", "text ## [error]x"),
            ("#\u{200d}#\u{ad}[command]x", "#\u{200d}#\u{ad} [command]x"),
            ("std::string and ::1, a # [b]", "std::string and ::1, a # [b]"),
            ("section_end:1:x\r\u{1b}[0K", "section_end:1:x\n\u{1b}[0K"),
        ] {
            assert_eq!(neutralise(text), neutral, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_line_gives_an_order(text in "([ \t:#\\[\r\n\u{200b}\u{feff}\u{ad}\u{1b}]|error|\\]|x){0,30}") {
            let neutral = neutralise(&text);
            for line in neutral.split(['\n', '\r']) {
                let seen: String = line.chars().filter(|c| !is_unseen(*c)).collect();
                prop_assert!(!seen.trim_start().starts_with("::"), "{line:?}");
                prop_assert!(!seen.contains("##["), "{line:?}");
            }
            let again = neutralise(&neutral);
            prop_assert_eq!(again, neutral);
        }
    }
}
