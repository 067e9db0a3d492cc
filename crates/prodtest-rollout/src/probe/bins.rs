//! The requests of a run by the time at which they were due, in bounded space.

use super::facts::Bin;

/// A second a bin for an hour; after that neighbours are joined, and joined again.
const MAX_BINS: usize = 3600;
const SECOND: u64 = 1000;

/// The bins of a run so far.
#[derive(Debug)]
pub(super) struct Bins {
    from_ms: u64,
    length_ms: u64,
    max: usize,
    bins: Vec<Bin>,
}

impl Bins {
    /// No requests yet; the first bin begins at `from_ms`.
    pub(super) const fn new(from_ms: u64) -> Self {
        Self { from_ms, length_ms: SECOND, max: MAX_BINS, bins: Vec::new() }
    }

    /// Adds a request that was due at `due_ms` and took `took_ms`.
    pub(super) fn add(&mut self, due_ms: u64, failed: bool, took_ms: f64) {
        let since = due_ms.saturating_sub(self.from_ms);
        while since / self.length_ms >= self.max as u64 {
            self.join();
        }
        let i = usize::try_from(since / self.length_ms).unwrap_or(usize::MAX);
        while self.bins.len() <= i {
            let at_ms = self.from_ms + self.bins.len() as u64 * self.length_ms;
            self.bins.push(Bin { at_ms, ..Bin::default() });
        }
        if let Some(bin) = self.bins.get_mut(i) {
            bin.requests += 1;
            bin.failed += u64::from(failed);
            bin.slowest_ms = bin.slowest_ms.max(took_ms);
        }
    }

    /// Makes one of each two.
    fn join(&mut self) {
        let joined = self.bins.chunks(2).map(|two| Bin {
            at_ms: two.iter().map(|bin| bin.at_ms).min().unwrap_or_default(),
            requests: two.iter().map(|bin| bin.requests).sum(),
            failed: two.iter().map(|bin| bin.failed).sum(),
            slowest_ms: two.iter().map(|bin| bin.slowest_ms).fold(0.0, f64::max),
        });
        self.bins = joined.collect();
        self.length_ms *= 2;
    }

    /// How long a bin is.
    pub(super) const fn length_ms(&self) -> u64 {
        self.length_ms
    }

    /// The bins so far.
    pub(super) fn bins(&self) -> &[Bin] {
        &self.bins
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_request_is_lost_however_long_the_run(
            from in 0..5000_u64,
            requests in prop::collection::vec((0..200_000_u64, any::<bool>(), 0..9000_u32), 0..200),
        ) {
            let mut bins = Bins { max: 7, ..Bins::new(from) };
            for (due, failed, took) in &requests {
                bins.add(from + due, *failed, f64::from(*took));
            }
            prop_assert!(bins.bins().len() <= 7);
            let sum = |of: fn(&Bin) -> u64| bins.bins().iter().map(of).sum::<u64>();
            prop_assert_eq!(sum(|bin| bin.requests), requests.len() as u64);
            prop_assert_eq!(sum(|bin| bin.failed), requests.iter().filter(|(_, failed, _)| *failed).count() as u64);
            let slowest = requests.iter().map(|(_, _, took)| f64::from(*took)).fold(0.0, f64::max);
            prop_assert_eq!(bins.bins().iter().map(|bin| bin.slowest_ms).fold(0.0, f64::max), slowest);
            for (i, bin) in bins.bins().iter().enumerate() {
                prop_assert_eq!(bin.at_ms, from + i as u64 * bins.length_ms());
                let (start, end) = (bin.at_ms, bin.at_ms + bins.length_ms());
                let due = requests.iter().filter(|(due, ..)| (start..end).contains(&(from + due))).count();
                prop_assert_eq!(bin.requests, due as u64);
            }
        }
    }
}
