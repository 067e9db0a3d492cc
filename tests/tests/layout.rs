//! The rules of the rooms: who may depend on whom, and what must stand beside what.

#[path = "../platforms/metadata.rs"]
#[expect(dead_code, reason = "shared with the tests of the platforms; each uses a part")]
mod metadata;

use std::{collections::HashMap, fs};

use metadata::{Metadata, Package};
use prodtest_testkit::{binary, repository};
use xtask::{describe, repo};

/// A file longer than this has more than one idea in it.
const LINES: usize = 800;

/// The packages of ours that `package` depends on, and the room each is in.
fn ours<'a>(metadata: &'a Metadata, package: &'a Package) -> Vec<(&'a str, String)> {
    let rooms: HashMap<&str, String> = metadata.ours().map(|one| (one.name.as_str(), one.room())).collect();
    let names = package.dependencies.iter().map(|dependency| dependency.name.as_str());
    names.filter_map(|name| rooms.get(name).map(|room| (name, room.clone()))).collect()
}

#[test]
fn nothing_depends_on_a_bin() {
    let metadata = Metadata::load();
    for package in metadata.ours() {
        for (name, room) in ours(&metadata, package) {
            assert_ne!(room, "bins", "{} depends on the bin {name}", package.name);
        }
    }
}

#[test]
fn bins_and_crates_depend_on_crates_alone() {
    let metadata = Metadata::load();
    for package in metadata.ours().filter(|package| ["bins", "crates"].contains(&package.room().as_str())) {
        for (name, room) in ours(&metadata, package) {
            assert_eq!(room, "crates", "{} depends on {name}", package.name);
        }
    }
}

#[test]
fn what_a_gate_is_depends_on_none_of_ours() {
    let metadata = Metadata::load();
    let gate = metadata.ours().find(|package| package.name == "prodtest-gate").expect("the package");
    assert!(ours(&metadata, gate).is_empty());
}

#[test]
fn the_reference_service_shares_no_code_with_the_gates() {
    let metadata = Metadata::load();
    let godel = metadata.ours().find(|package| package.name == "godel").expect("the package");
    assert!(ours(&metadata, godel).is_empty(), "a defect they share would be seen by nobody");
}

#[test]
fn libraries_know_neither_the_command_line_nor_anyhow() {
    let metadata = Metadata::load();
    for package in metadata.ours().filter(|package| package.room() == "crates" && package.name != "prodtest-cli") {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.kind.is_none()) {
            assert!(!["clap", "anyhow"].contains(&dependency.name.as_str()), "{}: {}", package.name, dependency.name);
        }
    }
}

#[test]
fn a_package_is_called_as_its_folder() {
    let metadata = Metadata::load();
    for package in metadata.ours() {
        let folder = package.folder();
        let folder = folder.file_name().expect("a name").to_string_lossy();
        match package.room().as_str() {
            "bins" => assert_eq!(package.name, format!("prodtest-{folder}")),
            "crates" => assert_eq!(package.name, folder),
            _ => {}
        }
    }
}

#[test]
fn there_is_one_tls_provider() {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).expect("Cargo.lock");
    for banned in ["aws-lc-rs", "aws-lc-sys", "openssl", "openssl-sys", "native-tls"] {
        assert!(!lock.contains(&format!("name = \"{banned}\"\n")), "{banned} is in Cargo.lock");
    }
    assert!(lock.contains("name = \"ring\"\n"), "this looks in the wrong place");
}

#[test]
fn every_check_has_its_page() {
    for gate in describe::GATES {
        let program = binary(&describe::program(gate));
        let described = describe::ask(gate, program.parent().expect("a folder")).expect("what it says of itself");
        assert!(!described.checks.is_empty(), "{gate} has no check");
        for check in described.checks {
            let page = repository().join(format!("docs/checks/{}.md", check.id));
            assert!(page.is_file(), "no {}: cargo xtask generate", page.display());
        }
    }
}

#[test]
fn no_file_has_more_than_one_idea() {
    let files = repo::files().expect("the files of the repository");
    let written = |name: &str| name != "Cargo.lock" && !name.ends_with(".json") && !name.ends_with(".snap");
    for file in files.iter().filter(|file| written(&file.to_string_lossy())) {
        // What is not text has no lines.
        let Ok(text) = fs::read_to_string(repository().join(file)) else { continue };
        let lines = text.lines().count();
        assert!(lines <= LINES, "{} has {lines} lines", file.display());
    }
}
