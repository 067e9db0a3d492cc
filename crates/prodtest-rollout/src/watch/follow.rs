//! Following a rollout to its end.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{Aim, Assessment, Moment, Noted, Patience, RolloutFacts, Tracker, Watch};

/// A rollout that is followed. What was seen so far outlives a [`Self::run`] that is dropped.
#[derive(Debug)]
pub struct Follow<'a> {
    watch: &'a mut Watch,
    tracker: Tracker,
    begin: Instant,
    /// Whether all objects have been put into the cluster, and when.
    applied: watch::Receiver<Option<u64>>,
    /// The call for lists that are newer than that.
    asked: Option<u64>,
    told: usize,
}

impl<'a> Follow<'a> {
    /// Begins to follow. Times are counted from `begin`; `applied` says once that all objects are in the cluster.
    #[must_use]
    pub fn new(watch: &'a mut Watch, tracker: Tracker, begin: Instant, applied: watch::Receiver<Option<u64>>) -> Self {
        Self { watch, tracker, begin, applied, asked: None, told: 0 }
    }

    /// What was seen so far.
    #[must_use]
    pub const fn facts(&self) -> &RolloutFacts {
        self.tracker.facts()
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Goes on until it is done or doomed, or until `deadline` after its begin. May be dropped and called again.
    pub async fn run(&mut self, deadline: Duration, mut on_moment: impl FnMut(&Moment)) -> Assessment {
        let end = self.begin + deadline;
        // A call for lists that are to confirm what has stood too long.
        let mut confirms: Option<u64> = None;
        let mut gone = false;
        loop {
            let applied = *self.applied.borrow_and_update();
            if let Some(at_ms) = applied
                && self.asked.is_none()
            {
                // What was heard before may be of before; a list that is asked for now is not.
                self.asked = Some(self.watch.refresh());
                self.tracker.applied(at_ms);
            }
            let now = self.now_ms();
            if let Some((since, why)) = self.watch.blind() {
                let since = u64::try_from(since.saturating_duration_since(self.begin).as_millis()).unwrap_or(u64::MAX);
                self.tracker.blind(since, &why.to_string());
                confirms = None;
            } else if confirms.is_none_or(|call| self.watch.is_fresh(call)) {
                confirms = None;
                let applied = self.asked.is_some_and(|call| self.watch.is_fresh(call));
                let tracker = &mut self.tracker;
                self.watch.with(|state| tracker.look(state, applied, now));
            }
            let moments = &self.tracker.facts().moments;
            moments.iter().skip(self.told).for_each(&mut on_moment);
            self.told = moments.len();
            if self.tracker.assessment() != Assessment::Progressing || Instant::now() >= end {
                return self.tracker.assessment();
            }
            let due = self.tracker.next_deadline_ms().filter(|_| confirms.is_none() && self.watch.blind().is_none());
            let due = due.map(|due| self.begin + Duration::from_millis(due));
            tokio::select! {
                () = self.watch.changed() => {}
                changed = self.applied.changed(), if !gone => gone = changed.is_err(),
                () = sleep_until(due.unwrap_or(end)), if due.is_some_and(|due| due < end) => {
                    confirms = Some(self.watch.refresh());
                }
                () = sleep_until(end) => {}
            }
        }
    }
}

/// Follows a rollout to its end, and says what was seen.
pub async fn follow(
    watch: &mut Watch,
    (aim, noted, patience): (Aim, Noted, Patience),
    begin: Instant,
    applied: watch::Receiver<Option<u64>>,
    deadline: Duration,
    on_moment: impl FnMut(&Moment),
) -> RolloutFacts {
    let mut follow = Follow::new(watch, Tracker::new(aim, noted, patience), begin, applied);
    follow.run(deadline, on_moment).await;
    follow.facts().clone()
}
