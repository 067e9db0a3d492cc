//! Reads the live objects of a release.

use jiff::Timestamp;
use prodtest_kube::Cluster;
use serde_json::Value;

use super::{Backup, BackupError, clean, pack::SCHEMA};
use crate::apply::{Applier, Reference};

/// Reads these objects as they are now. `rendered` are the objects of the release, as its chart renders them, without
/// hooks; `helm` the names of the Secrets in which Helm keeps it.
///
/// # Errors
/// When an object does not say what it is, or the cluster does not say what it has.
pub async fn collect(
    cluster: &Cluster,
    namespace: &str,
    release: &str,
    rendered: &[Value],
    helm: &[String],
) -> Result<Backup, BackupError> {
    let applier = Applier::new(cluster, namespace);
    let mut backup = Backup {
        schema: SCHEMA,
        release: release.to_owned(),
        namespace: namespace.to_owned(),
        made: Timestamp::now(),
        objects: Vec::new(),
        missing: Vec::new(),
        helm: Vec::new(),
    };
    for object in rendered {
        let reference = Reference::of(object)?;
        match applier.get(&reference).await? {
            Some(live) => backup.objects.push(clean(&live)),
            None => backup.missing.push(reference),
        }
    }
    for name in helm {
        let (api_version, kind) = ("v1".to_owned(), "Secret".to_owned());
        let secret = Reference { api_version, kind, namespace: None, name: name.clone() };
        match applier.get(&secret).await? {
            Some(live) => backup.helm.push(clean(&live)),
            None => backup.missing.push(secret),
        }
    }
    Ok(backup)
}
