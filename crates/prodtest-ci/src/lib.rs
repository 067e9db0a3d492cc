//! Where a gate runs: GitHub, GitLab, Gitea or a shell, and what each of them wants to be told.
//!
//! This is the one crate that reads the process's environment, and it reads it through a lookup, so that a test is
//! never on whatever machine it runs on. What is made here is lines and small files; who prints and who writes
//! reports is decided elsewhere. None of it can change a verdict: what cannot be told to a forge comes back as a note.

mod annotation;
mod command;
mod commit;
mod dotenv;
mod environment;
mod group;
mod neutral;
mod outputs;
mod platform;
mod summary;

#[cfg(test)]
mod fixture;

pub use annotation::annotations;
pub use command::add_mask;
pub use dotenv::dotenv;
pub use environment::Environment;
pub use group::{end_group, start_group};
pub use neutral::neutralise;
pub use outputs::{append_outputs, outputs};
pub use platform::Platform;
pub use summary::append_summary;
