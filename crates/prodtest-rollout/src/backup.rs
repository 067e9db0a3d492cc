//! All objects of a release, kept so that they can be put back.
