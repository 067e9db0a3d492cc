//! A steady probe: what users notice of a rollout.
