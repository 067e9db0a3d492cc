//! What a Lease says, and whether its holder is alive. Pure.
//!
//! Clocks differ, so times written by another machine are never compared with our own: a holder is dead when its Lease
//! did not change for the Lease's own duration while we looked, as client-go's leader election has it.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};

/// What is judged of a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) holder: Option<String>,
    pub(super) renewed: Option<Timestamp>,
    pub(super) version: Option<String>,
    pub(super) duration: Duration,
}

impl Seen {
    /// `otherwise`: the duration where the Lease names none that can be.
    pub(super) fn of(lease: &Lease, otherwise: Duration) -> Self {
        let spec = lease.spec.clone().unwrap_or_default();
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        Self {
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
            renewed: spec.renew_time.map(|time| time.0),
            version: lease.metadata.resource_version.clone(),
            duration: seconds.filter(|seconds| *seconds > 0).map_or(otherwise, Duration::from_secs),
        }
    }
}

/// What is known of a holder so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Nobody holds it.
    Free,
    /// It did not change yet, and may still.
    Unknown,
    /// It changed while we looked.
    Alive,
    /// It did not change for as long as it is good for.
    Dead,
}

/// What was seen of a Lease over time. Times are those of the reader's own steady clock.
#[derive(Debug, Default)]
pub(super) struct Watched {
    last: Option<(Seen, Duration)>,
    changed: bool,
}

impl Watched {
    /// Takes in what the Lease says at `now`.
    pub(super) fn look(&mut self, seen: Seen, now: Duration) -> Life {
        if seen.holder.is_none() {
            self.last = None;
            return Life::Free;
        }
        match &self.last {
            Some((last, since)) if *last == seen => {
                if now.saturating_sub(*since) > seen.duration {
                    return Life::Dead;
                }
            }
            last => {
                // Another holder is another life.
                self.changed = last.as_ref().is_some_and(|(last, _)| last.holder == seen.holder);
                self.last = Some((seen, now));
            }
        }
        if self.changed { Life::Alive } else { Life::Unknown }
    }
}

/// The Lease as its next holder writes it, over what it was before.
pub(super) fn taken(before: Option<&Lease>, name: &str, identity: &str, duration: Duration, now: Timestamp) -> Lease {
    let old = before.and_then(|lease| lease.spec.clone()).unwrap_or_default();
    let transitions = old.lease_transitions.unwrap_or(0);
    let metadata = match before {
        Some(lease) => lease.metadata.clone(),
        None => ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some([("app.kubernetes.io/managed-by".to_owned(), "prodtest".to_owned())].into()),
            ..ObjectMeta::default()
        },
    };
    let spec = LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: Some(i32::try_from(duration.as_secs().max(1)).unwrap_or(i32::MAX)),
        acquire_time: Some(MicroTime(now)),
        renew_time: Some(MicroTime(now)),
        lease_transitions: Some(if before.is_some() { transitions.saturating_add(1) } else { 0 }),
        ..LeaseSpec::default()
    };
    Lease { metadata, spec: Some(spec) }
}

/// The same Lease, renewed.
pub(super) fn renewed(lease: &Lease, now: Timestamp) -> Lease {
    let mut lease = lease.clone();
    lease.spec.get_or_insert_default().renew_time = Some(MicroTime(now));
    lease
}

/// The same Lease, held by nobody.
pub(super) fn freed(lease: &Lease, now: Timestamp) -> Lease {
    let mut lease = renewed(lease, now);
    lease.spec.get_or_insert_default().holder_identity = None;
    lease
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DURATION: Duration = Duration::from_secs(15);

    fn seen(holder: &str, version: u32, clock: i64) -> Seen {
        let lease = taken(None, "a", holder, DURATION, Timestamp::from_second(clock).unwrap());
        let mut seen = Seen::of(&lease, DURATION);
        seen.version = Some(version.to_string());
        seen
    }

    proptest! {
        #[test]
        fn a_holder_that_renews_in_time_is_never_dead(
            // When it renews, by how much each time, and by a clock that may be anywhere and go backwards.
            renewals in proptest::collection::vec((1_u64..15_000, -1_000_000_i64..1_000_000), 1..40),
            looks in 1_u64..4000,
        ) {
            let mut watched = Watched::default();
            let (mut now, mut version) = (0_u64, 0_u32);
            for (gap, clock) in renewals {
                version += 1;
                let end = now + gap;
                while now < end {
                    let life = watched.look(seen("a/1", version, clock), Duration::from_millis(now));
                    prop_assert!(life != Life::Dead && life != Life::Free);
                    now += looks.min(end - now);
                }
            }
        }

        #[test]
        fn a_holder_that_stops_is_dead_after_the_duration_and_not_before(
            clock in -1_000_000_i64..1_000_000, at in 0_u64..1_000_000, looks in 1_u64..2000,
        ) {
            let mut watched = Watched::default();
            for after in (0..20_000).step_by(usize::try_from(looks).unwrap()) {
                let life = watched.look(seen("a/1", 1, clock), Duration::from_millis(at + after));
                prop_assert_eq!(life == Life::Dead, after > 15_000, "after {} ms: {:?}", after, life);
            }
        }
    }

    #[test]
    fn a_lease_without_a_holder_is_free() {
        let lease = taken(None, "a", "a/1", DURATION, Timestamp::UNIX_EPOCH);
        let freed = freed(&lease, Timestamp::UNIX_EPOCH);
        let mut watched = Watched::default();
        assert_eq!(watched.look(Seen::of(&freed, DURATION), Duration::ZERO), Life::Free);
        assert_eq!(watched.look(Seen::of(&Lease::default(), DURATION), Duration::ZERO), Life::Free);
    }

    #[test]
    fn another_holder_is_not_known_to_live_because_the_one_before_did() {
        let mut watched = Watched::default();
        watched.look(seen("a/1", 1, 0), Duration::ZERO);
        assert_eq!(watched.look(seen("a/1", 2, 0), Duration::ZERO), Life::Alive);
        assert_eq!(watched.look(seen("b/1", 3, 0), Duration::ZERO), Life::Unknown);
    }

    #[test]
    fn a_transition_is_counted() {
        let first = taken(None, "a", "a/1", DURATION, Timestamp::UNIX_EPOCH);
        let second = taken(Some(&first), "a", "b/1", DURATION, Timestamp::UNIX_EPOCH);
        let count = |lease: &Lease| lease.spec.as_ref().unwrap().lease_transitions;
        assert_eq!((count(&first), count(&second)), (Some(0), Some(1)));
    }
}
