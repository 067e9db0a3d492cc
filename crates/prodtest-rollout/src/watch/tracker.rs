//! What one look after the other adds up to.
//!
//! Pure: the state and the time come from whoever looks. Only what stands from look to look grows old; what a look does
//! not see has passed, and begins anew if it comes again.

use std::{collections::BTreeMap, fmt};

use super::{
    Aim, Evidence, Moment, Noted, Patience, RolloutFacts, RolloutVerdict, State, Subject, What,
    doom::{self, DoomKind, Scene, Sign},
    facts::Blindness,
    progress,
    timeline::Timeline,
};

/// More of a kind says nothing new.
const MOST: usize = 500;
/// Of what is counted, no more is ever asked.
const MOST_COUNTED: usize = 20;
/// Messages come from strangers.
pub(super) const LONGEST: usize = 2_000;

/// What is made of a rollout so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assessment {
    /// Neither yet.
    Progressing,
    /// It is there.
    Done,
    /// It will not get there.
    Doomed,
}

impl fmt::Display for Assessment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Progressing => "under way",
            Self::Done => "done",
            Self::Doomed => "doomed",
        })
    }
}

/// Adds up looks.
#[derive(Clone, Debug)]
pub struct Tracker {
    noted: Noted,
    patience: Patience,
    facts: RolloutFacts,
    timeline: Timeline,
    /// How far each workload has been, at most.
    steps: BTreeMap<Subject, i64>,
    assessment: Assessment,
}

impl Tracker {
    /// Nothing was looked at yet.
    #[must_use]
    pub fn new(aim: Aim, noted: Noted, patience: Patience) -> Self {
        let facts = RolloutFacts { aim, ..RolloutFacts::default() };
        let timeline = Timeline::new(&noted);
        Self { noted, patience, facts, timeline, steps: BTreeMap::new(), assessment: Assessment::Progressing }
    }

    /// Takes in a look at the cluster. `applied`: whether all objects had been put into it before this state.
    pub fn look(&mut self, state: &State, applied: bool, at_ms: u64) {
        if self.assessment != Assessment::Progressing {
            return;
        }
        self.heard(at_ms);
        self.facts.last_ms = self.facts.last_ms.max(at_ms);
        self.facts.unreadable = state.unreadable.iter().cloned().collect();
        if applied {
            self.applied(at_ms);
        }
        let moments = self.timeline.look(state, &self.facts.aim, at_ms);
        self.facts.moments.extend(moments);
        self.facts.moments.truncate(MOST);

        self.facts.waits.clear();
        let mut stepped = Vec::new();
        for subject in self.facts.aim.workloads.clone() {
            let progress = progress::of(state, &subject);
            if self.steps.get(&subject).is_none_or(|best| *best < progress.steps) {
                self.steps.insert(subject.clone(), progress.steps);
                stepped.push(subject.clone());
            }
            self.facts.waits.extend(progress.waits.map(|what| format!("{subject}: {what}")));
        }
        if applied && self.facts.waits.is_empty() {
            self.facts.done_ms = Some(at_ms);
            self.assessment = Assessment::Done;
            self.facts.evidence.iter_mut().for_each(|it| it.stands = false);
            self.moment(at_ms, What::Done, String::new());
            return;
        }
        let scene = Scene::new(state, &self.noted);
        let mut stands = vec![false; self.facts.evidence.len()];
        for subject in doom::subjects(&self.facts.aim).cloned().collect::<Vec<_>>() {
            for sign in doom::signs(&scene, &subject, applied) {
                let restart = sign.held || (stepped.contains(&subject) && is_of_progress(sign.kind));
                let place = record(&mut self.facts.evidence, &subject, sign, restart, at_ms);
                if let Some(mark) = place.and_then(|place| stands.get_mut(place)) {
                    *mark = true;
                }
            }
        }
        for (evidence, stands) in self.facts.evidence.iter_mut().zip(stands) {
            evidence.stands = stands;
        }
        self.conclude();
    }

    fn conclude(&mut self) {
        if let RolloutVerdict::Doomed { dooms, .. } = self.facts.verdict(&self.patience) {
            self.assessment = Assessment::Doomed;
            let subject = dooms.first().map(|doom| doom.subject.to_string()).unwrap_or_default();
            self.moment(self.facts.last_ms, What::Doomed, subject);
        }
    }

