//! Certificates made on the spot.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// Writes `ca.pem`, and `cert.pem` and `key.pem` of a server with this name.
pub(crate) fn write(folder: &Path, name: &str) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    // Two of one name would be taken for each other.
    authority.distinguished_name.push(DnType::CommonName, format!("authority of {}", folder.display()));
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}
