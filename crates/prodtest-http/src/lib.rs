//! The HTTP client of the gates: TLS with ring, connect-to, bounded bodies, and every failure told apart.
//!
//! [`Client::send`] never fails: whatever happens, a refused port or a body cut short, is a fact, an [`Exchange`], which
//! becomes part of the run record and is judged there. [`inspect_certificate`] does the same for what a server presents.
//!
//! An exchange is one future that drives its own connection: nothing is spawned for it but the attempts to connect,
//! which end with it. So dropping it closes the socket, and a deadline knows which phase it struck in. Connections are
//! kept for the requests that may be sent twice, and only for those; see [`Client::send`].
//!
//! There is no HTTP/2, no proxy, no redirect, no cookie and no decompression: a gate must see what the service sent.

mod certificate;
mod client;
mod collect;
mod dial;
mod exchange;
mod explain;
mod failure;
mod inspect;
mod phase;
mod pool;
mod request;
mod tls;
mod traffic;
mod verify;
mod wire;

pub use certificate::{Certificate, CertificateFacts, CertificateProblem, CertificateProblemKind};
pub use client::{Client, ClientOptions, InvalidOptions};
pub use dial::connect_tcp;
pub use exchange::{Body, Exchange, Response};
pub use failure::{Failure, FailureKind};
pub use inspect::inspect_certificate;
pub use request::Request;
