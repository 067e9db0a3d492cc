//! The client against real servers on loopback, each of which follows a script.

// Under `cfg(test)`, so that the lints know helpers for tests where they see them.
#[cfg(test)]
mod answers;
#[cfg(test)]
mod authority;
#[cfg(test)]
mod bodies;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod handshakes;
#[cfg(test)]
mod reuse;
#[cfg(test)]
mod server;
