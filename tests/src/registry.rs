//! What any client may do to the lab's registry: give it blobs and manifests, and move a tag.

use std::{ffi::OsStr, process::Command};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use xtask::{
    lab::{self, Lab},
    sh,
};

/// Who may.
pub const USER: &str = "lab";
/// The media type of a manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A repository of the registry, `godel`.
#[derive(Clone, Copy, Debug)]
pub struct Repository<'a> {
    /// The lab.
    pub lab: &'a Lab,
    /// Its name, without the registry.
    pub name: &'a str,
}

impl Repository<'_> {
    /// Puts a manifest there.
    ///
    /// # Panics
    /// When it is not taken.
    pub fn put(&self, tag: &str, media_type: &str, manifest: &str) {
        let mut curl = curl("PUT");
        curl.args(["--header", &format!("Content-Type: {media_type}"), "--data-binary", manifest]);
        self.say(curl.arg(self.url(&format!("manifests/{tag}"))));
    }

    /// The manifest of a tag or digest.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn manifest(&self, of: &str) -> String {
        let mut curl = curl("GET");
        curl.args(["--header", &format!("Accept: {MANIFEST}")]);
        self.say(curl.arg(self.url(&format!("manifests/{of}"))))
    }

    /// Puts an image of another repository there, whose blobs the registry has.
    ///
    /// # Panics
    /// When it is not taken.
    pub fn put_from(&self, other: &str, digest: &str, tag: &str) {
        let manifest = Repository { lab: self.lab, name: other }.manifest(digest);
        let read: Value = serde_json::from_str(&manifest).expect("a manifest");
        for blob in read["layers"].as_array().into_iter().flatten().chain([&read["config"]]) {
            let digest = blob["digest"].as_str().expect("a digest");
            self.say(curl("POST").arg(self.url(&format!("blobs/uploads/?mount={digest}&from={other}"))));
        }
        self.put(tag, MANIFEST, &manifest);
    }

    /// Takes a manifest away, by its digest.
    ///
    /// # Panics
    /// When there is none.
    pub fn delete(&self, digest: &str) {
        self.say(curl("DELETE").arg(self.url(&format!("manifests/{digest}"))));
    }

    /// Puts a blob there, in one request. Returns its digest.
    ///
    /// # Panics
    /// When it is not taken.
    #[must_use]
    pub fn put_blob(&self, blob: &str) -> String {
        let mut start = curl("POST");
        start.args(["-o", "/dev/null", "-w", "%header{location}"]);
        let location = self.say(start.arg(self.url("blobs/uploads/")));
        let hex: String = Sha256::digest(blob).iter().map(|byte| format!("{byte:02x}")).collect();
        let digest = format!("sha256:{hex}");
        // The registry tells its own name, which is not known here.
        let path = location.trim().split_once("/v2/").expect("a path").1;
        let and = if path.contains('?') { '&' } else { '?' };
        let mut put = curl("PUT");
        put.args(["--data-binary", blob, "--header", "Content-Type: application/octet-stream"]);
        self.say(put.arg(format!("{}/v2/{path}{and}digest={digest}", self.registry())));
        digest
    }

    /// Puts an image there that no node here can run. Returns its manifest.
    ///
    /// # Panics
    /// When it is not taken.
    pub fn put_foreign(&self, tag: &str) -> String {
        let config = json!({ "os": "linux", "architecture": "s390x", "rootfs": { "type": "layers", "diff_ids": [] } });
        let config = config.to_string();
        let digest = self.put_blob(&config);
        let manifest: Value = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": config.len(),
            },
        });
        let manifest = manifest.to_string();
        self.put(tag, MANIFEST, &manifest);
        manifest
    }

    fn registry(&self) -> String {
        format!("http://127.0.0.1:{}", lab::port(self.lab, "registry").expect("a port"))
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v2/{}/{path}", self.registry(), self.name)
    }

    /// The password goes by standard input, as everything in a list of arguments can be read by anybody.
    fn say(&self, curl: &mut Command) -> String {
        let password = self.lab.passwords().expect("its passwords").registry;
        sh::fed(curl, &format!("user = \"{USER}:{password}\"\n")).expect("it is taken")
    }
}

fn curl(method: impl AsRef<OsStr>) -> Command {
    let mut curl = sh::program("curl");
    curl.args(["-sS", "--fail-with-body", "--config", "-", "-X"]).arg(method);
    curl
}
