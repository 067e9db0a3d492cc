//! Work that is done side by side.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use prodtest_testkit::{Done, Fault, FaultTable, How, Specimen};
use xtask::env;

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

/// Whether that is wanted: `PRODTEST_FAULT` names the beginnings of those that somebody works on, with commas between them;
/// all, when it is not set.
#[must_use]
pub fn is_wanted(name: &str) -> bool {
    let only = env::get("PRODTEST_FAULT").map(|only| only.to_string_lossy().into_owned()).unwrap_or_default();
    only.split(',').any(|only| name.starts_with(only))
}

/// Does every fault of a gate's table to a release, so many at once, and those that others would feel alone; `run` is told of
/// the fault and gives what the gate made of it, and what else is not as it must be.
///
/// # Panics
/// When one did not turn out as the table has it, with all that the gate said of each.
pub fn every_fault(gate: &str, number: usize, run: impl Fn(&Fault, &Specimen) -> (Done, Vec<String>) + Sync) {
    let table = FaultTable::of(gate);
    let wanted = table.faults.iter().filter(|fault| is_wanted(&fault.name)).map(|fault| match &fault.how {
        How::Specimen(specimen) => (fault, specimen),
        _ => panic!("`{}` is done to no release", fault.name),
    });
    let attempt = |(fault, specimen): (&Fault, &Specimen)| {
        let begun = Instant::now();
        let (done, others) = run(fault, specimen);
        let mut differences = fault.differences(gate, &done);
        differences.extend(others);
        let word = if differences.is_empty() { "ok" } else { "WRONG" };
        #[expect(clippy::print_stdout, reason = "what a test prints is captured, and shown where it fails")]
        {
            println!("{:5.1} s  {word:<5}  {}", begun.elapsed().as_secs_f64(), fault.name);
        }
        let said = || format!("{}:\n  {}\n{}", fault.name, differences.join("\n  "), done.said());
        (!differences.is_empty()).then(said)
    };
    let (alone, others): (Vec<_>, Vec<_>) = wanted.partition(|(_, specimen)| specimen.alone);
    let mut wrong = side_by_side(number, others, attempt);
    wrong.extend(alone.into_iter().filter_map(attempt));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
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
