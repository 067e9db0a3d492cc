//! The reports a gate writes: their names, and who makes them.

use prodtest_gate::RunRecord;

use crate::{code_quality, html, junit, markdown, run_json, sarif};

/// One of the files that a gate leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// The run record itself, from which all others are made.
    Run,
    /// `JUnit`: the tests page of nearly every CI.
    Junit,
    /// SARIF 2.1.0: GitHub's code scanning, editors.
    Sarif,
    /// Markdown: GitHub's step summary.
    Markdown,
    /// GitLab's Code Quality widget.
    CodeQuality,
    /// One page for people, that works offline.
    Html,
}

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A JSON format.
    #[error("could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// `JUnit`.
    #[error("could not be written as XML: {0}")]
    Xml(String),
    /// HTML.
    #[error("could not be written as HTML")]
    Html(#[from] askama::Error),
}

/// A report, made or not.
#[derive(Debug)]
pub struct Report {
    /// Its format.
    pub format: Format,
    /// The name of its file, `smoke.junit.xml`.
    pub file: String,
    /// What goes into the file.
    pub text: Result<String, RenderError>,
}

impl Format {
    /// Every format, the record first: it must be safe before anything else is tried.
    pub const ALL: [Self; 6] = [Self::Run, Self::Junit, Self::Sarif, Self::Markdown, Self::CodeQuality, Self::Html];

    /// What follows the gate's name and a dot in the file's name.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Run => "run.json",
            Self::Junit => "junit.xml",
            Self::Sarif => "sarif",
            Self::Markdown => "md",
            Self::CodeQuality => "codequality.json",
            Self::Html => "html",
        }
    }

    /// The name of the gate's file in this format, `smoke.junit.xml`.
    #[must_use]
    pub fn file_name(self, gate: &str) -> String {
        format!("{gate}.{}", self.suffix())
    }

    /// The record in this format: the same record gives the same bytes, whenever and wherever.
    ///
    /// # Errors
    /// When the library behind the format refuses; no record is known that makes one do so.
    pub fn render(self, record: &RunRecord) -> Result<String, RenderError> {
        match self {
            Self::Run => run_json::render(record),
            Self::Junit => junit::render(record),
            Self::Sarif => sarif::render(record),
            Self::Markdown => Ok(markdown::render(record, markdown::SUMMARY_BYTES)),
            Self::CodeQuality => code_quality::render(record),
            Self::Html => html::render(record),
        }
    }
}

/// Every report of the record, each made when it is asked for: written one by one, they are never all in memory.
///
/// One that cannot be made keeps none of the others away.
pub fn render_all(record: &RunRecord) -> impl Iterator<Item = Report> {
    Format::ALL.into_iter().map(|format| Report {
        format,
        file: format.file_name(&record.gate),
        text: format.render(record),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture;

    #[test]
    fn files_are_named_after_the_gate() {
        let files: Vec<String> = render_all(&fixture::green()).map(|report| report.file).collect();
        assert_eq!(
            files,
            ["smoke.run.json", "smoke.junit.xml", "smoke.sarif", "smoke.md", "smoke.codequality.json", "smoke.html"]
        );
    }

    #[test]
    fn the_same_record_gives_the_same_bytes() {
        let record = fixture::hostile();
        let again = run_json::parse(&run_json::render(&record).unwrap()).unwrap();
        for (one, two) in render_all(&record).zip(render_all(&again)) {
            assert_eq!(one.text.unwrap(), two.text.unwrap(), "{}", one.file);
        }
    }

    #[test]
    fn a_scanner_s_flood_stays_within_bounds() {
        let record = fixture::flood(20_000);
        let sizes: Vec<usize> = render_all(&record).map(|report| report.text.unwrap().len()).collect();
        let [run, junit, sarif, markdown, code_quality, html] = sizes[..] else { panic!("six reports") };
        assert!(run > 20_000 * 100, "the record keeps everything: {run}");
        assert!(junit < 100 * 1024, "{junit}");
        assert!(sarif < 10 * 1024 * 1024, "{sarif}");
        assert!(markdown <= markdown::SUMMARY_BYTES, "{markdown}");
        assert!(code_quality < 10 * 1024 * 1024, "{code_quality}");
        assert!(html < 2 * 1024 * 1024, "{html}");
        assert!(crate::terminal(&record, false, 100).len() < 64 * 1024);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Whatever a service says, every report is made and none holds what a terminal obeys.
        #[test]
        fn every_report_of_any_text_is_made(text in fixture::any_text()) {
            let record = fixture::saying(&text);
            for report in render_all(&record) {
                let made = report.text.unwrap();
                prop_assert!(!made.chars().any(|c| c.is_control() && !"\n\t".contains(c)), "{}", report.file);
            }
        }
    }
}
