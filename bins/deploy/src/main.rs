//! `prodtest-deploy`: did this version land, and did no user notice?

mod checks;
mod controls;
mod flags;
mod gate;
mod observe;
mod plan;
mod resolve;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Helm is started through this program itself, so that it ends when the gate does.
    match prodtest_rollout::helm::launch::run_if_asked(std::env::args_os()) {
        Some(code) => code,
        None => prodtest_cli::main::<gate::Deploy>(),
    }
}
