//! Work that is done side by side.

use std::sync::{Mutex, PoisonError};

/// Does something with each of these, so many at once; returns what came of those of which something did.
pub fn side_by_side<T: Send, R: Send>(
    number: usize,
    items: impl IntoIterator<Item = T, IntoIter: Send>,
    work: impl Fn(T) -> Option<R> + Sync,
) -> Vec<R> {
    let queue = Mutex::new(items.into_iter());
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..number {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(item) = next else { return };
                    let result = work(item);
                    results.lock().unwrap_or_else(PoisonError::into_inner).extend(result);
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_done_once() {
        let mut odd = side_by_side(3, 0..100, |number| (number % 2 == 1).then_some(number));
        odd.sort_unstable();
        assert_eq!(odd, (0..100).filter(|number| number % 2 == 1).collect::<Vec<_>>());
    }
}
