//! `prodtest-verify`: is what runs there healthy, and shaped as required?

mod checks;
mod flags;
mod gate;
mod greeting;
mod live;
mod outside;
mod pattern;
mod section;
mod site;

use std::process::ExitCode;

fn main() -> ExitCode {
    prodtest_cli::main::<gate::Verify>()
}
