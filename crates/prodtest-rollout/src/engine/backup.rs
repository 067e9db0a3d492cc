//! Keeps what the release has in the cluster before anything is changed.

use std::path::Path;

use crate::{
    backup::{Backup, BackupError, Secrets, collect, read_file, write_file},
    helm::{History, Manifest},
};
use serde_json::Value;

use super::{
    Halt, Hold, Session, Step,
    facts::{BackupSeen, Trouble},
    secrets,
};

/// What is kept.
pub enum Objects {
    /// The objects of the newest revision, and Helm's record of it.
    OfHelm(History),
    /// These, as far as they are there: what is not is known then to be new.
    These(Vec<Value>),
}

/// Keeps it; returns the name of the backup. The gate goes on only with one, or where there is nothing to keep.
///
/// # Errors
/// When it could not be kept.
pub async fn keep(session: &mut Session<'_>, hold: &Hold, objects: Objects) -> Step<Option<String>> {
    let history = match objects {
        Objects::OfHelm(history) => history,
        Objects::These(objects) => return store(session, hold, &objects, &[]).await.map(Some),
    };
    let Some(newest) = history.newest() else { return Ok(None) };
    let release = match &newest.release {
        Ok(release) => release,
        Err(error) => return refused(session, Trouble::unmeasured(error.to_string(), None)),
    };
    let manifest = match Manifest::of(release) {
        Ok(manifest) => manifest,
        Err(error) => return refused(session, Trouble::measured("manifest", error.to_string(), None)),
    };
    let objects: Vec<Value> =
        manifest.documents.into_iter().filter(|document| !document.hook).map(|document| document.object).collect();
    // The newest revision, and the one to go back to, should Helm prune it meanwhile.
    let good = session.facts.before.as_ref().and_then(|before| before.good.as_ref()).map(|(good, _)| *good);
    let mut revisions = vec![newest.number];
    revisions.extend(good.filter(|good| *good != newest.number));
    let name = &session.plan.release;
    let helm: Vec<String> = revisions.iter().map(|revision| format!("sh.helm.release.v1.{name}.v{revision}")).collect();
    store(session, hold, &objects, &helm).await.map(Some)
}

async fn store(session: &mut Session<'_>, hold: &Hold, objects: &[Value], helm: &[String]) -> Step<String> {
    let name = &session.plan.release;
    let keeping = async {
        let backup = collect(&hold.cluster, session.plan.namespace(), name, objects, helm).await?;
        let (kept_as, place) = match &session.plan.backup_dir {
            Some(folder) => {
                let path = write_file(folder, &backup)?;
                (path.display().to_string(), "a file".to_owned())
            }
            None => {
                let secrets = Secrets::new(&hold.cluster, session.plan.namespace(), name);
                (secrets.write(&backup).await?, format!("a Secret in `{}`", session.plan.namespace()))
            }
        };
        Ok::<_, BackupError>((backup, kept_as, place))
    };
    match session.run.unless_stopped(keeping).await? {
        Ok((backup, kept_as, place)) => {
            for secret in backup.objects.iter().filter(|object| object["kind"] == "Secret") {
                secrets::keep(session, secret);
            }
            session.facts.backup = Some(Ok(BackupSeen {
                name: kept_as.clone(),
                place,
                objects: backup.objects.len(),
                missing: backup.missing.iter().map(ToString::to_string).collect(),
            }));
            Ok(kept_as)
        }
        Err(error) => {
            let (message, hint) = (error.to_string(), error.hint());
            let trouble = match error {
                BackupError::Cluster(_) => Trouble::unmeasured(message, hint),
                BackupError::Unwritable { .. } => Trouble::measured("unwritable", message, hint),
                BackupError::NoObject(_) | BackupError::Damaged { .. } => Trouble::measured("object", message, hint),
            };
            refused(session, trouble)
        }
    }
}

fn refused<T>(session: &mut Session<'_>, trouble: Trouble) -> Step<T> {
    session.facts.backup = Some(Err(trouble));
    Err(Halt::Told)
}

/// The backup that the journal names: a file where it was kept in a folder, else a Secret.
///
/// # Errors
/// When it names none, or that cannot be read.
pub async fn kept(session: &Session<'_>, hold: &Hold) -> Result<Backup, Trouble> {
    let Some(name) = hold.kept.journal.as_ref().and_then(|journal| journal.backup.clone()) else {
        return Err(Trouble::unmeasured("the journal names no backup to go back to", None));
    };
    let read = if name.contains('/') {
        read_file(Path::new(&name))
    } else {
        Secrets::new(&hold.cluster, session.plan.namespace(), &session.plan.release).read(Some(&name)).await
    };
    read.map_err(|error| trouble_of(&error))
}

/// What went wrong with a backup that is to be put back.
pub(super) fn trouble_of(error: &BackupError) -> Trouble {
    let (message, hint) = (error.to_string(), error.hint());
    match error {
        BackupError::Cluster(_) => Trouble::unmeasured(message, hint),
        _ => Trouble::measured("backup", message, hint),
    }
}
