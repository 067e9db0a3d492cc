//! `prodtest-deploy restore`: puts the objects of a backup back.

use std::path::{Path, PathBuf};

use crate::backup::{BackupError, RestoreFacts, Secrets, read_file, restore as put_back};

use super::{
    Session, Stage, Step,
    facts::{RestoreSeen, Trouble},
};

/// What the names of backups in files end with.
const SUFFIX: &str = "prodtest-backup";

/// Restores that backup, or the newest.
///
/// # Errors
/// When the cluster does not answer, or the gate is told to stop.
pub async fn restore(session: &mut Session<'_>, name: Option<&str>) -> Step {
    let cluster = session.connect().await?;
    session.started(Stage::Restored);
    let (plan, namespace) = (session.plan, session.plan.namespace());
    let restoring = async {
        let (kept_as, backup) = match &plan.backup_dir {
            Some(folder) => {
                let path = match name {
                    Some(name) => folder.join(name),
                    None => newest(folder, &plan.release)?,
                };
                (path.display().to_string(), read_file(&path)?)
            }
            None => {
                let backup = Secrets::new(&cluster, namespace, &plan.release).read(name).await?;
                (name.unwrap_or("the newest").to_owned(), backup)
            }
        };
        Ok::<_, BackupError>((kept_as, put_back(&cluster, &backup, namespace).await?))
    };
    let restored = session.run.unless_stopped(restoring).await?;
    session.facts.restored = Some(match restored {
        Ok((name, facts)) => Ok(seen(name, &facts)),
        Err(error) => {
            let (message, hint) = (error.to_string(), error.hint());
            Err(match error {
                BackupError::Cluster(_) => Trouble::unmeasured(message, hint),
                _ => Trouble::measured("backup", message, hint),
            })
        }
    });
    session.finished(Stage::Restored);
    Ok(())
}

/// The newest in a folder: their names end with the time.
fn newest(folder: &Path, release: &str) -> Result<PathBuf, BackupError> {
    let damaged = |why: String| BackupError::Damaged { from: folder.display().to_string(), why };
    let entries = std::fs::read_dir(folder).map_err(|error| damaged(error.to_string()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(SUFFIX) && name.contains(&format!("-{release}-"))
    });
    let time = |path: &PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        name.rsplit('-').next().map(str::to_owned)
    };
    paths.into_iter().max_by_key(time).ok_or_else(|| damaged(format!("it has no backup of `{release}`")))
}

fn seen(name: String, facts: &RestoreFacts) -> RestoreSeen {
    let refused = facts.applied.iter().filter(|one| !one.outcome.is_there());
    let refused = refused.map(|one| format!("{}: {}", one.object, one.outcome));
    let differences = facts.differences.iter().map(ToString::to_string);
    RestoreSeen { name, objects: facts.applied.len(), differences: refused.chain(differences).collect() }
}
