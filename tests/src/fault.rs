//! Faults of the cluster and of the stores, by name. Each is healed when what injected it is dropped.

use std::str::FromStr;

use xtask::lab::{self, Lab, Machine, services};

/// What can be done to a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterFault {
    /// A managed service is asked to end: `redis-stopped`.
    Stopped(String),
    /// A managed service ends at once: `postgres-killed`.
    Killed(String),
    /// A managed service or a node is reached by nobody, and goes on: `postgres-cut-off`, `node-2-cut-off`.
    CutOff(String),
    /// A node is off: `node-2-off`.
    Off(u8),
}

impl FromStr for ClusterFault {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known =
            |service: &str| services::by_name(service).map(|_| service.to_owned()).map_err(|error| error.to_string());
        if let Some(service) = name.strip_suffix("-stopped") {
            return known(service).map(Self::Stopped);
        }
        if let Some(service) = name.strip_suffix("-killed") {
            return known(service).map(Self::Killed);
        }
        if let Some(machine) = name.strip_suffix("-cut-off") {
            return if machine.starts_with("node-") {
                Ok(Self::CutOff(machine.to_owned()))
            } else {
                known(machine).map(Self::CutOff)
            };
        }
        let node = name.strip_prefix("node-").and_then(|rest| rest.strip_suffix("-off"));
        let number = node.and_then(|number| number.parse().ok());
        number.map(Self::Off).ok_or_else(|| {
            format!("no fault `{name}`: SERVICE-stopped, SERVICE-killed, SERVICE-cut-off, node-N-cut-off, node-N-off")
        })
    }
}

/// A fault that is in force, until it is healed or dropped.
#[derive(Debug)]
pub struct Injected<'a> {
    lab: &'a Lab,
    fault: ClusterFault,
    healed: bool,
}

impl<'a> Injected<'a> {
    /// Injects the fault of this name.
    ///
    /// # Panics
    /// When there is no such fault, or the lab does not take it.
    #[must_use]
    pub fn new(lab: &'a Lab, name: &str) -> Self {
        let fault: ClusterFault = name.parse().expect("a fault");
        apply(lab, &fault, true).expect("the fault is injected");
        Self { lab, fault, healed: false }
    }

    /// Undoes it.
    ///
    /// # Panics
    /// When that cannot be done.
    pub fn heal(mut self) {
        self.healed = true;
        apply(self.lab, &self.fault, false).expect("the fault is healed");
    }
}

impl Drop for Injected<'_> {
    fn drop(&mut self) {
        if !self.healed {
            // A test that fails says why by itself.
            let _ = apply(self.lab, &self.fault, false);
        }
    }
}

fn apply(lab: &Lab, fault: &ClusterFault, inject: bool) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    match fault {
        ClusterFault::Stopped(service) | ClusterFault::Killed(service) => {
            let at_once = matches!(fault, ClusterFault::Killed(_));
            let service = services::by_name(service)?;
            if inject {
                service.stop(lab, at_once)?;
            } else {
                service.start(lab, lab.running()?.nodes)?;
                service.wait(lab)?;
            }
        }
        ClusterFault::CutOff(machine) => {
            let machine = lab::machine(lab, machine).ok_or_else(|| format!("no machine `{machine}`"))?;
            machine.cable(!inject)?;
        }
        ClusterFault::Off(number) if inject => Machine::node(lab, *number).halt()?,
        ClusterFault::Off(number) => lab::node_again(lab, *number)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_one_name() {
        let read = |name: &str| name.parse::<ClusterFault>();
        assert_eq!(read("postgres-stopped"), Ok(ClusterFault::Stopped("postgres".to_owned())));
        assert_eq!(read("redis-cut-off"), Ok(ClusterFault::CutOff("redis".to_owned())));
        assert_eq!(read("node-2-off"), Ok(ClusterFault::Off(2)));
        for bad in ["postgres", "mysql-stopped", "node-x-off", ""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
