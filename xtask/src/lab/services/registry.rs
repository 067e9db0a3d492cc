//! A registry for images, with a login. Its name is known inside the lab alone.

use std::{fs, net::Ipv4Addr, path::Path};

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use super::{Service, nothing};
use crate::{
    lab::{files, machine::Machine, place::Lab},
    sh,
};

pub(super) static SERVICE: Service = Service {
    name: "registry",
    what: "a registry of images, with a login",
    address: Some(Ipv4Addr::new(10, 240, 0, 103)),
    ports: &[("registry", 5000)],
    tools: &[],
    end: Signal::TERM,
    needs_api: false,
    start,
    objects: nothing,
};

/// How images of it are called: `registry.lab:5000/NAME`.
pub(in crate::lab) const ADDRESS: &str = "registry.lab:5000";
/// Its one user.
pub(in crate::lab) const USER: &str = "lab";

fn start(lab: &Lab, machine: &Machine<'_>) -> Result<()> {
    // What containerd is told of it.
    let known = lab.folder.join("registries").join(ADDRESS).join("hosts.toml");
    let url = format!("http://{ADDRESS}");
    files::write(
        &known,
        &format!("server = \"{url}\"\n[host.\"{url}\"]\n  capabilities = [\"pull\", \"resolve\"]\n"),
        0o644,
    )?;
    let users = machine.folder().join("htpasswd");
    files::write(&users, &htpasswd(&lab.passwords()?.registry)?, 0o600)?;
    let config = serde_json::json!({
        "version": "0.1",
        "log": { "level": "warn", "accesslog": { "disabled": false } },
        "storage": { "filesystem": { "rootdirectory": "/var/lib/lab" }, "delete": { "enabled": true } },
        "http": { "addr": format!("{}:5000", machine.address) },
        "auth": { "htpasswd": { "realm": "lab", "path": users } },
    });
    let file = machine.folder().join("registry.yml");
    files::write(&file, &config.to_string(), 0o600)?;
    let mut registry = machine.enter("docker-registry")?;
    registry.arg("serve").arg(file);
    machine.start(SERVICE.name, registry)
}

/// The line of its user, hashed as the registry wants it.
fn htpasswd(password: &str) -> Result<String> {
    let said = sh::fed(sh::program("htpasswd").args(["-n", "-B", "-i", USER]), password)?;
    Ok(said.trim().to_owned() + "\n")
}

/// Pushes an archive with an OCI image under a name, `godel:1.2.3`, and says under which digest it lies there.
///
/// # Errors
/// When the registry does not take it.
pub(in crate::lab) fn push(lab: &Lab, archive: &Path, name: &str) -> Result<String> {
    let folder = lab.folder.join("push");
    fs::create_dir_all(&folder).context("could not make a folder")?;
    let login = folder.join("login.json");
    let password = lab.passwords()?.registry;
    let both = crate::lab::pki::base64(format!("{USER}:{password}").as_bytes());
    files::write_json(&login, &serde_json::json!({ "auths": { (ADDRESS): { "auth": both } } }))?;
    let digest = tempfile::NamedTempFile::new_in(&folder).context("could not make a file")?;
    let mut skopeo = Machine::control_plane(lab).enter("skopeo")?;
    skopeo
        .args(["--insecure-policy", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false", "--authfile"])
        .arg(&login)
        .arg("--digestfile")
        .arg(digest.path())
        .arg(format!("oci-archive:{}", archive.display()))
        .arg(format!("docker://{ADDRESS}/{name}"));
    sh::quietly(&mut skopeo)?;
    Ok(fs::read_to_string(digest.path()).context("no digest")?.trim().to_owned())
}
