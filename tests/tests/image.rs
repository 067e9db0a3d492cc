//! The image of the reference service, held against a tool that others wrote.

#[path = "../platforms/common.rs"]
#[expect(dead_code, reason = "shared with the tests of platforms; each uses a part")]
mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use common::{alone, said, tool};
use prodtest_testkit::has_namespaces;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use xtask::image::{Image, Options, build};

fn image(faults: bool) -> Image {
    build(&Options { faults, ..Options::default() }).expect("an image")
}

fn done(command: &mut Command) -> Output {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    output
}

fn inspect(skopeo: &Path, arguments: &[&str], image: &Image) -> Vec<u8> {
    let archive = format!("oci-archive:{}", image.archive.display());
    done(Command::new(skopeo).arg("inspect").args(arguments).arg(archive)).stdout
}

fn sha256(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[test]
fn a_second_build_gives_the_same_image() {
    let [one, two] = [image(false), image(false)];
    assert_eq!((one.digest, one.config_digest), (two.digest, two.config_digest));
    assert_eq!(one.archive, two.archive, "named by its content");
}

#[test]
fn others_read_what_was_written() {
    let Some(skopeo) = tool("skopeo") else { return };
    let version = env!("CARGO_PKG_VERSION");
    for (faults, reference) in [(false, format!("godel:{version}")), (true, format!("godel:{version}-faults"))] {
        let image = image(faults);
        assert_eq!(image.reference, reference);
        assert_eq!(image.size, fs::metadata(&image.archive).expect("the archive").len());

        let seen: Value = serde_json::from_slice(&inspect(&skopeo, &[], &image)).expect("JSON");
        assert_eq!(seen["Digest"], image.digest);
        assert_eq!((&seen["Os"], &seen["Created"]), (&json!("linux"), &json!("1970-01-01T00:00:00Z")));
        let label = |name: &str| &seen["Labels"][format!("org.opencontainers.image.{name}")];
        assert_eq!((label("title"), label("version")), (&json!("godel"), &json!(version)));
        assert_eq!(label("source"), env!("CARGO_PKG_REPOSITORY"));
        assert_eq!(label("licenses"), env!("CARGO_PKG_LICENSE"));

        let config = inspect(&skopeo, &["--config", "--raw"], &image);
        assert_eq!(sha256(&config), image.config_digest);
        let config: Value = serde_json::from_slice(&config).expect("JSON");
        let config = &config["config"];
        assert_eq!(config["User"], "65532:65532");
        assert_eq!(config["Entrypoint"], json!(["/godel"]));
        assert_eq!(config["Cmd"], json!(["--listen", "0.0.0.0:7373"]));
    }
}

/// Who is root there may change the root, and meets no network.
const ALONE: [&str; 3] = ["--user", "--map-root-user", "--net"];

/// An image's root, unpacked by others.
struct Root {
    folder: TempDir,
}

impl Root {
    fn unpack(skopeo: &Path, image: &Image) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (copy, root) = (folder.path().join("copy"), folder.path().join("root"));
        let (from, to) = (format!("oci-archive:{}", image.archive.display()), format!("dir:{}", copy.display()));
        done(Command::new(skopeo).args(["--insecure-policy", "copy", "--quiet", &from, &to]));
        let manifest = fs::read(copy.join("manifest.json")).expect("a manifest");
        assert_eq!(sha256(&manifest), image.digest, "what is pushed has the digest that was said");
        let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
        let layers = manifest["layers"].as_array().expect("layers");
        assert_eq!(layers.len(), 1);
        let layer = layers[0]["digest"].as_str().expect("a digest").replace("sha256:", "");
        fs::create_dir(&root).expect("a folder");
        done(Command::new("tar").arg("-xpzf").arg(copy.join(layer)).arg("-C").arg(&root));
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Runs it with nothing around it: what it needs and the image lacks is missed.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = alone("unshare", self.folder.path());
        command.args(ALONE).arg("chroot").arg(self.path()).arg("/godel").args(arguments);
        command.output().expect("it starts")
    }
}

#[test]
fn it_holds_the_program_and_a_folder_and_the_program_needs_no_more() {
    let (Some(skopeo), true) = (tool("skopeo"), has_namespaces(&ALONE)) else { return };
    let root = Root::unpack(&skopeo, &image(false));
    let listed = done(Command::new("find").arg(root.path()).args(["-mindepth", "1", "-printf", "%P %m\\n"]));
    let mut listed: Vec<String> = String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect();
    listed.sort();
    assert_eq!(listed, ["godel 755", "tmp 1777"]);

    let version = root.run(&["--version"]);
    assert_eq!(String::from_utf8_lossy(&version.stdout), format!("godel {}\n", env!("CARGO_PKG_VERSION")));
    let unset = root.run(&[]);
    assert!(unset.status.code() == Some(2) && said(&unset).contains("GODEL_API_KEY"), "{}", said(&unset));
}

#[test]
fn only_the_image_with_faults_can_be_broken() {
    let (Some(skopeo), true) = (tool("skopeo"), has_namespaces(&ALONE)) else { return };
    let [whole, breakable] = [false, true].map(|faults| Root::unpack(&skopeo, &image(faults)));
    let refused = whole.run(&["--fault", "stall"]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("unexpected argument '--fault'"), "{}", said(&refused));

    let listed = breakable.run(&["--list-faults"]);
    assert!(listed.status.success() && said(&listed).contains("stall"), "{}", said(&listed));
    let taken = breakable.run(&["--fault", "stall"]);
    assert!(said(&taken).contains("GODEL_API_KEY"), "it got as far as its settings: {}", said(&taken));
}

#[test]
fn no_path_of_this_machine_is_in_it() {
    let Some(skopeo) = tool("skopeo") else { return };
    let program = fs::read(Root::unpack(&skopeo, &image(true)).path().join("godel")).expect("the program");
    let home = xtask::env::get("HOME").expect("a home").to_string_lossy().into_owned();
    for path in [xtask::repo::root().display().to_string(), format!("{home}/.cargo")] {
        let found = program.windows(path.len()).any(|window| window == path.as_bytes());
        assert!(!found, "{path}");
    }
    assert!(program.windows(6).any(|window| window == b"/cargo"), "this looks in the wrong place");
}
