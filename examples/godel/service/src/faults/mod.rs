//! Faults: each breaks the service in one place, so that one check of a gate must turn red.
//!
//! Probes of the kubelet are always spared: a pod that loses its probes is replaced, and its fault with it.

mod injector;
mod line;

use std::fmt::Write as _;

use serde::Serialize;

pub(crate) use injector::inject;
pub(crate) use line::on_line;

/// A way to be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "`TABLE` says what each does")]
pub enum Fault {
    DegradedHealth,
    HtmlLogin,
    AuthOpen,
    AnyKey,
    TenantLeak,
    AdminOpen,
    Spawn200,
    AgentStuck,
    AgentFails,
    AgentVanishes,
    DeleteIgnored,
    Burst500,
    Stall,
    Reset,
    TruncatedJson,
    WrongVersion,
    SlowStart,
    MemoryHog,
}

/// A fault, as it is listed.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Entry {
    /// What `--fault` calls it.
    pub name: &'static str,
    /// What it does.
    pub what: &'static str,
    /// The check that must turn red; `none` where the gate must stay green.
    pub check: &'static str,
    /// The fault itself.
    #[serde(skip)]
    pub fault: Fault,
}

const fn entry(fault: Fault, name: &'static str, check: &'static str, what: &'static str) -> Entry {
    Entry { name, what, check, fault }
}

/// All faults.
#[rustfmt::skip]
pub const TABLE: [Entry; 18] = [
    entry(Fault::DegradedHealth, "degraded-health", "smoke/health", "GET /api/health says `degraded`, with a 200"),
    entry(Fault::HtmlLogin, "html-login", "smoke/auth-accepted", "GET /api/agents with a valid key answers a login page, with a 200"),
    entry(Fault::AuthOpen, "auth-open", "smoke/auth-required", "GET /api/agents admits a request without a key, as the tenant `default`"),
    entry(Fault::AnyKey, "any-key", "smoke/auth-wrong-key", "GET /api/agents admits any key that is not empty"),
    entry(Fault::TenantLeak, "tenant-leak", "smoke/tenant-isolation", "GET /api/agents/{id} shows other tenants' agents"),
    entry(Fault::AdminOpen, "admin-open", "smoke/admin-restricted", "GET /api/admin and below admit an ordinary key"),
    entry(Fault::Spawn200, "spawn-200", "smoke/agent-lifecycle", "POST /api/agents answers 200 instead of 201"),
    entry(Fault::AgentStuck, "agent-stuck", "smoke/agent-lifecycle", "an agent runs for ever"),
    entry(Fault::AgentFails, "agent-fails", "smoke/agent-lifecycle", "an agent ends as `failed`, with an error"),
    entry(Fault::AgentVanishes, "agent-vanishes", "smoke/agent-lifecycle", "an agent that was once read as `completed` is then 404"),
    entry(Fault::DeleteIgnored, "delete-ignored", "smoke/agent-lifecycle", "DELETE /api/agents/{id} answers 204 and deletes nothing"),
    entry(Fault::Burst500, "burst-500", "smoke/concurrency", "GET /api/health answers 500 where X-Request-Index % 50 is 49"),
    entry(Fault::Stall, "stall", "smoke/health", "GET /api/health takes 3 s, unless it has an X-Request-Index"),
    entry(Fault::Reset, "reset", "smoke/auth-accepted", "GET /api/agents with a valid key breaks off with a TCP reset, half way through the body"),
    entry(Fault::TruncatedJson, "truncated-json", "smoke/health", "GET /api/health answers half of its JSON"),
    entry(Fault::WrongVersion, "wrong-version", "smoke/version", "GET /api/health reports another version"),
    entry(Fault::SlowStart, "slow-start", "none", "everything below /api answers 503 for the first 5 s"),
    entry(Fault::MemoryHog, "memory-hog", "deploy/rollout", "it takes 2 GiB of memory before it serves"),
];

impl Fault {
    /// The fault of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        let entry = TABLE.iter().find(|entry| entry.name == name);
        entry.map(|entry| entry.fault)
    }

    /// What `--fault` calls it.
    pub fn name(self) -> &'static str {
        let entry = TABLE.iter().find(|entry| entry.fault == self);
        entry.map_or("", |entry| entry.name)
    }
}

/// The list of faults, for people.
pub fn table() -> String {
    let mut table = format!("{:<16} {:<23} WHAT IT DOES\n", "FAULT", "CHECK THAT TURNS RED");
    for Entry { name, what, check, .. } in TABLE {
        // Writing to a string cannot fail.
        let _ = writeln!(table, "{name:<16} {check:<23} {what}");
    }
    table
}

/// The list of faults, for programs: an array of `{name, what, check}`.
pub fn json() -> String {
    format!("{:#}\n", serde_json::json!(TABLE.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_its_fault_and_back() {
        for entry in TABLE {
            assert_eq!(Fault::by_name(entry.name), Some(entry.fault));
            assert_eq!(entry.fault.name(), entry.name);
        }
    }
}
