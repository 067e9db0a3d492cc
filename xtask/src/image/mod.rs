//! `cargo xtask image`: the container image of the reference service, or of the probe, for who has no Docker.
//!
//! An OCI image layout in a tar, made from scratch: the program, a `/tmp`, nothing else. The same program gives the same
//! digest, on every machine and on every day. The image for production has no switches for faults.

pub(crate) mod oci;

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use crate::{dist, env, repo, say, sh};

/// Options of `cargo xtask image`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// With the switches for faults; `-faults` is added to the tag
    #[arg(long, conflicts_with = "probe")]
    pub faults: bool,

    /// Of the probe that the verify gate runs in the cluster, instead of the reference service
    #[arg(long)]
    pub probe: bool,

    /// Copy the archive here, as `godel-<tag>.tar`
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// The tag; the version of the workspace, if not given
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
}

/// An image, in the cache.
#[derive(Clone, Debug)]
pub struct Image {
    /// The OCI image layout, as a tar: `ctr images import` and `skopeo copy oci-archive:` read it.
    pub archive: PathBuf,
    /// What it is called, `godel:0.1.0`.
    pub reference: String,
    /// The digest of its manifest, by which a registry knows it.
    pub digest: String,
    /// The digest of its configuration, which a container runtime calls the image's id.
    pub config_digest: String,
    /// The bytes of the archive.
    pub size: u64,
}

/// Builds, and says what came of it.
///
/// # Errors
/// When it cannot be built or copied.
pub fn run(options: &Options) -> Result<()> {
    let image = build(options)?;
    let mut archive = image.archive;
    if let Some(out) = &options.out {
        fs::create_dir_all(out).with_context(|| format!("could not make `{}`", out.display()))?;
        let copy = out.join(format!("{}.tar", image.reference.replace(':', "-")));
        fs::copy(&archive, &copy).with_context(|| format!("could not write `{}`", copy.display()))?;
        archive = copy;
    }
    say::line(format_args!("{} {} bytes", image.reference, image.size));
    say::line(format_args!("{}@{}", options.name(), image.digest));
    say::data(archive.display());
    Ok(())
}

impl Options {
    /// The image's name, without a registry: that of its program.
    const fn name(&self) -> &'static str {
        if self.probe { "prodtest-probe" } else { "godel" }
    }
}

/// Builds the program for this machine, statically, and packs it. The archive's name in the cache is that of its
/// content, so an archive that somebody reads is never written again.
///
/// # Errors
/// When it cannot be built, does not treat faults as it should, or cannot be written.
pub fn build(options: &Options) -> Result<Image> {
    let suffix = if options.faults { "-faults" } else { "" };
    let tag = format!("{}{suffix}", options.tag.as_deref().unwrap_or(repo::VERSION));
    ensure!(oci::is_tag(&tag), "`{tag}` is no tag: letters, digits, `_`, `.` and `-`, 128 at most");
    let images = env::cache()?.join("images");
    fs::create_dir_all(&images).with_context(|| format!("could not make `{}`", images.display()))?;
    // Both kinds of image have their program at the same place in cargo's target folder.
    let lock = File::create(images.join(".lock")).context("could not make a lock file")?;
    lock.lock().context("could not lock")?;

    let name = options.name();
    let program = compile(options)?;
    let program = fs::read(&program).with_context(|| format!("could not read `{}`", program.display()))?;
    let revision = revision();
    let contents = oci::Contents {
        name,
        program: &program,
        arguments: if options.probe { &[] } else { &["--listen", "0.0.0.0:7373"] },
        port: (!options.probe).then_some(7373),
        revision: revision.as_deref(),
    };
    let packed = oci::pack(&contents, &tag)?;

    let (_, short) = packed.digest.split_at("sha256:".len());
    let archive = images.join(format!("{name}-{tag}-{}.tar", &short[..16]));
    if !archive.is_file() {
        let mut half = tempfile::Builder::new();
        let mut half = half.permissions(fs::Permissions::from_mode(0o644)).tempfile_in(&images)?;
        half.write_all(&packed.archive).context("could not write the archive")?;
        half.persist(&archive).with_context(|| format!("could not write `{}`", archive.display()))?;
    }
    Ok(Image {
        archive,
        reference: format!("{name}:{tag}"),
        digest: packed.digest,
        config_digest: packed.config_digest,
        size: packed.archive.len() as u64,
    })
}

/// The program; the service is seen to have switches for faults exactly when it should.
fn compile(options: &Options) -> Result<PathBuf> {
    let (name, faults) = (options.name(), options.faults);
    let target = dist::target_here();
    dist::install(&target)?;
    let mut cargo = sh::cargo();
    cargo.args(["build", "--locked", "--package", name, "--profile", "image", "--target", &target]);
    if faults {
        cargo.args(["--features", "faults"]);
    }
    // In place of the flags in `.cargo/config.toml`: those drop the tables for unwinding, and a handler that panics
    // must not take the other requests with it.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags()?.join("\x1f"));
    sh::run(&mut cargo)?;
    let program = sh::target()?.join(&target).join("image").join(name);
    if options.probe {
        return Ok(program);
    }

    let listed = sh::program(&program).arg("--list-faults").output().context("could not start what was built")?;
    ensure!(
        listed.status.code() == Some(if faults { 0 } else { 2 }),
        "the image {} switches for faults, and `--list-faults` says: {}",
        if faults { "must have" } else { "must not have" },
        String::from_utf8_lossy(&[listed.stdout, listed.stderr].concat()).trim()
    );
    Ok(program)
}

/// No path of this machine in the program: it would be another one elsewhere.
fn flags() -> Result<Vec<String>> {
    let cargo = env::get("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(Path::new(&env::get("HOME")?).join(".cargo")));
    let cargo = cargo.context("no place for cargo: set `CARGO_HOME` or `HOME`")?;
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    Ok(vec![remap(&cargo, "/cargo"), remap(repo::root(), "/prodtest")])
}

/// The commit it is built from; nothing, where git does not know it or there is more in the clone than was committed.
fn revision() -> Option<String> {
    let git = |arguments: &[&str]| sh::quietly(sh::program("git").args(arguments)).ok();
    let changed = git(&["status", "--porcelain"])?;
    changed.trim().is_empty().then(|| git(&["rev-parse", "HEAD"])).flatten().map(|commit| commit.trim().to_owned())
}
