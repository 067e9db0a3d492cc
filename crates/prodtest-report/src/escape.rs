//! Markdown from texts that strangers may have written.
//!
//! GitHub and GitLab look for mentions, references and addresses in what Markdown has become, where a backslash is
//! gone: only a character of no width between the parts keeps `@team` from being told and `#1` from being linked.

use crate::text;

const NOTHING: char = '\u{200b}';

/// A text inside a line of Markdown. Words between back-ticks stay code, everything else is shown as it is.
pub(crate) fn inline(text: &str) -> String {
    let line = text::line(text);
    let parts: Vec<&str> = line.split('`').collect();
    if parts.len().is_multiple_of(2) {
        // An odd back-tick: none of them means anything.
        return parts.iter().map(|part| escape(part)).collect::<Vec<_>>().join("\\`");
    }
    let shown = parts.iter().enumerate().map(|(i, part)| if i % 2 == 1 { code(part) } else { escape(part) });
    shown.collect()
}

/// Words as code, on one line; safe in a table too.
pub(crate) fn code(text: &str) -> String {
    let line = text::line(text);
    match line.as_str() {
        "" => "\\`\\`".to_owned(),
        // A table splits its cells before it looks for code, and code knows no escape: the element does.
        line if line.contains(['|', '`']) => format!("<code>{}</code>", escape(line)),
        line => format!("`{line}`"),
    }
}

/// A block of code, each line after `indent` spaces, with a fence longer than any inside.
pub(crate) fn block(language: &str, text: &str, indent: usize) -> String {
    let clean = text::clean(text);
    let longest = clean.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    let margin = " ".repeat(indent);
    let body: String = clean.trim_end().lines().map(|line| format!("{margin}{line}\n")).collect();
    format!("{margin}{fence}{language}\n{body}{margin}{fence}\n")
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '$' | '|' => escaped.extend(['\\', c]),
            '@' => escaped.extend([c, NOTHING]),
            // References to issues, merge requests and milestones; the `//` of an address.
            '#' | '!' | '%' if next.is_some_and(|next| next.is_ascii_digit()) => escaped.extend([c, NOTHING]),
            ':' if next == Some('/') => escaped.extend([c, NOTHING]),
            // `www.` alone makes an address too.
            '.' if escaped.to_ascii_lowercase().ends_with("www") => escaped.extend([NOTHING, c]),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_between_back_ticks_stay_code() {
        assert_eq!(inline("`POST /api` answered 500"), "`POST /api` answered 500");
        assert_eq!(inline("`a|b` and | and ``"), "<code>a\\|b</code> and \\| and \\`\\`");
        assert_eq!(inline("an odd ` tick"), "an odd \\` tick");
    }

    #[test]
    fn nobody_is_told_and_nothing_is_linked() {
        for (text, shown) in [
            ("@team and a@b.c", "@\u{200b}team and a@\u{200b}b.c"),
            ("owner/repo#12, !3, #x", "owner/repo#\u{200b}12, !\u{200b}3, #x"),
            ("https://evil.example", "https:\u{200b}//evil.example"),
            ("WWW.evil.example", "WWW\u{200b}.evil.example"),
            ("[here](https://x) ![i](y)", "\\[here\\](https:\u{200b}//x) !\\[i\\](y)"),
            ("<img src=x> &lt; **b** ~~s~~ $x$", "&lt;img src=x&gt; &amp;lt; \\*\\*b\\*\\* \\~\\~s\\~\\~ \\$x\\$"),
            ("line\n# heading\n- list", "line # heading - list"),
        ] {
            assert_eq!(inline(text), shown);
        }
    }

    #[test]
    fn a_fence_cannot_be_closed_from_inside() {
        assert_eq!(block("sh", "echo\n````\n# x", 2), "  `````sh\n  echo\n  ````\n  # x\n  `````\n");
    }

    proptest! {
        #[test]
        fn a_line_stays_a_line_and_holds_no_element(text in crate::fixture::any_text()) {
            prop_assert!(!inline(&text).contains('\n'));
            prop_assert!(!inline(&text.replace('`', "")).contains('<'));
        }
    }
}
