//! Records that both Helms wrote, and what is none.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use super::*;

/// Two revisions of a chart with a ConfigMap and a hook, as a cluster gave them.
const WRITTEN: [(&str, &str); 2] =
    [("three", include_str!("../../../fixtures/helm3.json")), ("four", include_str!("../../../fixtures/helm4.json"))];

fn history(list: &str) -> History {
    let list: Value = serde_json::from_str(list).unwrap();
    let items = list["items"].as_array().unwrap();
    History::of("fix", items.iter().rev().map(|item| (item["metadata"]["name"].as_str().unwrap(), item)))
}

#[test]
fn the_records_of_both_helms_are_read() {
    for (helm, list) in WRITTEN {
        let history = history(list);
        assert_eq!(history.statuses(), [(1, Some(Status::Superseded)), (2, Some(Status::Deployed))], "{helm}");
        let release = history.release(2).unwrap();
        assert_eq!((release.name.as_str(), release.namespace.as_str()), ("fix", format!("helm-{helm}").as_str()));
        assert!(release.last_deployed > release.first_deployed && release.first_deployed.is_some(), "{release:?}");
        assert_eq!(release.description, "Upgrade complete");
        let Chart { name, version, app_version, templates, values } = &release.chart;
        assert_eq!((name.as_str(), version.as_str(), app_version.as_str()), ("small", "0.1.0", "1.2"));
        let settings = templates.iter().find(|template| template.name == "templates/settings.yaml").unwrap();
        assert!(settings.text.contains("{{ .Release.Name }}-settings"), "{settings:?}");
        assert_eq!((values, &release.config), (&json!({ "level": "info" }), &json!({ "level": "debug" })));
        assert!(release.manifest.contains("# Source: small/templates/settings.yaml"), "{}", release.manifest);
        let [hook] = release.hooks.as_slice() else { panic!("{:?}", release.hooks) };
        assert_eq!((hook.kind.as_str(), hook.path.as_str()), ("ConfigMap", "small/templates/hook.yaml"));
        assert_eq!(hook.events, ["pre-install", "pre-upgrade"]);
        assert_eq!(hook.delete_policies, ["before-hook-creation"]);
    }
}

fn packed(text: &[u8]) -> String {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text).unwrap();
    twice(&gzip.finish().unwrap())
}

fn twice(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(BASE64_STANDARD.encode(bytes))
}

/// What is said of a revision 7 that holds this.
fn said(data: &Value) -> String {
    let secret = json!({ "type": TYPE, "data": data });
    let history = History::of("fix", [("sh.helm.release.v1.fix.v7", &secret)]);
    assert_eq!(history.statuses(), [(7, None)]);
    history.newest().unwrap().release.as_ref().unwrap_err().to_string()
}

#[test]
fn a_record_that_is_none_is_kept_as_such_and_names_its_revision() {
    let other = json!({ "name": "other", "namespace": "n", "version": 7, "info": { "status": "deployed" }, "chart": { "metadata": { "name": "c" } } });
    let late = json!({ "name": "fix", "namespace": "n", "version": 7, "info": { "status": "deployed", "last_deployed": "hunter22" }, "chart": { "metadata": { "name": "c" } } });
    for (data, why) in [
        (json!({}), "it has no key `release`"),
        (json!({ "release": "hunter22!" }), "it is not base64"),
        (json!({ "release": twice(b"hunter22") }), "it is not the JSON of a release, at line 1, column 1"),
        (json!({ "release": packed(b"{\"name\": \"hunter22\"}") }), "not the JSON of a release"),
        (json!({ "release": twice(b"\x1f\x8bhunter22") }), "it is not gzip"),
        (json!({ "release": packed(other.to_string().as_bytes()) }), "it is of `other`, revision 7"),
        (json!({ "release": packed(late.to_string().as_bytes()) }), "its times are none"),
    ] {
        let said = said(&data);
        assert!(said.starts_with("Helm's record of the release `fix`, revision 7, cannot be read: "), "{said}");
        assert!(said.contains(why) && !said.contains("hunter22"), "{said}");
    }
}

#[test]
fn what_unpacks_to_too_much_is_not_unpacked() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&[b' '; 1001]).unwrap();
    let bytes = gzip.finish().unwrap();
    assert_eq!(unpacked(&bytes, 1000).unwrap_err(), "it is larger than 1000 bytes");
    assert_eq!(unpacked(&bytes, 1001).unwrap().len(), 1001);
}

#[test]
fn other_secrets_with_the_same_labels_are_none_of_its_revisions() {
    let secret = json!({ "type": "Opaque" });
    assert_eq!(History::of("fix", [("sh.helm.release.v1.fix.v1", &secret)]), History::default());
    let secret = json!({ "type": TYPE });
    for name in ["sh.helm.release.v1.fix.vx", "sh.helm.release.v1.fix2.v1", "fix"] {
        assert_eq!(History::of("fix", [(name, &secret)]), History::default(), "{name}");
    }
}

#[test]
fn a_status_of_a_helm_to_come_is_unknown() {
    assert_eq!(serde_json::from_value::<Status>(json!("pending-upgrade")).unwrap(), Status::PendingUpgrade);
    assert_eq!(serde_json::from_value::<Status>(json!("sleeping")).unwrap(), Status::Unknown);
}
