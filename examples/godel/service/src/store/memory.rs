//! Agents in memory: for a shell, and for tests.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::KEPT;
use crate::agent::{Agent, Status, View};
use crate::auth::Tenant;

/// All agents of all tenants.
#[derive(Default)]
pub(crate) struct Shelves(Mutex<BTreeMap<Tenant, Shelf>>);

/// One tenant's agents, oldest first.
#[derive(Default)]
struct Shelf {
    next: u64,
    agents: BTreeMap<u64, Agent>,
    places: HashMap<Uuid, u64>,
}

impl Shelves {
    /// Keeps a new agent.
    pub(super) fn add(&self, tenant: Tenant, agent: Agent) -> View {
        self.keep(tenant, agent, KEPT)
    }

    fn keep(&self, tenant: Tenant, agent: Agent, most: usize) -> View {
        let view = agent.view(None);
        let mut shelves = self.lock();
        let shelf = shelves.entry(tenant).or_default();
        shelf.places.insert(agent.id, shelf.next);
        shelf.agents.insert(shelf.next, agent);
        shelf.next += 1;
        if shelf.agents.len() > most
            && let Some((_, oldest)) = shelf.agents.pop_first()
        {
            shelf.places.remove(&oldest.id);
        }
        view
    }

    /// A tenant's agents, newest first.
    pub(super) fn list(&self, tenant: Tenant) -> Vec<View> {
        let shelves = self.lock();
        let agents = shelves.get(tenant).map(|shelf| shelf.agents.values());
        agents.into_iter().flatten().rev().map(|agent| agent.view(None)).collect()
    }

    /// Everybody's agents, with their tenants.
    pub(super) fn list_all(&self) -> Vec<View> {
        let shelves = self.lock();
        let all = shelves.iter().flat_map(|(tenant, shelf)| {
            let agents = shelf.agents.values().rev();
            agents.map(|agent| agent.view(Some((*tenant).to_owned())))
        });
        all.collect()
    }

    /// A tenant's agent; another tenant's does not exist.
    pub(super) fn get(&self, tenant: Tenant, id: Uuid) -> Option<View> {
        let shelves = self.lock();
        let shelf = shelves.get(tenant)?;
        let agent = shelf.agents.get(shelf.places.get(&id)?)?;
        Some(agent.view(None))
    }

    /// Forgets a tenant's agent; says whether there was one.
    pub(super) fn remove(&self, tenant: Tenant, id: Uuid) -> bool {
        let mut shelves = self.lock();
        let Some(shelf) = shelves.get_mut(tenant) else {
            return false;
        };
        let place = shelf.places.remove(&id);
        place.is_some_and(|place| shelf.agents.remove(&place).is_some())
    }

    /// How many agents each tenant has.
    pub(super) fn count_by_tenant(&self) -> BTreeMap<String, usize> {
        let shelves = self.lock();
        shelves.iter().map(|(tenant, shelf)| ((*tenant).to_owned(), shelf.agents.len())).collect()
    }

    /// How many agents there are of each status, of none too.
    pub(super) fn count_by_status(&self) -> BTreeMap<Status, usize> {
        let mut counts = Status::none();
        for shelf in self.lock().values() {
            for agent in shelf.agents.values() {
                *counts.entry(agent.status()).or_default() += 1;
            }
        }
        counts
    }

    /// Whose agent this is.
    #[cfg(feature = "faults")]
    pub(super) fn owner(&self, id: Uuid) -> Option<Tenant> {
        let shelves = self.lock();
        let mut owners = shelves.iter().filter(|(_, shelf)| shelf.places.contains_key(&id));
        owners.next().map(|(tenant, _)| *tenant)
    }

    /// Decides how an agent will end.
    #[cfg(feature = "faults")]
    pub(super) fn doom(&self, id: Uuid, fate: crate::agent::Fate) {
        for shelf in self.lock().values_mut() {
            if let Some(agent) = shelf.places.get(&id).and_then(|at| shelf.agents.get_mut(at)) {
                agent.fate = fate;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Tenant, Shelf>> {
        // Nothing under this lock leaves a shelf half changed, so a panic elsewhere spoils nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent() -> Agent {
        Agent::new("test".to_owned(), "a task".to_owned(), None)
    }

    #[test]
    fn a_tenant_sees_only_its_own() {
        let store = Shelves::default();
        let id = store.add("a", agent()).id;
        assert!(store.get("a", id).is_some());
        assert!(store.get("b", id).is_none());
        assert!(store.list("b").is_empty());
        assert!(!store.remove("b", id));
        assert!(store.remove("a", id));
        assert!(!store.remove("a", id));
        assert!(store.get("a", id).is_none());
    }

    #[test]
    fn the_newest_comes_first_and_the_oldest_makes_room() {
        let store = Shelves::default();
        let ids: Vec<_> = (0..4).map(|_| store.keep("a", agent(), 3).id).collect();
        let listed: Vec<_> = store.list("a").iter().map(|view| view.id).collect();
        assert_eq!(listed, [ids[3], ids[2], ids[1]]);
        assert!(store.get("a", ids[0]).is_none());
        assert_eq!(store.count_by_tenant(), [("a".to_owned(), 3)].into());
    }
}
