//! The lines of `--list`: what a gate would check.

use prodtest_gate::Check;

use crate::text;

/// One check a line: its id, its limits, the requirements it proves; `-` where there are none, so that every line has
/// three columns for `awk` and `cut`.
#[must_use]
pub fn list(checks: &[Check]) -> String {
    let rows: Vec<[String; 3]> = checks.iter().map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (ids, limits) = (width(0), width(1));
    rows.iter().map(|[id, limit, proves]| format!("{id:ids$}  {limit:limits$}  {proves}\n")).collect()
}

fn row(check: &Check) -> [String; 3] {
    let limits: Vec<String> =
        check.limits.iter().map(|limit| text::line(&format!("{} {}", limit.name, limit.value))).collect();
    let proves = text::line(&check.requirements.join(", "));
    let limits = limits.join(", ");
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    [check.id.to_string(), or_dash(limits), or_dash(proves)]
}

#[cfg(test)]
mod tests {
    use prodtest_gate::{Check, CheckId, Limit};

    use super::*;

    #[test]
    fn ids_come_first_and_columns_are_aligned() {
        let check = |name: &str| Check::new(CheckId::new("smoke", name).unwrap(), "a title");
        let within = Limit { name: "within".into(), value: "2 s".into() };
        let p99 = Limit { name: "p99".into(), value: "200 ms".into() };
        let checks = [
            Check { limits: vec![within.clone()], requirements: vec!["FR1.2".into()], ..check("health") },
            Check { limits: vec![within, p99], ..check("agent-lifecycle") },
            check("auth"),
        ];
        insta::assert_snapshot!(list(&checks), @r#"
        smoke/health           within 2 s              FR1.2
        smoke/agent-lifecycle  within 2 s, p99 200 ms  -
        smoke/auth             -                       -
        "#);
        assert_eq!(list(&[]), "");
    }
}
