//! `prodtest-rollback`: can we get back, how fast, and what did it cost?

mod checks;
mod controls;
mod facts;
mod flags;
mod gate;
mod observe;
mod plan;
mod resolve;
mod section;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Helm is started through this program itself, so that it ends when the gate does.
    match prodtest_rollout::helm::launch::run_if_asked(std::env::args_os()) {
        Some(code) => code,
        None => prodtest_cli::main::<gate::Rollback>(),
    }
}
