//! An agent's life: what it is asked to do, and how far it has come.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{Timestamp, Unit};
use serde::Serialize;
use uuid::Uuid;

/// How long an agent is being spawned.
pub(crate) const SPAWNING: Duration = Duration::from_millis(50);
/// When it has done its task, counted from its creation.
pub(crate) const DONE: Duration = Duration::from_millis(300);

/// How far an agent has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Spawning,
    Running,
    Completed,
    Failed,
}

impl Status {
    pub(crate) const ALL: [Self; 4] = [Self::Spawning, Self::Running, Self::Completed, Self::Failed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Spawning => "spawning",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// A count for each, of nothing as yet.
    pub(crate) fn none() -> BTreeMap<Self, usize> {
        Self::ALL.map(|status| (status, 0)).into()
    }

    /// Where an agent of this age is.
    pub(crate) fn at(fate: Fate, age: Duration) -> Self {
        if age < SPAWNING {
            return Self::Spawning;
        }
        match fate {
            #[cfg(feature = "faults")]
            Fate::Stay => Self::Running,
            _ if age < DONE => Self::Running,
            fate => fate.error().map_or(Self::Completed, |_| Self::Failed),
        }
    }
}

/// How an agent will end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Complete,
    /// It was asked to.
    Fail,
    /// Its worker goes.
    #[cfg(feature = "faults")]
    Lost,
    /// It runs for ever.
    #[cfg(feature = "faults")]
    Stay,
}

impl Fate {
    const ALL: &[Self] = &[
        Self::Complete,
        Self::Fail,
        #[cfg(feature = "faults")]
        Self::Lost,
        #[cfg(feature = "faults")]
        Self::Stay,
    ];

    /// What a database calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Fail => "fail",
            #[cfg(feature = "faults")]
            Self::Lost => "lost",
            #[cfg(feature = "faults")]
            Self::Stay => "stay",
        }
    }

    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|fate| fate.name() == name)
    }

    /// Why it fails, if it does.
    fn error(self) -> Option<&'static str> {
        match self {
            Self::Fail => Some("the agent was asked to fail"),
            #[cfg(feature = "faults")]
            Self::Lost => Some("the agent's worker was lost"),
            _ => None,
        }
    }
}

/// The session an agent belongs to, and the instance that holds that.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) session: Uuid,
    pub(crate) instance: String,
}

/// An agent. Its status follows from its age, so nothing has to tick for it, and a restart loses nothing.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub(crate) id: Uuid,
    pub(crate) fate: Fate,
    pub(crate) kind: String,
    pub(crate) task: String,
    pub(crate) created: Timestamp,
    pub(crate) home: Option<Home>,
}

impl Agent {
    pub(crate) fn new(kind: String, task: String, home: Option<Home>) -> Self {
        let fate = if kind == "fail" { Fate::Fail } else { Fate::Complete };
        let now = Timestamp::now();
        // Nobody reads nanoseconds.
        let created = now.round(Unit::Millisecond).unwrap_or(now);
        Self { id: Uuid::new_v4(), fate, kind, task, created, home }
    }

    /// Where the agent is at this moment.
    pub(crate) fn status(&self) -> Status {
        // Less than nothing, where another's clock is ahead.
        let age = Timestamp::now().duration_since(self.created).try_into().unwrap_or_default();
        Status::at(self.fate, age)
    }

    /// What a reader sees at this moment; with the tenant, if it is for an administrator.
    pub(crate) fn view(&self, tenant: Option<String>) -> View {
        let status = self.status();
        let finished = matches!(status, Status::Completed | Status::Failed);
        View {
            id: self.id,
            tenant,
            kind: self.kind.clone(),
            task: self.task.clone(),
            status,
            created_at: self.created,
            started_at: (status != Status::Spawning).then(|| self.created + SPAWNING),
            finished_at: finished.then(|| self.created + DONE),
            error: self.fate.error().filter(|_| finished),
            session_id: self.home.as_ref().map(|home| home.session),
            instance: self.home.as_ref().map(|home| home.instance.clone()),
        }
    }
}

/// An agent as the API shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct View {
    pub(crate) id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    task: String,
    status: Status,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_spawning_then_running_then_over() {
        let at = |fate, millis| Status::at(fate, Duration::from_millis(millis)).name();
        let lives = |fate| [0, 49, 50, 299, 300].map(|millis| at(fate, millis));
        let young = ["spawning", "spawning", "running", "running"];
        let whole = |end| [young[0], young[1], young[2], young[3], end];
        assert_eq!(lives(Fate::Complete), whole("completed"));
        assert_eq!(lives(Fate::Fail), whole("failed"));
    }

    #[test]
    fn a_fate_is_known_by_its_name() {
        for fate in Fate::ALL {
            assert_eq!(Fate::by_name(fate.name()), Some(*fate));
        }
    }

    #[test]
    fn a_name_is_what_is_serialised() {
        for status in Status::ALL {
            assert_eq!(serde_json::json!(status), status.name());
        }
    }
}
