//! The command line that all gates share: flags, progress, signals, reports on every way out, and the exit code.
//!
//! A gate implements [`CommandLine`] and its `main` calls [`main`]. This is the one crate that prints and that knows
//! clap.

mod change;
mod cluster;
mod conclude;
mod describe;
mod drive;
mod finish;
mod flags;
mod gate;
mod output;
mod progress;
mod publish;
mod release;
mod replay;
mod selection;
mod stop;
mod write;

pub use change::ChangeFlags;
pub use cluster::{ClusterFlags, ClusterTarget};
pub use drive::main;
pub use flags::Common;
pub use gate::{CommandLine, Input, Refusal, Variable};
pub use release::ReleaseFlags;
pub use selection::Selection;
