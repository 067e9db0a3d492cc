//! A certificate authority for one run, and a server's certificate from it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

/// The files of a certificate for `localhost`, and of who signed it.
#[derive(Clone, Debug)]
pub struct Pki {
    /// The authority's certificate.
    pub ca: PathBuf,
    /// The server's certificate.
    pub cert: PathBuf,
    /// The server's key.
    pub key: PathBuf,
}

/// Makes them in `folder`. The authority's key is never written: nobody can sign with it again.
///
/// # Errors
/// When the files cannot be written.
pub fn make(folder: &Path) -> Result<Pki> {
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.distinguished_name.push(DnType::CommonName, "prodtest throw-away authority");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;

    let now = OffsetDateTime::now_utc();
    let names = ["localhost", "127.0.0.1", "::1"].map(String::from);
    let mut server = CertificateParams::new(names)?;
    server.distinguished_name.push(DnType::CommonName, "localhost");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    server.not_before = now - Duration::days(1);
    server.not_after = now + Duration::days(90);
    let key = KeyPair::generate()?;
    let server = server.signed_by(&key, &ca)?;

    let write = |name: &str, text: &str| -> Result<PathBuf> {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("could not write `{}`", path.display()))?;
        Ok(path)
    };
    Ok(Pki {
        ca: write("ca.pem", &ca.pem())?,
        cert: write("cert.pem", &server.pem())?,
        key: write("key.pem", &key.serialize_pem())?,
    })
}
