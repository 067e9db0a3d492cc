//! References by example.

use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn parsed(text: &str) -> Reference {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn refused(text: &str) -> InvalidReference {
    text.parse::<Reference>().expect_err(text)
}

#[test]
fn short_names_are_docker_hubs() {
    for (short, whole) in [
        ("nginx", "docker.io/library/nginx"),
        ("nginx:1.25", "docker.io/library/nginx:1.25"),
        ("grafana/grafana", "docker.io/grafana/grafana"),
        ("index.docker.io/nginx", "docker.io/library/nginx"),
        ("localhost/nginx", "localhost/nginx"),
        ("localhost:5000/nginx:a", "localhost:5000/nginx:a"),
        ("registry.lab:5000/godel:1", "registry.lab:5000/godel:1"),
        ("[::1]:5000/a/b", "[::1]:5000/a/b"),
        ("[::1]/a/b:c", "[::1]/a/b:c"),
    ] {
        assert_eq!(parsed(short).to_string(), whole);
        assert_eq!(parsed(whole), parsed(short), "what is printed is read again");
    }
}

#[test]
fn the_digest_goes_before_the_tag() {
    let both = parsed(&format!("ghcr.io/a/b:v1@{DIGEST}"));
    assert_eq!((both.tag(), both.asked()), (Some("v1"), DIGEST));
    assert_eq!(parsed("ghcr.io/a/b:v1").asked(), "v1");
    assert_eq!(parsed("ghcr.io/a/b").asked(), "latest");
}

#[test]
fn what_is_wrong_is_told_apart() {
    assert!(matches!(refused(""), InvalidReference::Empty(_)));
    assert!(matches!(refused(":tag"), InvalidReference::Empty(_)));
    assert!(matches!(refused("Godel"), InvalidReference::Capital(_)));
    assert!(matches!(refused("ghcr.io/a/B:c"), InvalidReference::Capital(_)));
    assert!(matches!(refused("a//b"), InvalidReference::Path(_)));
    assert!(matches!(refused("ghcr.io/a/"), InvalidReference::Path(_)));
    assert!(matches!(refused("a___b"), InvalidReference::Path(_)));
    assert!(matches!(refused("a.-b"), InvalidReference::Path(_)));
    assert!(matches!(refused("a b"), InvalidReference::Path(_)));
    assert!(matches!(refused("https://ghcr.io/a"), InvalidReference::Registry(_)));
    assert!(matches!(refused("ghcr.io:0/a"), InvalidReference::Registry(_)));
    assert!(matches!(refused("-a.b/c"), InvalidReference::Registry(_)));
    assert!(matches!(refused("user@ghcr.io/a"), InvalidReference::Digest(_)));
    assert!(matches!(refused("a:b@sha256:12"), InvalidReference::Digest(_)));
    assert!(matches!(refused(&DIGEST["sha256:".len()..]), InvalidReference::Id(_)));
    assert!(matches!(refused(&format!("ghcr.io/{}", "a".repeat(256))), InvalidReference::TooLong(256)));
}

#[test]
fn a_tag_is_one_of_the_specification() {
    for tag in ["1.2.3", "_a", "v1.2.3-4-gabc-dirty", &"a".repeat(128)] {
        assert_eq!(parsed(&format!("a:{tag}")).tag(), Some(tag));
    }
    for tag in ["", ".a", "-a", "1.2.3+build", "a:b", "ü", &"a".repeat(129)] {
        assert!(matches!(refused(&format!("a:{tag}")), InvalidReference::Tag(_)), "{tag}");
    }
}

#[test]
fn a_pinned_image_has_no_tag() {
    let digest: Digest = DIGEST.parse().unwrap();
    assert_eq!(parsed("ghcr.io/a/b:v1").pinned(&digest).to_string(), format!("ghcr.io/a/b@{DIGEST}"));
    assert_eq!(parsed("a").with_tag("x").unwrap().to_string(), "docker.io/library/a:x");
    assert!(parsed("a").with_tag("x y").is_err());
}

#[test]
fn in_json_it_is_a_text() {
    let json = serde_json::to_string(&parsed("a/b:c")).unwrap();
    assert_eq!(json, "\"docker.io/a/b:c\"");
    assert_eq!(serde_json::from_str::<Reference>(&json).unwrap(), parsed("a/b:c"));
    assert!(serde_json::from_str::<Reference>("\"A\"").unwrap_err().to_string().contains("lower case"));
}
