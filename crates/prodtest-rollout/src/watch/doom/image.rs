//! Images that cannot be had.

use super::{DoomKind, Scene, Sign};
use crate::watch::objects::Pod;

/// What the kubelet says when it asks a registry without a login, for it has no pull secret, or not yet: its cache may be a
/// moment late (`pkg/kubelet/kubelet_pods.go`).
const WITHOUT_LOGIN: &str = "Unable to retrieve some image pull secrets";

/// A sign for each container whose image is not there.
pub(super) fn signs(scene: &Scene<'_>, pod: &Pod) -> Vec<Sign> {
    let mut signs = Vec::new();
    let without_login = scene.about(&pod.metadata.uid).any(|event| event.message.starts_with(WITHOUT_LOGIN));
    for (status, _) in pod.all_containers() {
        let Some(waiting) = &status.state.waiting else { continue };
        let mut hidden = false;
        let (kind, message) = match waiting.reason.as_str() {
            "InvalidImageName" => (DoomKind::ImageName, waiting.message.clone()),
            "ErrImageNeverPull" => (DoomKind::ImageNotFound, waiting.message.clone()),
            "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" | "SignatureValidationFailed" => {
                let told = |text: &str| text.contains(": ") && kind(text) != DoomKind::ImagePull;
                let pulls = scene.about(&pod.metadata.uid).rev().find(|event| {
                    event.container() == Some(&status.name) && event.message.starts_with("Failed to pull image")
                });
                // Only the newer kubelets tell the cause while they wait.
                let message = match pulls {
                    Some(event) if !told(&waiting.message) => &event.message,
                    _ => &waiting.message,
                };
                hidden = message.starts_with("Back-off pulling image") && !message.contains(": ");
                let kind = match kind(message) {
                    // Nobody has refused the login.
                    DoomKind::ImageRefused if without_login => DoomKind::ImagePull,
                    kind => kind,
                };
                (kind, message.clone())
            }
            _ => continue,
        };
        let mut sign = Sign::new(kind, message).inside(&status.name);
        sign.reason = Some(waiting.reason.clone());
        sign.hidden = hidden;
        signs.push(sign);
    }
    signs
}

/// What the message of a pull means. Registries and runtimes have no codes for it, only words; those of what may pass
/// come first, for a token server that is overloaded is reported as a refusal.
fn kind(message: &str) -> DoomKind {
    const MAY_PASS: [&str; 21] = [
        "500 internal",
        "502 bad gateway",
        "503 service",
        "504 gateway",
        ": 500",
        ": 502",
        ": 503",
        ": 504",
        "429 too many",
        "too many requests",
        "toomanyrequests",
        "pull qps exceeded",
        "i/o timeout",
        "timed out",
        "timeout",
        "connection re",
        "no such host",
        "no route to host",
        "deadline exceeded",
        "temporary failure",
        "unexpected eof",
    ];
    const REFUSED: [&str; 9] = [
        "unauthorized",
        "authorization failed",
        "access denied",
        "denied:",
        "forbidden",
        "authentication required",
        "no basic auth credentials",
        "insufficient_scope",
        "failed to authorize",
    ];
    const ABSENT: [&str; 8] = [
        ": not found",
        "manifest unknown",
        "manifest_unknown",
        "name unknown",
        "name_unknown",
        "not found: manifest",
        "no match for platform",
        "does not exist",
    ];
    let words = without_names(message).to_lowercase();
    let has = |any: &[&str]| any.iter().any(|text| words.contains(text));
    if has(&MAY_PASS) {
        DoomKind::ImagePull
    } else if words.contains("invalid reference format") {
        DoomKind::ImageName
    } else if has(&REFUSED) {
        DoomKind::ImageRefused
    } else if has(&ABSENT) {
        DoomKind::ImageNotFound
    } else {
        DoomKind::ImagePull
    }
}

/// The message without what stands between quotes and without addresses: an image may be called `denied` or `503`.
fn without_names(message: &str) -> String {
    let unquoted: String = message.split('"').step_by(2).collect();
    let words: Vec<&str> = unquoted.split(' ').map(|word| if word.contains("://") { ":" } else { word }).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_registries_and_runtimes_are_told_apart() {
        for (message, expected) in [
            (r#"failed to resolve reference "r/a:b": r/a:b: not found"#, DoomKind::ImageNotFound),
            (
                r#"failed to pull and unpack image "r/a:b": no match for platform in manifest: not found"#,
                DoomKind::ImageNotFound,
            ),
            ("manifest for r/a:b not found: manifest unknown: manifest unknown", DoomKind::ImageNotFound),
            (
                "unexpected status from HEAD request to https://r/v2/a/manifests/b: 403 Forbidden",
                DoomKind::ImageRefused,
            ),
            ("pull access denied, repository does not exist or may require authorization", DoomKind::ImageRefused),
            ("pulling from host r failed with status code [manifests none]: 401 Unauthorized", DoomKind::ImageRefused),
            (
                "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to \
                 https://auth/token: 503 Service Unavailable",
                DoomKind::ImagePull,
            ),
            ("failed to do request: Head \"https://r/v2/a\": dial tcp 10.0.0.1:443: i/o timeout", DoomKind::ImagePull),
            ("dial tcp: lookup r on 10.96.0.10:53: no such host", DoomKind::ImagePull),
            ("toomanyrequests: You have reached your pull rate limit", DoomKind::ImagePull),
            (r#"failed to resolve reference "r/timeout:503": r/x: not found"#, DoomKind::ImageNotFound),
            ("something that nobody has seen", DoomKind::ImagePull),
        ] {
            assert_eq!(kind(message), expected, "{message}");
        }
    }
}
