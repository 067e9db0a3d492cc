//! `prodtest-precheck`: may we deploy at all?

mod checks;
mod flags;
mod gate;
mod pull;
mod room;
mod section;
mod shared;
mod site;
mod store;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Helm is started through this program itself, so that it ends when the gate does.
    match prodtest_rollout::helm::launch::run_if_asked(std::env::args_os()) {
        Some(code) => code,
        None => prodtest_cli::main::<gate::Precheck>(),
    }
}
