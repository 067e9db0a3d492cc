//! The pages of the checks: what, why, limits, what to do.

use anyhow::Result;
use serde_json::json;

use super::render::render;
use crate::describe::{self, Check, Gate};

/// The page of one check, with what is known to turn it red.
pub(super) fn check(gate: &Gate, check: &Check, noticed: &[&str]) -> Result<String> {
    let needs: Vec<_> = check.needs.iter().map(|id| json!({ "id": id, "link": link(&check.id, id) })).collect();
    let leaning: Vec<_> = gate
        .checks
        .iter()
        .filter(|other| other.needs.contains(&check.id))
        .map(|other| json!({ "id": other.id, "link": link(&check.id, &other.id) }))
        .collect();
    let context = json!({
        "check": check,
        "program": describe::program(&gate.gate),
        "question": gate.question,
        "needs": needs,
        "leaning": leaning,
        "noticed": noticed,
        "example": describe::EXAMPLE.0,
    });
    render(include_str!("../../templates/check.md.jinja"), context)
}

/// The list of all checks.
pub(super) fn index(gates: &[Gate]) -> Result<String> {
    render(include_str!("../../templates/checks.md.jinja"), json!({ "gates": gates, "example": describe::EXAMPLE.0 }))
}

/// From the page of `from` to that of `to`: pages of one gate lie side by side.
fn link(from: &str, to: &str) -> String {
    let folder = |id: &str| id.split_once('/').map(|(gate, _)| gate.to_owned());
    if folder(from) == folder(to) {
        let name = to.split_once('/').map_or(to, |(_, name)| name);
        format!("{name}.md")
    } else {
        format!("../{to}.md")
    }
}

#[cfg(test)]
mod tests {
    use super::link;

    #[test]
    fn pages_of_one_gate_lie_side_by_side() {
        assert_eq!(link("smoke/a", "smoke/b"), "b.md");
        assert_eq!(link("smoke/a", "verify/b"), "../verify/b.md");
    }
}
