//! The cluster's API: where it is, who asks, and every failure told apart.
//!
//! A thin client on [`kube`]. [`Server::find`] reads the kubeconfig as kubectl does, and says what is wrong with it;
//! nothing is asked yet. [`Cluster::connect`] gets the credentials, from a plugin if need be; then each call is one
//! request with a deadline. A [`ClusterError`] says what was asked of which server, what came back, and what to do.
//!
//! The library reads the variables that kubectl reads (`KUBECONFIG`, `HOME`, `HTTPS_PROXY`, in a pod
//! `KUBERNETES_SERVICE_HOST`); this crate reads none. Values of Secrets are in no error.
//!
//! An [`Amount`] is a quantity as Kubernetes writes it.

mod access;
mod amount;
mod cluster;
mod error;
mod explain;

pub use access::{Access, NoServer, Server};
pub use amount::Amount;
pub use cluster::{Call, Cluster};
pub use error::{ClusterError, Problem};
pub use explain::problem;
pub use kube;
