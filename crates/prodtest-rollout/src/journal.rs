//! What a gate wrote down in the cluster before it changed anything.
