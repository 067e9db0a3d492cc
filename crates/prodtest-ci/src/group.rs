//! Lines that fold a part of the log.

use prodtest_gate::CheckId;
use prodtest_report::text;

use crate::{Platform, command::command};

/// The line that opens a group, if the platform knows groups. `unix` is the time in seconds since 1970, which GitLab
/// shows the duration of the group by.
#[must_use]
pub fn start_group(platform: Platform, title: &str, unix: u64) -> Option<String> {
    let title = text::line(title);
    match platform {
        Platform::GitHub | Platform::Gitea => Some(command("group", &[], &title)),
        Platform::GitLab => {
            let section = section(&title);
            Some(format!("\u{1b}[0Ksection_start:{unix}:{section}[collapsed=true]\r\u{1b}[0K{title}"))
        }
        Platform::Shell => None,
    }
}

/// The line that closes the group of that title.
#[must_use]
pub fn end_group(platform: Platform, title: &str, unix: u64) -> Option<String> {
    match platform {
        Platform::GitHub | Platform::Gitea => Some(command("endgroup", &[], "")),
        Platform::GitLab => {
            let section = section(&text::line(title));
            Some(format!("\u{1b}[0Ksection_end:{unix}:{section}\r\u{1b}[0K"))
        }
        Platform::Shell => None,
    }
}

/// GitLab tells sections apart by names of letters, digits and a few marks.
fn section(title: &str) -> String {
    format!("prodtest-{}", CheckId::slug(title))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_platform_folds_in_its_own_way() {
        let lines = |platform| (start_group(platform, "smoke/health", 7), end_group(platform, "smoke/health", 9));
        assert_eq!(lines(Platform::GitHub), (Some("::group::smoke/health".into()), Some("::endgroup::".into())));
        assert_eq!(
            lines(Platform::GitLab),
            (
                Some("\u{1b}[0Ksection_start:7:prodtest-smoke-health[collapsed=true]\r\u{1b}[0Ksmoke/health".into()),
                Some("\u{1b}[0Ksection_end:9:prodtest-smoke-health\r\u{1b}[0K".into())
            )
        );
        assert_eq!(lines(Platform::Shell), (None, None));
    }

    #[test]
    fn a_title_is_one_line() {
        assert_eq!(start_group(Platform::GitHub, "a\n::error::b", 0).as_deref(), Some("::group::a ::error::b"));
    }
}
