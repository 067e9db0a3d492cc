//! Helm: its releases as the cluster keeps them, and its program.
