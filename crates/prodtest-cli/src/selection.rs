//! `--only` and `--skip`.

use prodtest_gate::{Check, CheckId};

/// Which checks to make. A pattern is an id (`smoke/health`), a name (`health`), either with `*` for any characters,
/// or a tag (`tag:writes`).
#[derive(Clone, Debug, Default)]
pub struct Selection {
    only: Vec<String>,
    skip: Vec<String>,
}

impl Selection {
    /// The selection of these two flags.
    #[must_use]
    pub const fn new(only: Vec<String>, skip: Vec<String>) -> Self {
        Self { only, skip }
    }

    /// Why a check is left out, if it is.
    #[must_use]
    pub fn left_out(&self, id: &CheckId, tags: &[String]) -> Option<String> {
        if let Some(pattern) = self.skip.iter().find(|pattern| matches(pattern, id, tags)) {
            return Some(format!("left out by `--skip {pattern}`"));
        }
        let chosen = self.only.is_empty() || self.only.iter().any(|pattern| matches(pattern, id, tags));
        (!chosen).then(|| format!("left out by `--only {}`", self.only.join(",")))
    }

    /// The first pattern that fits none of these checks: a typo, which would leave out more or less than was meant.
    #[must_use]
    pub fn unused(&self, checks: &[Check]) -> Option<&str> {
        let fits = |pattern: &str| checks.iter().any(|check| matches(pattern, &check.id, &check.tags));
        self.only.iter().chain(&self.skip).map(String::as_str).find(|pattern| !fits(pattern))
    }
}

fn matches(pattern: &str, id: &CheckId, tags: &[String]) -> bool {
    if let Some(tag) = pattern.strip_prefix("tag:") {
        return tags.iter().any(|one| one == tag);
    }
    glob(pattern, id.as_str()) || glob(pattern, id.name())
}

/// Whether `text` is `pattern`, in which `*` stands for any characters.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_ids_names_globs_and_tags() {
        let id: CheckId = "smoke/auth-required".parse().unwrap();
        let tags = ["writes".to_owned()];
        for pattern in ["smoke/auth-required", "auth-required", "auth-*", "smoke/*", "*req*", "*", "tag:writes"] {
            assert!(matches(pattern, &id, &tags), "{pattern}");
        }
        for pattern in ["auth", "smoke/auth", "tag:reads", "*auth", "auth-*x", ""] {
            assert!(!matches(pattern, &id, &tags), "{pattern}");
        }
    }

    #[test]
    fn skip_wins_and_a_typo_is_found() {
        let id: CheckId = "smoke/health".parse().unwrap();
        let selection = Selection::new(vec!["health".into()], vec!["health".into(), "helth".into()]);
        assert!(selection.left_out(&id, &[]).unwrap().contains("--skip"));
        assert_eq!(selection.unused(&[Check::new(id, "x")]), Some("helth"));
    }
}
