//! The probe against real servers on loopback, each of which follows a script and counts what it did.

// Under `cfg(test)`, so that the lints know helpers for tests where they see them.
#[cfg(test)]
mod changes;
#[cfg(test)]
mod counts;
#[cfg(test)]
mod server;
