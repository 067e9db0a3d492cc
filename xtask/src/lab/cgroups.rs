//! The cgroups of nodes: one a node, under one a lab, of which all its pods' are children.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use super::{place::Lab, wait};

const ROOT: &str = "/sys/fs/cgroup";

/// Whether there is one hierarchy (version 2) or one for each controller.
fn unified() -> bool {
    Path::new(ROOT).join("cgroup.controllers").exists()
}

/// Where the lab's groups are: one place in version 2, one for each hierarchy in version 1.
fn places(lab: &Lab) -> Vec<PathBuf> {
    if unified() {
        return vec![Path::new(ROOT).join(lab.cgroup())];
    }
    let hierarchies = fs::read_dir(ROOT).into_iter().flatten().flatten().map(|entry| entry.path());
    let hierarchies = hierarchies.filter(|hierarchy| hierarchy.join("cgroup.procs").exists());
    hierarchies.map(|hierarchy| hierarchy.join(lab.cgroup())).collect()
}

/// Makes the group of a node.
pub(super) fn make(lab: &Lab, node: &str) -> Result<()> {
    for place in places(lab) {
        // Beside version 1, version 2 controls nothing; the kubelet makes groups in it all the same.
        if !unified() && place.parent().is_some_and(|hierarchy| hierarchy.ends_with("unified")) {
            continue;
        }
        let group = place.join(node);
        fs::create_dir_all(&group).with_context(|| format!("could not make the cgroup `{}`", group.display()))?;
        let above = place.parent().unwrap_or(Path::new(ROOT));
        if unified() {
            // What a group's children may control has to be said on every level above them.
            let controllers = fs::read_to_string(above.join("cgroup.controllers")).unwrap_or_default();
            for controller in controllers.split_whitespace() {
                for level in [above, &place] {
                    let _ = fs::write(level.join("cgroup.subtree_control"), format!("+{controller}"));
                }
            }
            let given = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
            for needed in ["cpu", "memory", "pids"] {
                ensure!(
                    given.split_whitespace().any(|controller| controller == needed),
                    "the cgroup `{}` cannot have the controller `{needed}`\n  hint: in a container, processes that are in \
                     its own root group keep it from having children that are controlled",
                    group.display()
                );
            }
            continue;
        }
        // A new group of version 1 has no processor until it is given some.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let Ok(all) = fs::read_to_string(above.join(file)) else { continue };
            for level in [&place, &group] {
                fs::write(level.join(file), all.trim()).with_context(|| format!("could not write `{file}`"))?;
            }
        }
    }
    Ok(())
}

/// Removes the group of a node, or all of the lab's. Their processes have been ended; the kernel takes a moment to
/// notice.
pub(super) fn remove(lab: &Lab, node: Option<&str>) -> Result<()> {
    for place in places(lab) {
        let group = node.map_or_else(|| place.clone(), |node| place.join(node));
        wait::until_done(&format!("the end of the cgroup `{}`", group.display()), Duration::from_secs(20), || {
            if group.exists() { remove_below(&group) } else { Ok(()) }
        })?;
    }
    Ok(())
}

fn remove_below(group: &Path) -> Result<()> {
    for entry in fs::read_dir(group)?.flatten() {
        if entry.path().is_dir() {
            remove_below(&entry.path())?;
        }
    }
    fs::remove_dir(group).with_context(|| format!("`{}` cannot be removed", group.display()))
}
