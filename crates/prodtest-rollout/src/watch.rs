//! What the cluster makes of a rollout: done, doomed, or neither yet.
