//! Certificates of a server on a lab: of its own authority, or of one that nobody knows.

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use time::{Duration, OffsetDateTime};
use xtask::{
    lab::Lab,
    pki::{Authority, Certificate, Names},
};

/// A certificate of the lab's own authority for this host, which ends after so many days and an hour.
///
/// # Panics
/// When the lab has no authority.
#[must_use]
pub fn lasting(lab: &Lab, host: &str, days: i64) -> Certificate {
    let read = |name: &str| std::fs::read_to_string(lab.pki(name)).expect("the lab's authority");
    let key = KeyPair::from_pem(&read("ca.key")).expect("its key");
    let issuer = Issuer::from_ca_cert_pem(&read("ca.crt"), key).expect("its certificate");
    let mut params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, host);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::days(30);
    params.not_after = now + Duration::days(days) + Duration::HOUR;
    let own = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&own, &issuer).expect("a certificate");
    Certificate { chain: certificate.pem(), key: own.serialize_pem() }
}

/// A certificate for this host of an authority that nobody trusts.
///
/// # Panics
/// When the system has no random numbers.
#[must_use]
pub fn of_nobody(host: &str) -> Certificate {
    let authority = Authority::new("an authority that nobody knows").expect("an authority");
    authority.issue(&Names::server(host, &[host])).expect("a certificate")
}
