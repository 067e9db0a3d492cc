//! The shape every gate has.

use serde::{Serialize, de::DeserializeOwned};

use crate::{Check, CheckId, Control, Figure, Judged, Listing, Outcome, Run};

/// A gate: a plan (what to look at and the limits), facts (what was seen) and the two steps between them.
///
/// `plan` and `facts` hold no secret and are kept in the run record, so that a verdict can be judged again without
/// the network.
pub trait Gate {
    /// The gate's name, `smoke`; the first half of its check ids.
    const NAME: &'static str;
    /// The question it answers.
    const QUESTION: &'static str;

    /// What to look at, with every limit resolved.
    type Plan: Serialize + DeserializeOwned;
    /// What was seen: plain data.
    type Facts: Serialize + DeserializeOwned;
    /// The live means of observing: clients, credentials. Never kept.
    type Means;

    /// The checks this plan makes, in the order in which they are shown, and those that only the facts could tell of
    /// (the cases of a test suite). Ids are unique.
    fn checks(plan: &Self::Plan, facts: Option<&Self::Facts>) -> Vec<Check>;

    /// All the input and output. Returns what it has when `run` is stopped; never fails: what could not be seen is
    /// a fact too.
    fn observe(plan: &Self::Plan, means: &Self::Means, run: &Run) -> impl Future<Output = Self::Facts>;

    /// Pure: the same plan and facts give the same judgements. Checks it does not mention are undetermined.
    fn judge(plan: &Self::Plan, facts: &Self::Facts) -> Vec<Judged>;

    /// Pure: what in the configuration could only be seen to be wrong once it ran, if anything. The gate then ends as
    /// on any other configuration error, with its reports written.
    fn misconfigured(_plan: &Self::Plan, _facts: &Self::Facts) -> Option<String> {
        None
    }

    /// Pure: the digest of the image under test, where it is known.
    fn digest(_plan: &Self::Plan, _facts: &Self::Facts) -> Option<String> {
        None
    }

    /// Pure: remarks that change no verdict, for every report.
    fn remarks(_plan: &Self::Plan, _facts: &Self::Facts) -> Vec<String> {
        Vec::new()
    }

    /// Pure: texts of several lines for every report, such as what would be changed.
    fn listings(_plan: &Self::Plan, _facts: &Self::Facts) -> Vec<Listing> {
        Vec::new()
    }

    /// Pure: what the controls showed.
    fn controls(plan: &Self::Plan, facts: &Self::Facts) -> Vec<Control>;

    /// Pure: the main figures, which become outputs of the action.
    fn figures(plan: &Self::Plan, facts: &Self::Facts) -> Vec<Figure>;
}

/// What a gate says of itself while it works.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// A check begins.
    Started(CheckId),
    /// Something worth a line on a check that takes long: an attempt, a wait.
    Note(CheckId, String),
    /// A check was observed; what it looks like before the rules between checks.
    Finished(CheckId, Outcome),
}
