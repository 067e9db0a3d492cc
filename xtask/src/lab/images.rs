//! The images that nodes have from the beginning.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use super::{machine::Machine, node, place::Lab};
use crate::{
    image::oci::{Contents, pack},
    tools,
};

/// What holds a pod's namespaces open.
pub(super) const PAUSE: &str = "docker.io/library/pause:1";

const PAUSE_ARCHIVE: &str = "pause.tar";

/// Archives that every node loads when it boots: the sandbox's, and what `lab load` was given.
pub(super) fn preloaded(lab: &Lab) -> Result<Vec<PathBuf>> {
    let mut archives = vec![lab.folder.join(PAUSE_ARCHIVE)];
    let kept = lab.folder.join("images");
    let mut loaded: Vec<PathBuf> =
        fs::read_dir(kept).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    loaded.sort();
    archives.append(&mut loaded);
    Ok(archives)
}

/// Makes the sandbox's, of the program that is also the first of every machine.
pub(super) fn make_pause(lab: &Lab) -> Result<()> {
    let program = fs::read(tools::need("pause")?).context("could not read `pause`")?;
    let contents = Contents { name: "pause", program: &program, arguments: &[], port: None, revision: None };
    fs::write(lab.folder.join(PAUSE_ARCHIVE), pack(&contents, "1")?.archive).context("could not write an archive")
}

/// Loads an archive into all nodes that run, and keeps it for those that will.
///
/// # Errors
/// When it is no archive of images.
pub fn load(lab: &Lab, archive: &Path) -> Result<()> {
    let settings = lab.running()?;
    let archive = std::path::absolute(archive).context("no path")?;
    ensure!(archive.is_file(), "`{}` is no file", archive.display());
    for number in 1..=settings.nodes {
        let machine = Machine::node(lab, number);
        if machine.is_running() {
            node::import(&machine, &archive)?;
        }
    }
    let name = archive.file_name().context("a file without a name")?;
    let kept = lab.folder.join("images");
    fs::create_dir_all(&kept).context("could not make a folder")?;
    fs::copy(&archive, kept.join(name)).context("could not keep the archive")?;
    Ok(())
}
