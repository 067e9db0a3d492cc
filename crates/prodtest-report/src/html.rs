//! One page for a person who opens it after a red run: it works offline, on a phone and on paper.
//!
//! The page is well-formed XML as well as HTML, so that a strict parser can prove in a test that no stranger's text
//! became an element; a content security policy in it forbids scripts and anything from elsewhere besides.

use std::fmt;

use askama::{Template as _, filters::Escaper};
use prodtest_gate::RunRecord;

use crate::{RenderError, page::Page};

/// The record as a page.
pub(crate) fn render(record: &RunRecord) -> Result<String, RenderError> {
    Ok(Page::of(record).render()?)
}

/// How every text of the template is written (`askama.toml`): stricter than the library, which leaves `/` alone.
#[derive(Clone, Copy)]
pub(crate) struct Escaped;

impl Escaper for Escaped {
    fn write_escaped_str<W: fmt::Write>(&self, mut to: W, text: &str) -> fmt::Result {
        escape(&mut to, text)
    }
}

/// One copy of it for all that a template is written to.
fn escape(to: &mut dyn fmt::Write, text: &str) -> fmt::Result {
    let mut rest = text;
    while let Some(special) = rest.find(['<', '>', '&', '"', '\'', '/']) {
        let (plain, from) = rest.split_at(special);
        let (one, after) = from.split_at(1);
        to.write_str(plain)?;
        to.write_str(match one {
            "<" => "&lt;",
            ">" => "&gt;",
            "&" => "&amp;",
            "\"" => "&quot;",
            "'" => "&#x27;",
            _ => "&#x2f;",
        })?;
        rest = after;
    }
    to.write_str(rest)
}

/// Words between back-ticks as code; everything escaped.
fn rich(text: &str) -> Result<String, fmt::Error> {
    let parts: Vec<&str> = text.split('`').collect();
    let mut shown = String::with_capacity(text.len());
    if parts.len().is_multiple_of(2) {
        escape(&mut shown, text)?;
        return Ok(shown);
    }
    for (i, part) in parts.into_iter().enumerate() {
        let is_code = i % 2 == 1;
        shown.push_str(if is_code { "<code>" } else { "" });
        escape(&mut shown, part)?;
        shown.push_str(if is_code { "</code>" } else { "" });
    }
    Ok(shown)
}

/// What the template calls by name.
#[expect(unreachable_pub, reason = "askama makes a type with public methods of a filter")]
pub(crate) mod filters {
    use askama::{Result, Values, filters::Safe};

    /// See [`super::rich`].
    #[askama::filter_fn]
    pub(crate) fn rich(text: impl AsRef<str>, _: &dyn Values) -> Result<Safe<String>> {
        Ok(Safe(super::rich(text.as_ref())?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use roxmltree::{Document, ParsingOptions};

    use super::*;
    use crate::fixture;

    fn parsed(page: &str) -> Document<'_> {
        let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
        Document::parse_with_options(page, options).unwrap_or_else(|fault| panic!("{fault}\n{page}"))
    }

    /// How often each element and attribute occurs, but for the code and the lines of it that back-ticks make.
    fn shape(page: &str) -> BTreeMap<String, usize> {
        let document = parsed(page);
        let mut shape = BTreeMap::new();
        for node in document.descendants().filter(|node| node.is_element() && !node.has_tag_name("code")) {
            *shape.entry(node.tag_name().name().to_owned()).or_default() += 1;
            for attribute in node.attributes() {
                *shape.entry(format!("@{}", attribute.name())).or_default() += 1;
            }
        }
        shape
    }

    #[test]
    fn a_red_page_tells_the_whole_story() {
        let page = render(&fixture::red()).unwrap();
        for told in [
            "Does it do its job for a user?",
            "<code>POST &#x2f;api&#x2f;agents</code> answered 500",
            "scenarios&#x2f;agent life.yaml:7:5",
            "read the log of the pod that answered",
            "waived by ops until 2026-06-01: until the gateway is replaced",
            "limit 500 ms",
            "excused nothing in this run",
        ] {
            assert!(page.contains(told), "{told}");
        }
        assert!(page.find("smoke&#x2f;spawn").unwrap() < page.find("smoke&#x2f;health").unwrap(), "worst first");
    }

    #[test]
    fn nothing_comes_from_elsewhere() {
        for record in [fixture::red(), fixture::hostile()] {
            let page = render(&record).unwrap();
            let document = parsed(&page);
            for node in document.descendants().filter(roxmltree::Node::is_element) {
                assert!(!["script", "link", "img", "iframe", "object", "a"].contains(&node.tag_name().name()));
                assert!(node.attributes().all(|attribute| !attribute.name().starts_with("on")));
                assert!(node.attribute("src").is_none() && node.attribute("href").is_none());
            }
        }
    }

    #[test]
    fn long_facts_are_cut_and_say_so() {
        let mut record = fixture::green();
        assert!(!render(&record).unwrap().contains("The rest is in"));
        record.facts = serde_json::json!(vec!["x".repeat(100); 10_000]);
        let page = render(&record).unwrap();
        assert!(page.contains("The rest is in") && page.len() < 512 * 1024);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn no_text_becomes_an_element(text in fixture::any_text()) {
            // Words around it, so that no field is empty and none is left out.
            let plain = shape(&render(&fixture::saying("plain words")).unwrap());
            prop_assert_eq!(shape(&render(&fixture::saying(&format!("a {text} z"))).unwrap()), plain);
        }
    }
}
