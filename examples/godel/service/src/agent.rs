//! An agent's life: what it is asked to do, and how far it has come.

use std::time::{Duration, Instant};

use jiff::{Timestamp, Unit};
use serde::Serialize;
use uuid::Uuid;

use crate::auth::Tenant;

/// How long an agent is being spawned.
const SPAWNING: Duration = Duration::from_millis(50);
/// When it has done its task, counted from its creation.
const DONE: Duration = Duration::from_millis(300);

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
}

/// How an agent will end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Complete,
    Fail(&'static str),
    /// It runs for ever.
    #[cfg(feature = "faults")]
    Stay,
}

/// An agent. Its status follows from its age, so nothing has to tick for it.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub(crate) id: Uuid,
    pub(crate) fate: Fate,
    kind: String,
    task: String,
    created: Timestamp,
    born: Instant,
}

impl Agent {
    pub(crate) fn new(kind: String, task: String) -> Self {
        let fate = match kind.as_str() {
            "fail" => Fate::Fail("the agent was asked to fail"),
            _ => Fate::Complete,
        };
        let now = Timestamp::now();
        Self {
            id: Uuid::new_v4(),
            fate,
            kind,
            task,
            // Nobody reads nanoseconds.
            created: now.round(Unit::Millisecond).unwrap_or(now),
            born: Instant::now(),
        }
    }

    /// Where the agent is at this moment.
    pub(crate) fn status(&self) -> Status {
        status(self.fate, self.born.elapsed())
    }

    /// What a reader sees at this moment; with the tenant, if it is for an administrator.
    pub(crate) fn view(&self, tenant: Option<Tenant>) -> View {
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
            error: match self.fate {
                Fate::Fail(error) if finished => Some(error),
                _ => None,
            },
        }
    }
}

fn status(fate: Fate, age: Duration) -> Status {
    if age < SPAWNING {
        return Status::Spawning;
    }
    match fate {
        #[cfg(feature = "faults")]
        Fate::Stay => Status::Running,
        _ if age < DONE => Status::Running,
        Fate::Complete => Status::Completed,
        Fate::Fail(_) => Status::Failed,
    }
}

/// An agent as the API shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct View {
    pub(crate) id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<Tenant>,
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_spawning_then_running_then_over() {
        let at = |fate, millis| status(fate, Duration::from_millis(millis)).name();
        let lives = |fate| [0, 49, 50, 299, 300].map(|millis| at(fate, millis));
        let young = ["spawning", "spawning", "running", "running"];
        let whole = |end| [young[0], young[1], young[2], young[3], end];
        assert_eq!(lives(Fate::Complete), whole("completed"));
        assert_eq!(lives(Fate::Fail("why")), whole("failed"));
    }

    #[test]
    fn a_name_is_what_is_serialised() {
        for status in Status::ALL {
            assert_eq!(serde_json::json!(status), status.name());
        }
    }
}
