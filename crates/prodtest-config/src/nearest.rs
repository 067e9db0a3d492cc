//! Words for people: which known word was meant, and lists of words.

/// How alike two words must be for one to be offered in place of the other; 1 is the same.
const ALIKE: f64 = 0.6;

/// The known word most like `word`, if one is like it at all.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['_', ' '], "-");
    let word = plain(word);
    let likeness = |candidate: &str| {
        // `prod` for `production`
        if word.len() > 2 && candidate.starts_with(&word) {
            return 1.0;
        }
        strsim::normalized_damerau_levenshtein(&word, candidate)
    };
    known
        .map(|candidate| (likeness(&plain(candidate)), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// `` `a`, `b` and `c` ``.
#[must_use]
pub fn listed<T: AsRef<str>>(words: &[T]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    match quoted.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// The beginning of a text that may be long or have many lines.
pub(crate) fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    let line = text.lines().next().unwrap_or_default();
    if line.len() == text.len() && line.chars().count() <= LONGEST {
        return text.to_owned();
    }
    line.chars().take(LONGEST).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        let known = ["scenarios", "min-days", "url", "timeout"];
        let near = |word| nearest(word, known.into_iter());
        assert_eq!(near("secnarios"), Some("scenarios"));
        assert_eq!(near("scenario"), Some("scenarios"));
        assert_eq!(near("minDays"), Some("min-days"));
        assert_eq!(near("MIN_DAYS"), Some("min-days"));
        assert_eq!(near("uri"), Some("url"));
        assert_eq!(near("time"), Some("timeout"));
        assert_eq!(near("latency"), None);
        assert_eq!(near(""), None);
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(listed(&["a"]), "`a`");
        assert_eq!(listed(&["a", "b", "c"]), "`a`, `b` and `c`");
        assert_eq!(shortened("one\ntwo"), "one…");
    }
}
