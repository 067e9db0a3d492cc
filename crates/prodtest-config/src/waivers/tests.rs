//! What a waiver must say.

use prodtest_gate::{Waiver, WaiverTarget};

use crate::{ConfigError, Node};

fn read(text: &str) -> Result<Vec<Waiver>, ConfigError> {
    super::read(&Node::parse("waivers.yaml", text)?).map(|(waivers, _)| waivers)
}

#[test]
fn a_waiver_names_its_target_its_reason_its_owner_and_its_end() {
    let fingerprint = "ab".repeat(32);
    let waivers = read(&format!(
        "- check: smoke/tls\n  reason: ' a new one comes '\n  owner: ops\n  expires: 2026-12-31\n\
         - {{ finding: {fingerprint}, reason: x, owner: y, expires: 2027-01-01 }}\n"
    ))
    .unwrap();
    assert_eq!(waivers[0].target, WaiverTarget::Check("smoke/tls".parse().unwrap()));
    assert_eq!(
        (waivers[0].reason.as_str(), waivers[0].expires.to_string().as_str()),
        ("a new one comes", "2026-12-31")
    );
    assert_eq!(waivers[0].place.to_string(), "waivers.yaml:1:3");
    assert_eq!(waivers[1].target, WaiverTarget::Finding(fingerprint));
    let of = |gate| super::of_gate(waivers.clone(), gate).len();
    assert_eq!((of("smoke"), of("perf")), (2, 1));
}

#[test]
fn what_it_does_not_say_is_told() {
    for (text, expected) in [
        ("{a: b}", "1:1: expected a list of waivers, or the path of a file with one, seen a map"),
        ("- 5", "1:3: expected a map, seen the number `5`"),
        ("- {reason: x, owner: y, expires: 2026-12-31}", "1:3: a waiver without a target"),
        ("- {check: smoke/a, owner: y, expires: 2026-12-31}", "1:3: missing key `reason`"),
        ("- {check: smoke/a, reason: x, expires: 2026-12-31}", "1:3: missing key `owner`"),
        ("- {check: smoke/a, reason: x, owner: y}", "1:3: missing key `expires`"),
        (
            "- {check: smoke/a, reason: '', owner: y, expires: 2026-12-31}",
            "1:28: expected why it is excused, seen an empty text",
        ),
        (
            "- {check: smoke/a, reason: x, owner: ' ', expires: 2026-12-31}",
            "1:38: expected who answers for it, seen an empty text",
        ),
        ("- {check: smoek/a, reason: x, owner: y, expires: 2026-12-31}", "1:11: there is no gate `smoek`"),
        (
            "- {finding: abc, reason: x, owner: y, expires: 2026-12-31}",
            "1:13: expected a fingerprint: 64 digits of 0 to 9 and a to f",
        ),
        ("- {chekc: smoke/a, reason: x, owner: y, expires: 2026-12-31}", "1:4: unknown key `chekc`"),
        (
            "- {check: smoke, reason: x, owner: y, expires: 2026-12-31}",
            "1:11: `smoke` is not a check id: expected `gate/name` in lower-case letters, digits and hyphens",
        ),
    ] {
        assert_eq!(read(text).unwrap_err().to_string(), format!("waivers.yaml:{expected}"), "{text}");
    }
    for day in ["2026-02-30", "31.12.2026", "20261231T00", "soon", "2026-12-31T00:00:00Z"] {
        let error = read(&format!("- {{check: smoke/a, reason: x, owner: y, expires: {day}}}")).unwrap_err();
        assert_eq!(error.to_string(), format!("waivers.yaml:1:50: `{day}` is not a day"));
        assert_eq!(error.hint(), Some("write it as `2026-12-31`"));
    }
    let both = format!("- {{check: smoke/a, finding: {}, reason: x, owner: y, expires: 2026-12-31}}", "ab".repeat(32));
    assert_eq!(read(&both).unwrap_err().to_string(), "waivers.yaml:1:29: a waiver with two targets");
}
