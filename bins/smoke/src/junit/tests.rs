use super::*;

/// The cases as `name=outcome`, and what is told of no case.
fn told(report: &str) -> (Vec<String>, Option<String>) {
    let report = parse(report).unwrap_or_else(|error| panic!("{error}\n{report}"));
    let cases = report.cases.iter().map(|case| format!("{}={:?}", case.name, case.outcome)).collect();
    (cases, report.untold)
}

#[test]
fn every_dialect_is_read() {
    for (dialect, report, cases) in [
        (
            "Jest: times without a zone",
            "<testsuites tests='1' time='1.2'><testsuite name='s' timestamp='2026-01-02T03:04:05' time='1'>\
             <testcase classname='c' name='a' time='0.1'></testcase></testsuite></testsuites>",
            &["a=Passed"][..],
        ),
        (
            "Surefire: one suite, properties, reruns",
            "<?xml version='1.0'?><testsuite name='s' tests='2'><properties><property name='p' value='v'/></properties>\
             <testcase name='a' time='1,234.5'><flakyFailure message='once'/></testcase>\
             <testcase name='b'><error type='E'>trace</error><system-out>x</system-out></testcase></testsuite>",
            &["a=Passed", "b=Failed"],
        ),
        (
            "PHPUnit: suites inside suites",
            "<testsuites><testsuite name='all'><testsuite name='A'><testcase name='a'/></testsuite>\
             <testsuite name='B'><testcase name='b'><failure/></testcase></testsuite></testsuite></testsuites>",
            &["a=Passed", "b=Failed"],
        ),
        (
            "GoogleTest: words for what did not run",
            "<testsuites><testsuite name='s'><testcase name='a' status='run' result='completed'/>\
             <testcase name='b' status='notrun' result='suppressed'/><testcase name='c' result='SKIPPED'/>\
             </testsuite></testsuites>",
            &["a=Passed", "b=Skipped", "c=Skipped"],
        ),
        (
            "CTest: words for what failed",
            "<testsuite name='s'><testcase name='a' status='fail'/><testcase name='b' status='disabled'/></testsuite>",
            &["a=Failed", "b=Skipped"],
        ),
        (
            "a byte order mark, a namespace, CDATA, a failure beside a skip",
            "\u{feff}<testsuites xmlns='http://j.example'><testsuite name='s'><testcase name='a'>\
             <failure><![CDATA[<no>]]></failure><skipped/></testcase></testsuite></testsuites>",
            &["a=Failed"],
        ),
        ("no name but a class", "<testsuite><testcase classname='c'/></testsuite>", &["c=Passed"]),
    ] {
        assert_eq!(told(report), (cases.iter().map(|case| (*case).to_owned()).collect(), None), "{dialect}");
    }
}

#[test]
fn what_is_no_report_is_refused() {
    for (text, says) in [
        ("", "root node"),
        ("garbage", "unknown token"),
        ("<testsuites>", "opened but never closed"),
        ("<html/>", "it begins with `<html>`, not with `<testsuites>`"),
        ("<testsuites><testcase/></testsuites>", "a `<testcase>` without a name"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><testsuites/>", "DTD"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn a_failure_that_no_case_shows_is_told() {
    for (report, says) in [
        (
            "<testsuites errors='1'><testsuite name='s'><testcase name='a'/></testsuite></testsuites>",
            "its report counts 1 errors",
        ),
        ("<testsuite name='s' failures='2'><testcase name='a'/></testsuite>", "its report counts 2 failures for `s`"),
        (
            "<testsuite name='s'><testcase name='a'/><error message='m'/></testsuite>",
            "its report has a failure for `s`, `m`",
        ),
    ] {
        assert_eq!(told(report).1.as_deref(), Some(says));
    }
    for quiet in [
        "<testsuite failures='0' errors='' tests='1'><testcase name='a'/></testsuite>",
        // The failure is a case's, and that case blocks.
        "<testsuite failures='2'><testcase name='a'><failure/></testcase></testsuite>",
    ] {
        assert_eq!(told(quiet).1, None, "{quiet}");
    }
}

#[test]
fn a_message_and_a_text_are_told_once() {
    for (failure, says) in [
        ("<failure/>", ""),
        ("<failure message=' m '/>", "m"),
        ("<failure>\n  text\n</failure>", "text"),
        ("<failure message='m'>m\nat line 3</failure>", "m\nat line 3"),
        ("<failure message='m'>at line 3</failure>", "m: at line 3"),
        ("<failure message='a'/><error message='b'/>", "a; b"),
    ] {
        let report = parse(&format!("<testsuite><testcase name='c'>{failure}</testcase></testsuite>")).unwrap();
        assert_eq!(report.cases[0].message, says);
    }
}

#[test]
fn what_is_no_time_loses_no_case() {
    for (time, ms) in [("0.5", 500.0), ("1,234.5", 1_234_500.0), ("", 0.0), ("NaN", 0.0), ("-1", 0.0), ("soon", 0.0)] {
        let report = parse(&format!("<testsuite><testcase name='c' time='{time}'/></testsuite>")).unwrap();
        assert!((report.cases[0].duration_ms - ms).abs() < f64::EPSILON, "{time}");
    }
}

#[test]
fn a_report_is_new_when_it_was_written_again() {
    const REPORT: &str = "<testsuite><testcase name='a'/></testsuite>";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.xml");
    let nothing = Before::of(&path);
    assert!(read(&path, Some(&nothing)).unwrap_err().contains("could not be read"));
    std::fs::write(&path, REPORT).unwrap();
    assert_eq!(read(&path, Some(&nothing)).unwrap().cases.len(), 1);
    let before = Before::of(&path);
    assert!(read(&path, Some(&before)).unwrap_err().contains("was not written by this run"));
    assert_eq!(read(&path, None).unwrap().cases.len(), 1, "without a command it was there before");
    // Moved into place, as many write: the clock and the length may be as before.
    let beside = folder.path().join("beside.xml");
    std::fs::copy(&path, &beside).unwrap();
    std::fs::rename(&beside, &path).unwrap();
    assert_eq!(read(&path, Some(&before)).unwrap().cases.len(), 1);
}
