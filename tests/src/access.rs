//! Who asks a lab's cluster: kubeconfigs for whoever a test wants to be.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use time::{Duration, OffsetDateTime};
use xtask::{lab::Lab, sh};

/// A kubeconfig with a client certificate of the lab's own authority for this user, of the group that may do everything, which
/// ends after so many days; before now, when they are negative.
///
/// # Panics
/// When the lab has no authority.
#[must_use]
pub fn certified(lab: &Lab, user: &str, days: i64) -> NamedTempFile {
    let read = |name: &str| std::fs::read_to_string(lab.pki(name)).expect("the lab's authority");
    let key = KeyPair::from_pem(&read("ca.key")).expect("its key");
    let issuer = Issuer::from_ca_cert_pem(&read("ca.crt"), key).expect("its certificate");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, user);
    params.distinguished_name.push(DnType::OrganizationName, "system:masters");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let now = OffsetDateTime::now_utc();
    (params.not_before, params.not_after) = (now - Duration::days(30), now + Duration::days(days));
    let own = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&own, &issuer).expect("a certificate");
    let encoded = |pem: String| STANDARD.encode(pem);
    let who = json!({
        "client-certificate-data": encoded(certificate.pem()),
        "client-key-data": encoded(own.serialize_pem()),
    });
    written(lab, &who)
}

/// A kubeconfig with a token of that service account.
///
/// # Panics
/// When there is none.
fn of_service_account(lab: &Lab, namespace: &str, name: &str) -> NamedTempFile {
    let mut kubectl = xtask::lab::kubectl(lab).expect("kubectl");
    kubectl.args(["--namespace", namespace, "create", "token", name]);
    let token = sh::quietly(&mut kubectl).expect("a token");
    written(lab, &json!({ "token": token.trim() }))
}

/// A kubeconfig of a service account `prodtest` of that namespace, which is made, with these rules in it and these in the whole
/// cluster.
///
/// # Panics
/// When the lab does not take it.
#[must_use]
pub fn account(lab: &Lab, namespace: &str, rules: &Value, in_cluster: &Value) -> NamedTempFile {
    let (name, group) = ("prodtest", "rbac.authorization.k8s.io");
    let api = format!("{group}/v1");
    let metadata = json!({ "name": name, "namespace": namespace });
    // What belongs to no namespace has its name, for several may be there.
    let whole = json!({ "name": namespace });
    let subjects = json!([{ "kind": "ServiceAccount", "name": name, "namespace": namespace }]);
    let role = |kind: &str, metadata: &Value, rules: &Value| json!({ "apiVersion": api, "kind": kind, "metadata": metadata, "rules": rules });
    let binding = |kind: &str, metadata: &Value| {
        let role = json!({ "apiGroup": group, "kind": kind, "name": metadata["name"] });
        let kind = format!("{kind}Binding");
        json!({ "apiVersion": api, "kind": kind, "metadata": metadata, "roleRef": role, "subjects": subjects })
    };
    let objects = [
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata }),
        role("Role", &metadata, rules),
        binding("Role", &metadata),
        role("ClusterRole", &whole, in_cluster),
        binding("ClusterRole", &whole),
    ];
    xtask::lab::apply(lab, &objects).expect("a service account");
    of_service_account(lab, namespace, name)
}

/// The lab's own kubeconfig, with another user in it.
fn written(lab: &Lab, who: &Value) -> NamedTempFile {
    let text = std::fs::read_to_string(lab.kubeconfig()).expect("a kubeconfig");
    let mut config: Value = serde_json::from_str(&text).expect("a kubeconfig, which is JSON");
    config["users"][0]["user"] = who.clone();
    let file = NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), config.to_string()).expect("a kubeconfig");
    file
}
