//! What no single crate can test: end to end, faults, platforms.
