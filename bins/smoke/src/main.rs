//! `prodtest-smoke`: does it do its job for a user?

mod assert;
mod certificate;
mod command;
mod control;
mod expect;
mod facts;
#[cfg(test)]
mod fixture;
mod gate;
mod judge;
mod junit;
mod load;
mod observe;
mod plan;
mod scenario;
mod secrets;
mod section;
mod suite;
mod template;

use std::process::ExitCode;

fn main() -> ExitCode {
    prodtest_cli::main::<gate::Smoke>()
}
