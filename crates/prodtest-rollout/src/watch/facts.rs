//! What was seen of a rollout, and what it means: plain data, that can be judged again.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Aim, DoomKind, Patience, Subject};

/// Something that speaks against the rollout, and for how long it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// What.
    pub kind: DoomKind,
    /// Of which object of the release.
    pub subject: Subject,
    /// In which pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// In which container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What was said first.
    pub message: String,
    /// The word that Kubernetes has for it: `ErrImagePull`, `OOMKilled`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How a container ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// How often it happened.
    pub count: u32,
    /// Since when it stands, without a step ahead meanwhile.
    pub since_ms: u64,
    /// When it was last seen.
    pub last_seen_ms: u64,
    /// When it was seen for the first, second, … time, for what is counted.
    pub counted_ms: Vec<u64>,
    /// Whether it stands still.
    pub stands: bool,
}

impl Evidence {
    /// The signal that ended a container, which is told by its exit code.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.exit_code.map(|code| code - 128).filter(|signal| (1..=64).contains(signal) && *signal != 127)
    }

    /// When it doomed the rollout; none, while it may pass.
    #[must_use]
    pub fn doomed_at(&self, patience: &Patience) -> Option<u64> {
        match patience.period(self.kind) {
            Some(period) => {
                let due = self.since_ms.saturating_add(u64::try_from(period.as_millis()).unwrap_or(u64::MAX));
                (due <= self.last_seen_ms).then_some(due)
            }
            None => self.counted_ms.get(usize::try_from(patience.exits.max(1) - 1).unwrap_or(usize::MAX)).copied(),
        }
    }
}

/// Something that happened during a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// When.
    pub at_ms: u64,
    /// What.
    pub what: What,
    /// To what, as kubectl takes it: `pod/web-6f6bc5c95-j897x`.
    pub subject: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// All objects are as they are to be; from now on the cluster is to make it so.
    Applied,
    /// A Deployment has a new revision.
    NewReplicaSet,
    /// A pod was made.
    PodCreated,
    /// It has a node.
    PodScheduled,
    /// It takes requests.
    PodReady,
    /// It does not any more.
    PodUnready,
    /// It is told to end.
    PodEnding,
    /// It is gone.
    PodGone,
    /// The cluster is not heard of.
    Blind,
    /// It is again.
    Heard,
    /// The rollout will not get there.
    Doomed,
    /// It is there.
    Done,
}

/// A time in which the cluster was not heard of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blindness {
    /// Since when.
    pub since_ms: u64,
    /// Until when; none, if it was so at the end.
    pub until_ms: Option<u64>,
    /// Why.
    pub why: String,
}

/// What was seen of a rollout. Times are milliseconds since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RolloutFacts {
    /// What it was to bring about.
    pub aim: Aim,
    /// When all objects had been put into the cluster; none, if they never were.
    pub applied_ms: Option<u64>,
    /// When it was done.
    pub done_ms: Option<u64>,
    /// When the cluster was looked at last.
    pub last_ms: u64,
    /// What the objects wait for that are not done, as of then.
    pub waits: Vec<String>,
    /// What spoke against it.
    pub evidence: Vec<Evidence>,
    /// What happened, in order.
    pub moments: Vec<Moment>,
    /// When the cluster was not heard of.
    pub blind: Vec<Blindness>,
    /// Objects that could not be read.
    pub unreadable: Vec<String>,
}

/// What became of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolloutVerdict {
    /// It is there.
    Done {
        /// Since when.
        at_ms: u64,
    },
    /// It will not get there.
    Doomed {
        /// Since when that is certain.
        at_ms: u64,
        /// Why; the first is the one that came first.
        dooms: Vec<Evidence>,
    },
    /// There was no more time.
    Unfinished {
        /// What it waits for.
        why: String,
    },
    /// The cluster was not heard of at the end.
    Unknown {
        /// Why not.
        why: String,
    },
}

impl RolloutFacts {
    /// What became of it, to somebody of this patience.
    #[must_use]
    pub fn verdict(&self, patience: &Patience) -> RolloutVerdict {
        let mut dooms: Vec<(u64, &Evidence)> =
            self.evidence.iter().filter_map(|it| Some((it.doomed_at(patience)?, it))).collect();
        // What is counted comes up again and again; of two at the same time the graver one is first.
        dooms.sort_by_key(|(at, it)| (*at, it.kind, it.subject.clone(), it.pod.clone(), it.container.clone()));
        match (dooms.first(), self.done_ms) {
            (Some((at_ms, _)), done) if done.is_none_or(|done| *at_ms < done) => {
                RolloutVerdict::Doomed { at_ms: *at_ms, dooms: dooms.into_iter().map(|(_, it)| it.clone()).collect() }
            }
            (_, Some(at_ms)) => RolloutVerdict::Done { at_ms },
            _ => match self.blind.last().filter(|blind| blind.until_ms.is_none()) {
                Some(blind) => RolloutVerdict::Unknown { why: blind.why.clone() },
                None if self.waits.is_empty() => RolloutVerdict::Unfinished { why: "it was not applied".to_owned() },
                None => RolloutVerdict::Unfinished { why: self.waits.join("; ") },
            },
        }
    }
}

/// As a person says it of an object.
impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Applied => "applied",
            Self::NewReplicaSet => "new",
            Self::PodCreated => "created",
            Self::PodScheduled => "scheduled",
            Self::PodReady => "ready",
            Self::PodUnready => "no longer ready",
            Self::PodEnding => "ending",
            Self::PodGone => "gone",
            Self::Blind => "not heard of",
            Self::Heard => "heard of again",
            Self::Doomed => "doomed",
            Self::Done => "done",
        })
    }
}

/// In one line, what happened first, for it may be cut short: `ready: pod/web-6f6bc5c95-j897x`.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subject.as_str() {
            "" => self.what.fmt(f),
            subject => write!(f, "{}: {subject}", self.what),
        }
    }
}

/// In one line.
impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, {}", self.subject, self.kind, self.message)
    }
}
