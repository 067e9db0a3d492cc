//! `prodtest.yaml`: environments, a section for each gate, secrets by reference, waivers.
//!
//! A file becomes a tree in which every value knows its place ([`Node`]); trees are merged, and read by serde as the
//! types of this crate and of the gates. Every error names the line, and what to write instead ([`ConfigError`]).
//!
//! This crate reads the files it is told to read and nothing else: the environment comes by a closure, and nothing is
//! printed. It knows no gate but by name; a gate brings the type of its own section.

mod address;
mod environments;
mod error;
mod files;
mod hostport;
mod kubernetes;
mod load;
mod located;
mod model;
mod nearest;
mod node;
mod parse;
mod path;
mod period;
mod read;
mod release;
mod render;
mod schema;
mod secret;
mod secrets;
mod source;
mod waivers;

pub use address::{BaseUrl, HeaderName, InvalidBaseUrl, InvalidHeaderName};
pub use error::ConfigError;
pub use files::files;
pub use hostport::{HostPort, InvalidHostPort};
pub use kubernetes::{InvalidNamespace, Kubernetes, Namespace};
pub use load::Config;
pub use located::Located;
pub use model::{DEFAULT_IDENTITY, Environment, GATES, Identity, Tls};
pub use nearest::{listed, nearest};
pub use node::Node;
pub use path::{FileOrUrl, FilePath, is_url};
pub use period::{InvalidPeriod, Period};
pub use release::{Chart, Image, InvalidReleaseName, InvalidValuesKey, Login, ReleaseName, ValuesKey};
pub use schema::schema;
pub use secret::{InCluster, SecretRef};
pub use secrets::Secrets;
pub use source::{MAX_FILE_BYTES, Source, label};