    /// Takes in that all objects have been put into the cluster; only the first time counts.
    pub fn applied(&mut self, at_ms: u64) {
        if self.facts.applied_ms.is_none() {
            self.facts.applied_ms = Some(at_ms);
            self.moment(at_ms, What::Applied, String::new());
        }
    }

    /// Takes in that the cluster cannot be looked at.
    pub fn blind(&mut self, since_ms: u64, why: &str) {
        if self.facts.blind.last().is_some_and(|blind| blind.until_ms.is_none()) {
            return;
        }
        self.facts.blind.push(Blindness { since_ms, until_ms: None, why: why.to_owned() });
        self.moment(since_ms, What::Blind, String::new());
    }

    fn heard(&mut self, at_ms: u64) {
        if let Some(blind) = self.facts.blind.last_mut().filter(|blind| blind.until_ms.is_none()) {
            blind.until_ms = Some(at_ms);
            self.moment(at_ms, What::Heard, String::new());
        }
    }

    fn moment(&mut self, at_ms: u64, what: What, subject: String) {
        self.facts.moments.push(Moment { at_ms, what, subject });
    }

    /// What is made of it so far.
    #[must_use]
    pub const fn assessment(&self) -> Assessment {
        self.assessment
    }

    /// When the first of what stands now will have stood too long.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        let standing = self.facts.evidence.iter().filter(|it| it.stands);
        standing
            .filter_map(|it| {
                let period = u64::try_from(self.patience.period(it.kind)?.as_millis()).unwrap_or(u64::MAX);
                Some(it.since_ms.saturating_add(period))
            })
            .min()
    }

    /// What was seen so far.
    #[must_use]
    pub const fn facts(&self) -> &RolloutFacts {
        &self.facts
    }
}

/// Whether its clock begins anew with each step ahead.
const fn is_of_progress(kind: DoomKind) -> bool {
    matches!(kind, DoomKind::Stalled | DoomKind::Quota | DoomKind::Admission | DoomKind::Unschedulable)
}

/// Writes a sign down: where it stands already, there. Returns where, if it was there before.
fn record(all: &mut Vec<Evidence>, subject: &Subject, mut sign: Sign, restart: bool, at_ms: u64) -> Option<usize> {
    if sign.hidden {
        // The cause was told once, and then hidden behind "back-off".
        let told =
            all.iter().rev().find(|it| it.pod == sign.pod && it.container == sign.container && it.subject == *subject);
        if let Some(told) = told.filter(|it| it.kind.is_of_image()) {
            sign.kind = told.kind;
        }
    }
    let same = |it: &Evidence| {
        it.kind == sign.kind
            && it.subject == *subject
            && it.pod == sign.pod
            && it.container == sign.container
            && (it.stands || !it.counted_ms.is_empty())
    };
    let place = all.iter().position(same);
    let is_counted = matches!(sign.kind, DoomKind::Crash | DoomKind::InitCrash);
    let index = match place {
        Some(index) => index,
        None if all.len() >= MOST => return None,
        None => {
            sign.message.truncate(sign.message.floor_char_boundary(LONGEST));
            all.push(Evidence {
                kind: sign.kind,
                subject: subject.clone(),
                pod: sign.pod,
                container: sign.container,
                message: sign.message,
                reason: sign.reason.clone(),
                exit_code: sign.exit_code,
                count: 0,
                since_ms: at_ms,
                last_seen_ms: at_ms,
                counted_ms: Vec::new(),
                stands: true,
            });
            all.len() - 1
        }
    };
    let evidence = all.get_mut(index)?;
    if restart {
        evidence.since_ms = at_ms;
    }
    evidence.last_seen_ms = at_ms;
    evidence.count = evidence.count.max(sign.count);
    if is_counted {
        let counted = usize::try_from(evidence.count).unwrap_or(usize::MAX).min(MOST_COUNTED);
        evidence.counted_ms.resize(counted.max(evidence.counted_ms.len()), at_ms);
        evidence.exit_code = sign.exit_code;
        evidence.reason = sign.reason;
    }
    place
}

impl DoomKind {
    const fn is_of_image(self) -> bool {
        matches!(self, Self::ImageNotFound | Self::ImageRefused | Self::ImageName | Self::ImagePull)
    }
}
