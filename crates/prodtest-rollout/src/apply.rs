//! Objects put into the cluster by server-side apply.
