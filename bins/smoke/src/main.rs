//! `prodtest-smoke`: does it do its job for a user?

mod assert;
mod certificate;
mod control;
mod expect;
mod facts;
mod gate;
mod judge;
mod load;
mod observe;
mod plan;
mod scenario;
mod section;
mod suite;
mod template;

use std::process::ExitCode;

// musl's own allocator is slow when many requests are under way.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    prodtest_cli::main::<gate::Smoke>()
}
