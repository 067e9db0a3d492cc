//! What tests of gates share: a scrubbed child process, the reference service, certificates, the fault tables.
//!
//! Tests run the real binaries; nothing here stands in for a gate or for the service.

mod binary;
mod certificates;
mod faults;
mod gate;
mod godel;

pub use binary::{binary, repository};
pub use certificates::{Certificates, Flaw};
pub use faults::{Fault, FaultTable, How};
pub use gate::{Done, GateCommand, Running};
pub use godel::{ADMIN_KEY, API_KEY, Godel, OTHER_KEY};
