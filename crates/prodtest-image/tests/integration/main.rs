//! The client of registries against servers on loopback that do what no real one does on demand; building with stand-ins
//! for the programs that build.

// Under `cfg(test)`, so that the lints know helpers for tests where they see them.
#[cfg(test)]
mod answers;
#[cfg(test)]
mod broken;
#[cfg(test)]
mod build;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod stub;
