//! Whether pods fit: each is put on the first node that takes it and has room. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use prodtest_kube::Amount;

use crate::room::Amounts;

/// Pods of one kind that want a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Wanted {
    /// `Deployment godel-api`.
    pub(super) workload: String,
    pub(super) pods: u32,
    /// What each requests.
    pub(super) requests: Amounts,
    /// The nodes that take it, if they have room.
    pub(super) on: Vec<String>,
    /// Whether one is wanted on each of these nodes.
    pub(super) on_each: bool,
}

/// Pods that found no place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// Which of those that want one.
    pub(super) wanted: usize,
    pub(super) pods: u32,
    /// What the nodes that take it had too little of, and how many of them.
    pub(super) lacked: BTreeMap<String, u32>,
}

/// Puts pods on nodes with so much free, in the order in which both are given. What is left over found no node.
pub(super) fn place(free: &BTreeMap<String, Amounts>, wanted: &[Wanted]) -> Vec<Left> {
    let mut free = free.clone();
    let mut left_over = Vec::new();
    for (index, one) in wanted.iter().enumerate() {
        let mut left = Left { wanted: index, pods: 0, lacked: BTreeMap::new() };
        if one.on_each {
            for node in &one.on {
                if !put(&mut free, node, &one.requests) {
                    left.pods += 1;
                    lacking(&free, node, &one.requests, &mut left.lacked);
                }
            }
        } else {
            for placed in 0..one.pods {
                if !one.on.iter().any(|node| put(&mut free, node, &one.requests)) {
                    // The next of the same kind fits no better.
                    left.pods = one.pods - placed;
                    for node in &one.on {
                        lacking(&free, node, &one.requests, &mut left.lacked);
                    }
                    break;
                }
            }
        }
        if left.pods > 0 {
            left_over.push(left);
        }
    }
    left_over
}

/// Takes what a pod requests from a node, if there is so much.
fn put(free: &mut BTreeMap<String, Amounts>, node: &str, requests: &Amounts) -> bool {
    let Some(free) = free.get_mut(node) else { return false };
    if !requests.iter().all(|(name, amount)| has(free, name, *amount)) {
        return false;
    }
    for (name, amount) in requests {
        if let Some(left) = free.get_mut(name) {
            *left = left.minus(*amount);
        }
    }
    true
}

/// What a node does not know, it has none of.
fn has(free: &Amounts, name: &str, amount: Amount) -> bool {
    amount <= free.get(name).copied().unwrap_or_default()
}

