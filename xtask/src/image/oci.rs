//! What an OCI image is made of: a layer, a configuration, a manifest, and the layout that holds them.
//!
//! <https://github.com/opencontainers/image-spec>, version 1.1. Pure, and nothing in it depends on when or where.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result, bail};
use flate2::{Compression, GzBuilder};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use crate::repo;

/// As distroless images have it: nobody in particular.
const USER: &str = "65532:65532";
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// What an image is made of.
#[derive(Clone, Copy)]
pub(crate) struct Contents<'a> {
    /// Its name, without a registry, which is also its program's.
    pub(crate) name: &'a str,
    /// The program, which needs nothing but the kernel.
    pub(crate) program: &'a [u8],
    /// What it is started with, if nothing else is said.
    pub(crate) arguments: &'a [&'a str],
    /// The port that it listens on.
    pub(crate) port: Option<u16>,
    /// The commit that it was built from.
    pub(crate) revision: Option<&'a str>,
}

/// A packed image.
pub(crate) struct Packed {
    pub(crate) archive: Vec<u8>,
    pub(crate) digest: String,
    pub(crate) config_digest: String,
}

/// Whether a registry takes it as a tag.
pub(super) fn is_tag(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    text.len() <= 128 && text.bytes().all(fits) && !text.starts_with(['.', '-']) && !text.is_empty()
}

/// Packs an image, and calls it by this tag.
pub(crate) fn pack(contents: &Contents<'_>, tag: &str) -> Result<Packed> {
    let layer = layer(contents).context("could not pack the layer")?;
    let compressed = compress(&layer).context("could not compress the layer")?;
    let config = config(contents, &sha256(&layer))?.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &compressed)],
    });
    let manifest = manifest.to_string().into_bytes();
    let mut listed = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
    listed["annotations"] = json!({
        "org.opencontainers.image.ref.name": tag,
        // containerd's own: the whole name, as a kubelet asks for `NAME:TAG`.
        "io.containerd.image.name": format!("docker.io/library/{}:{tag}", contents.name),
    });
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [listed],
    });

    let (digest, config_digest) = (sha256(&manifest), sha256(&config));
    let files = [
        ("oci-layout".to_owned(), json!({ "imageLayoutVersion": "1.0.0" }).to_string().into_bytes()),
        ("index.json".to_owned(), index.to_string().into_bytes()),
        (blob(&digest), manifest),
        (blob(&config_digest), config),
        (blob(&sha256(&compressed)), compressed),
    ];
    let archive = archive(&files).context("could not pack the archive")?;
    Ok(Packed { archive, digest, config_digest })
}

fn config(contents: &Contents<'_>, layer: &str) -> Result<Value> {
    let mut labels = json!({
        "org.opencontainers.image.title": contents.name,
        "org.opencontainers.image.version": repo::VERSION,
        "org.opencontainers.image.source": env!("CARGO_PKG_REPOSITORY"),
        "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
    });
    if let Some(revision) = contents.revision {
        labels["org.opencontainers.image.revision"] = revision.into();
    }
    let ports: Map<String, Value> = contents.port.iter().map(|port| (format!("{port}/tcp"), json!({}))).collect();
    Ok(json!({
        "created": EPOCH,
        "architecture": architecture()?,
        "os": "linux",
        "config": {
            "User": USER,
            "ExposedPorts": ports,
            "Env": ["PATH=/"],
            "Entrypoint": [format!("/{}", contents.name)],
            "Cmd": contents.arguments,
            "WorkingDir": "/",
            "Labels": labels,
        },
        "rootfs": { "type": "layers", "diff_ids": [layer] },
        "history": [{ "created": EPOCH, "created_by": "cargo xtask image" }],
    }))
}

/// The names are Go's.
fn architecture() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("no image for `{other}`"),
    }
}

fn layer(contents: &Contents<'_>) -> io::Result<Vec<u8>> {
    let mut layer = Builder::new(Vec::new());
    append(&mut layer, contents.name, EntryType::Regular, 0o755, contents.program)?;
    append(&mut layer, "tmp/", EntryType::Directory, 0o1777, &[])?;
    layer.into_inner()
}

fn archive(files: &[(String, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    for folder in ["blobs/", "blobs/sha256/"] {
        append(&mut archive, folder, EntryType::Directory, 0o755, &[])?;
    }
    for (name, bytes) in files {
        append(&mut archive, name, EntryType::Regular, 0o644, bytes)?;
    }
    archive.into_inner()
}

/// An entry of root's, made at the epoch.
fn append(into: &mut Builder<Vec<u8>>, name: &str, kind: EntryType, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    into.append_data(&mut header, name, bytes)
}

/// Without a name and a time.
fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::default());
    gzip.write_all(bytes)?;
    gzip.finish()
}

fn descriptor(kind: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": kind, "digest": sha256(bytes), "size": bytes.len() })
}

fn blob(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

fn sha256(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: Contents<'_> = Contents { name: "godel", program: b"", arguments: &[], port: None, revision: None };

    #[test]
    fn the_same_program_gives_the_same_image() {
        let pack = |program: &[u8], revision| pack(&Contents { program, revision, ..EMPTY }, "1.2.3").unwrap();
        let image = pack(b"program", Some("abc"));
        assert_eq!(image.archive, pack(b"program", Some("abc")).archive);
        // What must make another one.
        assert_ne!(image.digest, pack(b"another", Some("abc")).digest);
        assert_ne!(image.digest, pack(b"program", None).digest);
    }

    #[test]
    fn a_tag_is_a_name_and_no_part_of_the_image() {
        let [one, other] = ["1.2.3", "1.2.4"].map(|tag| pack(&EMPTY, tag).unwrap());
        assert_eq!(one.digest, other.digest);
        assert_ne!(one.archive, other.archive);
        for (text, taken) in
            [("v1.2.3", true), ("_", true), ("", false), ("../x", false), (".x", false), ("1+2", false)]
        {
            assert_eq!(is_tag(text), taken, "{text}");
        }
    }
}
