//! Where each program says which digest it pushed.

use serde::Deserialize;

use crate::Digest;

/// `docker push` ends with `v1: digest: sha256:… size: 1234`.
pub(super) fn of_docker_push(out: &str) -> Option<Digest> {
    let mut lines = out.lines().rev();
    lines.find_map(|line| line.split_once("digest: ")?.1.split_whitespace().next()?.parse().ok())
}

/// `docker buildx build --metadata-file` writes JSON.
pub(super) fn of_metadata(json: &str) -> Option<Digest> {
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(rename = "containerimage.digest")]
        digest: Digest,
    }
    serde_json::from_str::<Metadata>(json).ok().map(|metadata| metadata.digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_has_its_own_way_to_say_it() {
        let digest = Digest::of(b"");
        let push = format!("The push refers to repository [a/b]\n5f70: Pushed\nv1: digest: {digest} size: 528\n");
        assert_eq!(of_docker_push(&push), Some(digest.clone()));
        assert_eq!(of_docker_push("v1: digest: sha256:12 size: 1\n"), None);
        let metadata = format!(r#"{{"buildx.build.ref": "a/b", "containerimage.digest": "{digest}"}}"#);
        assert_eq!(of_metadata(&metadata), Some(digest));
        assert_eq!(of_metadata("{}"), None);
    }
}
