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
#[must_use]
pub fn of_service_account(lab: &Lab, namespace: &str, name: &str) -> NamedTempFile {
    let mut kubectl = xtask::lab::kubectl(lab).expect("kubectl");
    kubectl.args(["--namespace", namespace, "create", "token", name]);
    let token = sh::quietly(&mut kubectl).expect("a token");
    written(lab, &json!({ "token": token.trim() }))
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
