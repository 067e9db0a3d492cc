//! The rules, on objects as a real cluster had them, on generated ones, and the watch against a server that misbehaves.

mod diagnosed;
mod dooms;
mod followed;
mod generated;
mod hearing;
mod judged;
mod progressed;
mod server;

use super::*;

/// What a cluster of Kubernetes 1.35 had, as `kubectl get --output json` gives it.
fn state(fixture: &str) -> State {
    let list: serde_json::Value = serde_json::from_str(fixture).unwrap();
    let mut state = State::default();
    list["items"].as_array().unwrap().iter().for_each(|object| state.take(object));
    assert!(state.unreadable.is_empty(), "{:?}", state.unreadable);
    state
}

/// A rollout of these workloads, into an empty namespace.
fn tracker(workloads: &[Subject]) -> Tracker {
    let aim = Aim { workloads: workloads.to_vec(), hooks: Vec::new() };
    Tracker::new(aim, Noted::default(), Patience::default())
}
