//! GitHub's workflow commands, escaped as its own toolkit does.

/// `::name key=value,key=value::message`. Properties without a value are left out.
pub(crate) fn command(name: &str, properties: &[(&str, String)], message: &str) -> String {
    let properties: Vec<String> = properties
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| format!("{key}={}", escape_property(value)))
        .collect();
    let space = if properties.is_empty() { "" } else { " " };
    format!("::{name}{space}{}::{}", properties.join(","), escape_data(message))
}

/// The line that keeps a value out of the log from here on; none for a value that is blank, which GitHub refuses.
///
/// Only GitHub and Gitea obey it. GitLab masks what its settings name.
#[must_use]
pub fn add_mask(value: &str) -> Option<String> {
    (!value.trim().is_empty()).then(|| command("add-mask", &[], value))
}

/// The per cent sign first: it is what the others become.
fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_the_toolkit_s() {
        let properties = [("file", "a,b:c%.yaml".to_owned()), ("line", String::new()), ("title", "t".to_owned())];
        assert_eq!(
            command("error", &properties, "50 % of, say: one\r\ntwo"),
            "::error file=a%2Cb%3Ac%25.yaml,title=t::50 %25 of, say: one%0D%0Atwo"
        );
        assert_eq!(command("endgroup", &[], ""), "::endgroup::");
    }

    #[test]
    fn every_line_of_a_secret_is_in_one_command() {
        assert_eq!(add_mask("one\ntwo").as_deref(), Some("::add-mask::one%0Atwo"));
        assert_eq!(add_mask(" \n"), None);
    }

    /// What the runner does with a command: `ActionCommand.TryParseV2` of actions/runner.
    fn obeyed(line: &str) -> (String, Vec<String>, String) {
        let unescape = |text: &str| {
            let text = text.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":").replace("%2C", ",");
            text.replace("%25", "%")
        };
        let (head, data) = line.trim_start().strip_prefix("::").unwrap().split_once("::").unwrap();
        let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
        (name.to_owned(), properties.split(',').map(unescape).collect(), unescape(data))
    }

    proptest! {
        #[test]
        fn whatever_is_said_stays_where_it_was_said(value in ".*", message in "(.|\n|\r|::|%){0,60}") {
            let line = command("error", &[("title", format!("x{value}"))], &message);
            prop_assert!(!line.contains(['\n', '\r']));
            let (name, properties, data) = obeyed(&line);
            prop_assert_eq!(name, "error");
            prop_assert_eq!(properties, [format!("title=x{value}")]);
            prop_assert_eq!(data, message);
        }
    }
}
