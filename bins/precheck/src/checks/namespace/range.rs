//! A LimitRange: what it gives to containers that do not say, and what it refuses.

use std::fmt;

use prodtest_gate::Place;
use serde::{Deserialize, Serialize};

use prodtest_kube::Amount;

use crate::room::{Amounts, Shape};

/// A LimitRange of the namespace, as it will be when the chart is deployed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Range {
    pub(super) name: String,
    pub(super) items: Vec<Item>,
    /// Where the chart sets it, if it does.
    pub(super) place: Option<Place>,
}

/// One of its rules.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Item {
    /// `Container` or `Pod`.
    pub(super) of: String,
    pub(super) max: Amounts,
    pub(super) min: Amounts,
    pub(super) default: Amounts,
    pub(super) default_request: Amounts,
    /// How many times its request a limit may be.
    pub(super) ratio: Amounts,
}

/// What it refuses.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// None: the pod as a whole.
    pub(super) container: Option<String>,
    pub(super) resource: String,
    pub(super) rule: Bound,
    pub(super) bound: Amount,
    /// None, where nothing is said.
    pub(super) seen: Option<Amount>,
}

/// Which bound was crossed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    MaxLimit,
    MaxRequest,
    MinLimit,
    MinRequest,
    Ratio,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MaxLimit | Self::MaxRequest => "max",
            Self::MinLimit | Self::MinRequest => "min",
            Self::Ratio => "maxLimitRequestRatio",
        })
    }
}

impl Bound {
    /// What is held against it.
    pub(super) const fn of(self) -> &'static str {
        match self {
            Self::MaxLimit | Self::MinLimit => "limit",
            Self::MaxRequest | Self::MinRequest => "request",
            Self::Ratio => "limit over its request",
        }
    }
}

impl Item {
    /// What the API server fills in by itself.
    /// <https://kubernetes.io/docs/concepts/policy/limit-range/>
    pub(super) fn filled_in(mut self) -> Self {
        if self.of != "Container" {
            return self;
        }
        let fill = |into: &mut Amounts, from: &Amounts| {
            for (name, amount) in from {
                into.entry(name.clone()).or_insert(*amount);
            }
        };
        fill(&mut self.default, &self.max);
        fill(&mut self.default_request, &self.default);
        fill(&mut self.default_request, &self.min);
        self
    }
}

/// The shape, once the ranges have given what was not said.
pub(super) fn given(shape: &Shape, ranges: &[Range]) -> Shape {
    let mut shape = shape.clone();
    for item in ranges.iter().flat_map(|range| &range.items).filter(|item| item.of == "Container") {
        for container in &mut shape.containers {
            for (name, amount) in &item.default_request {
                container.requests.entry(name.clone()).or_insert(*amount);
            }
            for (name, amount) in &item.default {
                container.limits.entry(name.clone()).or_insert(*amount);
            }
        }
    }
    shape
}

/// What a range refuses of pods of this shape, which has been [`given`] what it did not say.
pub(super) fn refused(range: &Range, shape: &Shape) -> Vec<Refused> {
    let mut refused = Vec::new();
    for item in &range.items {
        match item.of.as_str() {
            "Container" => {
                for container in &shape.containers {
                    let request = |name: &str| container.requests.get(name).copied();
                    let limit = |name: &str| container.limits.get(name).copied();
                    bounds(item, Some(&container.name), &request, &limit, &mut refused);
                }
            }
            "Pod" => {
                let said = |amount: Amount| (amount > Amount::default()).then_some(amount);
                let request = |name: &str| said(shape.requested(name));
                let limit = |name: &str| said(shape.limited(name));
                bounds(item, None, &request, &limit, &mut refused);
            }
            _ => {}
        }
    }
    refused
}

fn bounds(
    item: &Item,
    container: Option<&String>,
    request: &dyn Fn(&str) -> Option<Amount>,
    limit: &dyn Fn(&str) -> Option<Amount>,
    refused: &mut Vec<Refused>,
) {
    let mut refuse = |resource: &String, rule, bound, seen| {
        refused.push(Refused { container: container.cloned(), resource: resource.clone(), rule, bound, seen });
    };
    for (name, max) in &item.max {
        match (limit(name), request(name)) {
            (None, _) => refuse(name, Bound::MaxLimit, *max, None),
            (Some(seen), _) if seen > *max => refuse(name, Bound::MaxLimit, *max, Some(seen)),
            (_, Some(seen)) if seen > *max => refuse(name, Bound::MaxRequest, *max, Some(seen)),
            _ => {}
        }
    }
    for (name, min) in &item.min {
        match (request(name), limit(name)) {
            (None, _) => refuse(name, Bound::MinRequest, *min, None),
            (Some(seen), _) if seen < *min => refuse(name, Bound::MinRequest, *min, Some(seen)),
            (_, Some(seen)) if seen < *min => refuse(name, Bound::MinLimit, *min, Some(seen)),
            _ => {}
        }
    }
    for (name, ratio) in &item.ratio {
        match (request(name), limit(name)) {
            (Some(request), Some(limit)) if !limit.exceeds_ratio(request, *ratio) => {}
            (_, limit) => refuse(name, Bound::Ratio, *ratio, limit),
        }
    }
}
