//! Certificates that are made on the spot: an authority, and what it signs.

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

/// Who signs.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// Whom a certificate is for, and what it may be used for.
#[derive(Clone, Debug)]
pub struct Names {
    name: String,
    group: Option<String>,
    hosts: Vec<String>,
    client: bool,
}

impl Names {
    /// A server's, reached by these names and addresses.
    #[must_use]
    pub fn server(name: &str, hosts: &[&str]) -> Self {
        Self { client: false, ..Self::both(name, None, hosts) }
    }

    /// A client's; to Kubernetes these are a user and a group of its.
    #[must_use]
    pub fn client(user: &str, group: Option<&str>) -> Self {
        Self::both(user, group, &[])
    }

    /// For both.
    #[must_use]
    pub fn both(name: &str, group: Option<&str>, hosts: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            group: group.map(str::to_owned),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            client: true,
        }
    }
}

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub struct Certificate {
    /// The certificate.
    pub chain: String,
    /// The key.
    pub key: String,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(name: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        (params.not_before, params.not_after) = validity();
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// Its certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Its key: who has it can sign.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.key().serialize_pem()
    }

    /// A certificate that it signs.
    ///
    /// # Errors
    /// When a name is none.
    pub fn issue(&self, names: &Names) -> Result<Certificate> {
        let mut params = CertificateParams::new(names.hosts.clone())?;
        params.distinguished_name.push(DnType::CommonName, names.name.as_str());
        if let Some(group) = &names.group {
            params.distinguished_name.push(DnType::OrganizationName, group.as_str());
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        if names.client {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        }
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = validity();
        let key = KeyPair::generate()?;
        Ok(Certificate { chain: params.signed_by(&key, &self.0)?.pem(), key: key.serialize_pem() })
    }
}

/// From yesterday, for clocks that are not quite right, for a quarter.
fn validity() -> (OffsetDateTime, OffsetDateTime) {
    let now = OffsetDateTime::now_utc();
    (now - Duration::days(1), now + Duration::days(90))
}

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
    let ca = Authority::new("prodtest throw-away authority")?;
    let server = ca.issue(&Names::server("localhost", &["localhost", "127.0.0.1", "::1"]))?;
    let write = |name: &str, text: &str| -> Result<PathBuf> {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("could not write `{}`", path.display()))?;
        Ok(path)
    };
    Ok(Pki {
        ca: write("ca.pem", &ca.pem())?,
        cert: write("cert.pem", &server.chain)?,
        key: write("key.pem", &server.key)?,
    })
}
