//! An image: how it is built, what its tag stands for in a registry, which platforms it is for.
//!
//! A tag is a promise that anybody with a login may change; a digest is the thing itself. So a [`Reference`] is
//! resolved once ([`Registry::resolve`]), and from then on only its digest counts. The registry is an instrument: what
//! it answers clearly ("no such tag", "not for you") is measured, everything else ([`Class::is_measured`]) proves
//! nothing of the image.

mod build;
mod digest;
mod facts;
mod platform;
mod reference;
mod registry;
mod version;

pub use build::{Build, BuildError, Built, Program, build_and_push};
pub use digest::{Digest, InvalidDigest};
pub use facts::{ImageFacts, Standing, Unresolved};
pub use platform::{InvalidPlatform, Platform, platform_fits};
pub use reference::{InvalidReference, Reference};
pub use registry::{
    CONTROL_TAG, Class, InvalidLogin, Login, PlatformImage, Problem, Registry, RegistryError, RegistryOptions, Resolved,
};
pub use version::{InvalidTag, Version, VersionError, tag_of, version_of};
