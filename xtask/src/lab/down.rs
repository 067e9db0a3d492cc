//! Ends a lab, whatever state it is in, and leaves nothing of it.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use super::{cgroups, place::Lab, process, wait};
use crate::say;

/// Ends it. That there is none is no error.
///
/// # Errors
/// When something of it cannot be removed.
pub fn down(lab: &Lab) -> Result<()> {
    let _lock = lab.lock()?;
    let was = lab.folder.exists() || !process::of_lab(lab).is_empty();
    end(lab)?;
    say::line(if was { format!("lab `{}` is down", lab.name) } else { format!("there was no lab `{}`", lab.name) });
    Ok(())
}

/// Processes first: with a machine's first one go its others, its mounts and its network. Then what outlives them.
pub(super) fn end(lab: &Lab) -> Result<()> {
    let (mut looks_without, mut ended) = (0, Vec::new());
    wait::until_done("the end of the lab's processes", Duration::from_secs(30), || {
        let left = process::of_lab(lab);
        // Twice nothing: one that was just becoming another program is not seen.
        looks_without = if left.is_empty() { looks_without + 1 } else { 0 };
        for (pid, _) in &left {
            process::signal(*pid, Signal::KILL)?;
            ended.push(*pid);
        }
        ended.retain(|pid| process::is_running(*pid));
        anyhow::ensure!(looks_without > 1 && ended.is_empty(), "{} are still there", left.len().max(ended.len()));
        Ok(())
    })?;
    cgroups::remove(lab, None)?;
    if lab.folder.exists() {
        fs::remove_dir_all(&lab.folder).with_context(|| format!("could not remove `{}`", lab.folder.display()))?;
    }
    Ok(())
}
