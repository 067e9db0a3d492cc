//! The one door to standard output and standard error.
//!
//! What a person or a program asked for goes to standard output; what is said meanwhile goes to standard error, except
//! in a CI log, where both must keep their order.

use std::io::{IsTerminal, Write};

use prodtest_ci::{Environment, Platform, neutralise};
use prodtest_gate::Redactor;

use crate::{
    Refusal,
    flags::{Color, Common, Format},
};

/// How and where this call prints.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) format: Format,
    pub(crate) color: bool,
    /// Whether there is a terminal on which a row can move.
    pub(crate) live: bool,
    pub(crate) verbose: bool,
    redactor: Redactor,
}

impl Output {
    /// As the flags and the environment have it.
    pub(crate) fn new(common: &Common, environment: &Environment) -> Self {
        let format = common.format.unwrap_or_else(|| match environment.platform() {
            Platform::GitHub | Platform::Gitea => Format::Github,
            Platform::GitLab => Format::Gitlab,
            Platform::Shell => Format::Human,
        });
        let terminal = std::io::stdout().is_terminal() && environment.var("TERM").as_deref() != Some("dumb");
        let color = match common.color {
            Color::Always => true,
            Color::Never => false,
            // GitHub's and GitLab's logs show colours, though they are no terminals.
            Color::Auto => {
                environment.var("NO_COLOR").is_none() && (terminal || matches!(format, Format::Github | Format::Gitlab))
            }
        };
        let live = format == Format::Human && std::io::stderr().is_terminal() && !environment.is_ci();
        Self { format, color, live, verbose: common.verbose > 0, redactor: Redactor::default() }
    }

    /// Keeps these values out of everything printed from here on.
    pub(crate) fn redact(&mut self, redactor: Redactor) {
        self.redactor = redactor;
    }

    /// A text without secrets, and without anything that a CI log would take for a command.
    pub(crate) fn clean(&self, text: &str) -> String {
        let redacted = self.redactor.text(text);
        if self.in_ci() { neutralise(&redacted) } else { redacted }
    }

    /// Whether the log is read by a CI.
    pub(crate) const fn in_ci(&self) -> bool {
        matches!(self.format, Format::Github | Format::Gitlab)
    }

    /// What was asked for.
    pub(crate) fn result(&self, text: &str) {
        print(&mut std::io::stdout().lock(), &self.clean(text));
    }

    /// A line for the CI itself (a workflow command, a section), which is escaped by whoever made it.
    pub(crate) fn command(&self, line: &str) {
        print(&mut std::io::stdout().lock(), &self.redactor.text(line));
    }

    /// The order to the runner to keep a secret out of its log: the one line that holds it.
    pub(crate) fn mask(&self, line: &str) {
        print(&mut std::io::stdout().lock(), line);
    }

    /// Whose commands the log understands: that of the format, which a user may have chosen.
    pub(crate) const fn platform(&self) -> Platform {
        match self.format {
            Format::Github => Platform::GitHub,
            Format::Gitlab => Platform::GitLab,
            Format::Human | Format::Json => Platform::Shell,
        }
    }

    /// What is said meanwhile.
    pub(crate) fn progress(&self, line: &str) {
        if self.in_ci() {
            print(&mut std::io::stdout().lock(), &self.clean(line));
        } else {
            print(&mut std::io::stderr().lock(), &self.clean(line));
        }
    }

    /// Something went wrong that is not the service's fault.
    pub(crate) fn warning(&self, text: &str) {
        let word = if self.color { "\u{1b}[33mwarning\u{1b}[0m" } else { "warning" };
        print(&mut std::io::stderr().lock(), &self.clean(&format!("{word}: {text}")));
    }

    /// Why the gate did not begin.
    pub(crate) fn refusal(&self, refusal: &Refusal) {
        let text = match refusal {
            Refusal::Config(error) => error.render(self.color),
            Refusal::Usage { message, hint } => {
                let hint = hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
                let word = if self.color { "\u{1b}[31;1merror\u{1b}[0m" } else { "error" };
                format!("{word}: {message}{hint}")
            }
        };
        print(&mut std::io::stderr().lock(), &self.clean(&text));
    }
}

/// A reader that went away (`prodtest-smoke | head`) is no error of the gate: its exit code is the gate.
fn print(stream: &mut dyn Write, text: &str) {
    let _ = stream.write_all(text.trim_end_matches('\n').as_bytes());
    let _ = stream.write_all(b"\n");
    let _ = stream.flush();
}
