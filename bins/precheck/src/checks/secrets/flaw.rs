//! What is wrong with the value of a Secret, without the value. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Flaw {
    /// There is nothing in it but white space.
    Empty,
    /// One line, and an end of line after it: `echo`, where `printf` was meant. A password with it is another password.
    Newline,
    /// What somebody wrote for somebody else to replace.
    Placeholder,
}

impl Flaw {
    /// The rule that it breaks.
    pub(super) const fn rule(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Newline => "newline",
            Self::Placeholder => "placeholder",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::Newline => "ends with an end of line, which is a part of the value",
            Self::Placeholder => "is a placeholder that nobody replaced",
        })
    }
}

/// Words that stand for a value that is yet to come. Each is a placeholder only where it is the whole value, in whatever
/// case. So is what is in `<…>`, `${…}` or `{{…}}` as a whole, and nothing but three `x` or more.
pub(super) const PLACEHOLDERS: [&str; 13] = [
    "changeme",
    "change-me",
    "change_me",
    "replaceme",
    "replace-me",
    "replace_me",
    "todo",
    "tbd",
    "fixme",
    "example",
    "placeholder",
    "dummy",
    "your-secret-here",
];

/// What is wrong with a value. Bytes that are no text are nobody's placeholder.
pub(super) fn flaws(key: &str, value: &[u8]) -> Vec<Flaw> {
    let Ok(text) = std::str::from_utf8(value) else { return Vec::new() };
    let word = text.trim();
    if word.is_empty() {
        return vec![Flaw::Empty];
    }
    let mut flaws = Vec::new();
    // Text of several lines, as PEM and a file of settings, is read as lines; a login to a registry is JSON.
    let is_line = !word.contains('\n') && !word.starts_with("-----") && !key.starts_with(".docker");
    if is_line && text.ends_with(['\n', '\r']) {
        flaws.push(Flaw::Newline);
    }
    if is_placeholder(word) {
        flaws.push(Flaw::Placeholder);
    }
    flaws
}

fn is_placeholder(word: &str) -> bool {
    let lower = word.to_lowercase();
    let within = |open: &str, close: &str| {
        let inner = lower.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        inner.is_some_and(|inner| !inner.contains(['<', '>', '{', '}', '\n']))
    };
    let only_x = lower.len() >= 3 && lower.bytes().all(|byte| byte == b'x');
    PLACEHOLDERS.contains(&lower.as_str()) || only_x || within("<", ">") || within("${", "}") || within("{{", "}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> Vec<Flaw> {
        flaws("password", value.as_bytes())
    }

    #[test]
    fn a_placeholder_is_the_whole_value() {
        for word in [
            "changeme",
            "CHANGE-ME",
            "ToDo",
            "xxx",
            "XXXXXXXX",
            "<password>",
            "${DB_PASSWORD}",
            "{{ password }}",
            " tbd ",
        ] {
            assert_eq!(of(word), [Flaw::Placeholder], "{word}");
        }
        for word in
            ["changeme2", "todo-list", "xx", "xxy", "example.com", "<a><b>", "$PASSWORD", "a${b}", "{}", "dummy!"]
        {
            assert!(of(word).is_empty(), "{word}");
        }
    }

    #[test]
    fn an_end_of_line_matters_after_one_line() {
        assert_eq!([of("s3cret\n"), of("s3cret\r\n")], [[Flaw::Newline], [Flaw::Newline]]);
        assert_eq!(of("changeme\n"), [Flaw::Newline, Flaw::Placeholder]);
        let pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        assert!(of(pem).is_empty() && of("{\n  \"a\": 1\n}\n").is_empty());
        assert!(flaws(".dockerconfigjson", b"{\"auths\":{}}\n").is_empty());
        assert!(of(" s3cret ").is_empty(), "a blank may be meant");
    }

    #[test]
    fn nothing_is_empty_whatever_white_it_is() {
        assert_eq!([of(""), of("\n"), of("  \r\n")], [[Flaw::Empty], [Flaw::Empty], [Flaw::Empty]]);
        assert!(flaws("key", &[0xff, 0x00]).is_empty());
    }
}
