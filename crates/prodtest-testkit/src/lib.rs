//! What tests of gates share: a scrubbed child process, the reference service, certificates, the fault tables.
//!
//! Tests run the real binaries; nothing here stands in for a gate. [`Stub`] stands in for a service only where it must
//! do what no switch of the reference service does: break HTTP, echo keys, say what a log would take for a command.

mod binary;
mod certificates;
mod done;
mod faults;
mod gate;
mod godel;
mod http;
mod parts;
mod project;
mod stub;

pub use binary::{binary, repository};
pub use certificates::{Certificates, Flaw};
pub use done::Done;
pub use faults::{At, Fault, FaultTable, How, Specimen};
pub use gate::{GateCommand, Running};
pub use godel::{ADMIN_KEY, API_KEY, Godel, OTHER_KEY};
pub use http::{Answer, get};
pub use parts::has_namespaces;
pub use project::{KEY, Project};
pub use stub::{Asked, Stub, reply};
