//! Who holds a release.

use std::fmt;

/// A run of a gate, as a Lease names its holder: `deploy/0f3a…@https://ci.example/runs/7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The gate.
    pub gate: String,
    /// The run; no two runs have the same.
    pub run: String,
    /// Where it runs: the address of a CI run, or the name of a host.
    pub at: Option<String>,
}

impl Holder {
    /// A new run of this gate.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(gate: &str, at: Option<String>) -> Result<Self, getrandom::Error> {
        let run = format!("{:016x}", getrandom::u64()?);
        Ok(Self { gate: gate.to_owned(), run, at: at.filter(|at| !at.is_empty()) })
    }

    /// The holder that a Lease names. One that no gate wrote is taken for the name of a run.
    #[must_use]
    pub fn parse(identity: &str) -> Self {
        let (who, at) = match identity.split_once('@') {
            Some((who, at)) => (who, Some(at.to_owned())),
            None => (identity, None),
        };
        let (gate, run) = who.split_once('/').unwrap_or(("", who));
        Self { gate: gate.to_owned(), run: run.to_owned(), at }
    }

    /// As a Lease names it.
    #[must_use]
    pub fn identity(&self) -> String {
        let at = self.at.as_ref().map(|at| format!("@{at}")).unwrap_or_default();
        format!("{}/{}{at}", self.gate, self.run)
    }
}

/// For people: `run 0f3a… of deploy, at https://ci.example/runs/7`.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { gate, run, at } = self;
        write!(f, "run `{run}`")?;
        if !gate.is_empty() {
            write!(f, " of {gate}")?;
        }
        at.as_ref().map_or(Ok(()), |at| write!(f, ", at {at}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_holder_is_read_as_it_was_written(
            gate in "[a-z]{1,10}",
            run in "[0-9a-f]{1,16}",
            at in proptest::option::of("[ -~]{1,40}"),
        ) {
            let holder = Holder { gate, run, at };
            prop_assert_eq!(Holder::parse(&holder.identity()), holder);
        }
    }

    #[test]
    fn what_somebody_else_wrote_is_shown_as_it_is() {
        assert_eq!(Holder::parse("alice").to_string(), "run `alice`");
    }

    #[test]
    fn no_two_runs_are_the_same() {
        let run = || Holder::new("deploy", Some(String::new())).unwrap();
        assert_ne!(run().run, run().run);
        assert_eq!(run().at, None, "an empty place is none");
    }
}
