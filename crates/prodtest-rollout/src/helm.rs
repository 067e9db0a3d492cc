//! Helm: its releases as the cluster keeps them, and its program.
//!
//! What was deployed is read from Helm's own record in the cluster ([`History`]), without Helm: it is there when the
//! program is not, and has the templates and values that no command prints whole. What changes a release is the program
//! ([`Helm`]), version 3 or 4. Which revision to go back to ([`choose`]) and what the manifest holds ([`Manifest`]) are
//! pure.

mod choose;
mod explain;
pub mod launch;
mod manifest;
mod program;
mod release;
mod running;

pub use choose::{Choice, NoChoice, Recorded, Why, choose};
pub use explain::{HelmProblem, explain};
pub use manifest::{BadDocument, Document, Manifest, Unread};
pub use program::{Helm, HelmVersion, NoHelm, Target, Upgrade, ValuesMode, as_path, values_of};
pub use release::{Chart, History, Hook, Release, Revision, Status, Template, Undecodable, change_rules, rules};
pub use running::{Ended, Running};