fn lacking(free: &BTreeMap<String, Amounts>, node: &str, requests: &Amounts, lacked: &mut BTreeMap<String, u32>) {
    let Some(free) = free.get(node) else { return };
    for (name, amount) in requests {
        if !has(free, name, *amount) {
            *lacked.entry(name.clone()).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn amounts(cpu: u32, pods: u32) -> Amounts {
        BTreeMap::from([("cpu".to_owned(), Amount::whole(cpu)), ("pods".to_owned(), Amount::whole(pods))])
    }

    fn nodes(free: &[(u32, u32)]) -> BTreeMap<String, Amounts> {
        free.iter().enumerate().map(|(index, (cpu, pods))| (format!("n{index}"), amounts(*cpu, *pods))).collect()
    }

    fn wanted(pods: u32, cpu: u32, on: &[&str]) -> Wanted {
        let on = on.iter().map(|node| (*node).to_owned()).collect();
        Wanted { workload: "a".to_owned(), pods, requests: amounts(cpu, 1), on, on_each: false }
    }

    #[test]
    fn a_pod_goes_where_it_is_taken_and_there_is_room() {
        let left = |free: &[(u32, u32)], wanted: &[Wanted]| {
            place(&nodes(free), wanted)
                .into_iter()
                .map(|left| (left.wanted, left.pods, left.lacked))
                .collect::<Vec<_>>()
        };
        assert!(left(&[(1, 9), (1, 9)], &[wanted(2, 1, &["n0", "n1"])]).is_empty());
        let lacked = |name: &str, nodes| BTreeMap::from([(name.to_owned(), nodes)]);
        assert_eq!(left(&[(1, 9), (1, 9)], &[wanted(3, 1, &["n0", "n1"])]), [(0, 1, lacked("cpu", 2))]);
        assert_eq!(left(&[(9, 1), (9, 0)], &[wanted(2, 1, &["n0", "n1"])]), [(0, 1, lacked("pods", 2))]);
        assert_eq!(left(&[(9, 9)], &[wanted(1, 1, &[])]), [(0, 1, BTreeMap::new())], "no node takes it");
        let second = [wanted(1, 2, &["n0"]), wanted(1, 2, &["n0"])];
        assert_eq!(left(&[(3, 9)], &second), [(1, 1, lacked("cpu", 1))], "the first took it");
    }

    #[test]
    fn one_on_each_is_not_two_on_one() {
        let each = Wanted { on_each: true, ..wanted(2, 2, &["n0", "n1"]) };
        assert!(place(&nodes(&[(2, 9), (2, 9)]), std::slice::from_ref(&each)).is_empty());
        assert_eq!(place(&nodes(&[(9, 9), (1, 9)]), &[each])[0].pods, 1);
    }

    #[test]
    fn what_a_node_does_not_know_it_has_none_of() {
        let mut gpu = wanted(1, 1, &["n0"]);
        gpu.requests.insert("nvidia.com/gpu".to_owned(), Amount::whole(1));
        assert_eq!(place(&nodes(&[(9, 9)]), &[gpu])[0].lacked.keys().collect::<Vec<_>>(), ["nvidia.com/gpu"]);
    }

    fn any_wanted() -> impl Strategy<Value = Wanted> {
        (0..6_u32, 0..5_u32, vec(any::<bool>(), 4)).prop_map(|(pods, cpu, on)| {
            let on: Vec<String> =
                on.iter().enumerate().filter(|(_, is)| **is).map(|(index, _)| format!("n{index}")).collect();
            wanted(pods, cpu, &on.iter().map(String::as_str).collect::<Vec<_>>())
        })
    }

    proptest! {
        /// Of pods that are all alike, as many find a place as there are places.
        #[test]
        fn pods_that_are_alike_fill_every_place(free in vec((0..9_u32, 0..9_u32), 4), one in any_wanted()) {
            let places: u32 = one.on.iter().map(|node| {
                let (cpu, pods) = free[node[1..].parse::<usize>().unwrap()];
                let each = u32::try_from(one.requests["cpu"].to_string().parse::<u64>().unwrap()).unwrap();
                pods.min(cpu.checked_div(each).unwrap_or(u32::MAX))
            }).sum();
            let left: u32 = place(&nodes(&free), std::slice::from_ref(&one)).iter().map(|left| left.pods).sum();
            prop_assert_eq!(left, one.pods.saturating_sub(places));
        }

        /// What is placed is never more than there is, and what is said to be lacked is.
        #[test]
        fn nothing_is_given_twice(free in vec((0..9_u32, 0..9_u32), 4), all in vec(any_wanted(), 0..5)) {
            let left = place(&nodes(&free), &all);
            let cpu = |wanted: &Wanted| u32::try_from(wanted.requests["cpu"].to_string().parse::<u64>().unwrap()).unwrap();
            let mut placed: Vec<u32> = all.iter().map(|one| one.pods).collect();
            for one in &left {
                prop_assert!(one.pods > 0 && one.pods <= all[one.wanted].pods);
                placed[one.wanted] -= one.pods;
                prop_assert!(all[one.wanted].on.is_empty() || !one.lacked.is_empty());
            }
            let sum = |of: &dyn Fn(usize) -> u32| (0..all.len()).map(|index| placed[index] * of(index)).sum::<u32>();
            prop_assert!(sum(&|index| cpu(&all[index])) <= free.iter().map(|(cpu, _)| cpu).sum());
            prop_assert!(sum(&|_| 1) <= free.iter().map(|(_, pods)| pods).sum());
        }

        /// A further node takes no place away.
        #[test]
        fn room_that_comes_last_does_no_harm(free in vec((0..9_u32, 0..9_u32), 3), one in any_wanted(), more in (0..9_u32, 0..9_u32)) {
            let left = |free: &[(u32, u32)]| place(&nodes(free), std::slice::from_ref(&one)).iter().map(|left| left.pods).sum::<u32>();
            let mut with = free.clone();
            with.push(more);
            prop_assert!(left(&with) <= left(&free));
        }
    }
}
