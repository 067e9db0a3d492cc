//! What runs: the digest of every ready pod.
