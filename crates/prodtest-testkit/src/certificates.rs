//! Certificates made on the spot.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use time::{Duration, OffsetDateTime};

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flaw {
    /// Nothing.
    #[default]
    None,
    /// It ran out yesterday.
    Expired,
    /// It runs out in three days.
    ExpiresSoon,
    /// It is for another host.
    WrongName,
    /// It comes from an authority that nobody was told of.
    UnknownIssuer,
}

/// An authority and a server's certificate, as PEM files in one folder.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority that clients are told to trust.
    pub ca: PathBuf,
    /// The server's certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Certificates {
    /// Makes them in `folder`, for `localhost` and `127.0.0.1`.
    ///
    /// # Errors
    /// When a key cannot be made or a file not be written.
    pub fn make(folder: &Path, flaw: Flaw) -> Result<Self, Box<dyn std::error::Error>> {
        let trusted = authority("prodtest throw-away authority")?;
        let unknown = authority("an authority that nobody knows")?;
        let issuer = if flaw == Flaw::UnknownIssuer { &unknown } else { &trusted };
        let name = if flaw == Flaw::WrongName { "other.example" } else { "localhost" };
        let mut names = vec![name.to_owned()];
        if flaw != Flaw::WrongName {
            names.push("127.0.0.1".to_owned());
        }
        let now = OffsetDateTime::now_utc();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = now - Duration::days(30);
        params.not_after = now
            + match flaw {
                Flaw::Expired => Duration::days(-1),
                Flaw::ExpiresSoon => Duration::days(3),
                Flaw::None | Flaw::WrongName | Flaw::UnknownIssuer => Duration::days(90),
            };
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, issuer)?;
        let write = |name: &str, text: String| -> std::io::Result<PathBuf> {
            let path = folder.join(name);
            std::fs::write(&path, text)?;
            Ok(path)
        };
        Ok(Self {
            ca: write("ca.pem", trusted.pem())?,
            cert: write("cert.pem", certificate.pem())?,
            key: write("key.pem", key.serialize_pem())?,
        })
    }
}

fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}
