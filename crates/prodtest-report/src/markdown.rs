//! Markdown for GitHub's step summary and for comments: the verdict, the checks, then what is wrong, worst first.

use prodtest_gate::{CheckRecord, Finding, Listing, Outcome, RunRecord};

use crate::{
    Format,
    escape::{block, code, inline},
    meanwhile,
    problem::{self, COMMAND, Problem},
    text, words,
};

/// What fits into a GitHub step summary (1 MiB for all that a step writes), with some room for others.
pub const SUMMARY_BYTES: usize = 1000 * 1024;
/// What fits into a comment on GitHub (65,536 characters), with some room for a heading.
pub const COMMENT_BYTES: usize = 60 * 1024;

/// A field that is longer than this, or has lines, is a block of its own.
const MAX_INLINE: usize = 200;
/// How many controls, pardons and notes are listed.
const MAX_LISTED: usize = 20;
/// How much of a listing is shown, in bytes.
const MAX_LISTING: usize = 8 * 1024;
/// The longest line of a list or a table.
const MAX_LINE: usize = 600;

/// The record as Markdown of at most `max_bytes`. What does not fit is counted and left to the other reports.
#[must_use]
pub fn render(record: &RunRecord, max_bytes: usize) -> String {
    let problems = problem::problems(record);
    let head = head(record);
    let tail = tail(record);
    // A third for the table, and the problems take what is left; each leaves room for the word on what is missing.
    let room = max_bytes.saturating_sub(head.len() + tail.len() + 2 * MAX_LINE);
    let table = table(record, room / 3);
    let told = told(record, &problems, room.saturating_sub(table.len()));
    let page = [head, table, told, tail].concat();
    if page.len() <= max_bytes {
        return page;
    }
    // Only when there is hardly room for a verdict.
    page[..page.floor_char_boundary(max_bytes)].to_owned()
}

fn head(record: &RunRecord) -> String {
    let mut head = format!(
        "## {} {}: {} ({})\n\n{} **{}:** {} in {}.\n\n",
        words::verdict_mark(record.verdict),
        record.gate,
        record.verdict,
        short(&record.environment),
        short(&record.question),
        words::answer(record.verdict),
        words::counts(record),
        words::took(record),
    );
    if let Some(why) = &record.stopped {
        head.push_str(&format!("⚠️ **The run ended early:** {}\n\n", short(why)));
    }
    let mut about = vec![format!("service {}", code(&text::cut(&text::line(&record.service), MAX_INLINE)))];
    about.extend(record.commit.as_deref().map(|commit| format!("commit {}", code(&text::cut(commit, MAX_INLINE)))));
    about.extend(
        record.digest.as_deref().map(|digest| format!("image {}", code(&text::cut(&text::line(digest), MAX_INLINE)))),
    );
    about.push(format!("started {}", record.started));
    about.push(format!("prodtest {}", short(&record.tool_version)));
    head.push_str(&about.join(" · "));
    head.push_str("\n\n");
    head
}

fn table(record: &RunRecord, room: usize) -> String {
    let mut table = String::from("| | check | outcome | time | seen |\n|---|---|---|---:|---|\n");
    let mut left_out = 0_usize;
    // When not all fit, what blocks is told first.
    let findings = problem::by_check(record);
    let of = |check: &CheckRecord| findings.get(&check.check.id).map_or(&[][..], Vec::as_slice);
    let rows: Vec<(&CheckRecord, String)> =
        record.checks.iter().map(|check| (check, row(record, check, of(check)))).collect();
    let all_fit = rows.iter().map(|(_, row)| row.len()).sum::<usize>() + table.len() <= room;
    for (_, row) in rows.iter().filter(|(check, _)| all_fit || check.blocks()) {
        if all_fit || table.len() + row.len() <= room {
            table.push_str(row);
        } else {
            left_out += 1;
        }
    }
    if !all_fit {
        left_out += rows.iter().filter(|(check, _)| !check.blocks()).count();
        table.push_str(&format!("\n{left_out} more checks are in the report.\n"));
    }
    table.push('\n');
    table
}

fn row(record: &RunRecord, check: &CheckRecord, findings: &[&Finding]) -> String {
    let time = if check.outcome == Outcome::Skipped { String::new() } else { words::duration(check.duration_ms) };
    let name = match check.check.id.gate() {
        gate if gate == record.gate => check.check.id.name(),
        _ => check.check.id.as_str(),
    };
    format!(
        "| {} | {} | {} | {time} | {} |\n",
        words::mark(check.outcome),
        code(name),
        words::outcome(check),
        short(&words::seen(check, findings))
    )
}

fn told(record: &RunRecord, problems: &[Problem<'_>], room: usize) -> String {
    let mut told = String::new();
    for (count, problem) in problems.iter().enumerate() {
        let section = section(problem);
        if told.len() + section.len() > room {
            let left_out = problems.len() - count;
            let file = Format::Html.file_name(&record.gate);
            told.push_str(&format!("**{left_out} more problems are in the report** (`{file}`).\n\n"));
            break;
        }
        told.push_str(&section);
    }
    told
}

fn section(problem: &Problem<'_>) -> String {
    let finding = &problem.finding;
    let mut section = format!(
        "### {} {} {} ({})\n\n{}\n\n",
        words::mark(problem.outcome),
        code(finding.check.as_str()),
        problem.outcome,
        finding.severity.as_str(),
        inline(&problem::message(finding)),
    );
    for (word, field) in problem::fields(finding) {
        // A field is never at the start of a line, where GitLab would take `/close` for an order.
        if word == COMMAND {
            section.push_str(&format!("- **{word}**\n\n{}", block("sh", &field, 2)));
        } else if field.contains('\n') || field.len() > MAX_INLINE {
            section.push_str(&format!("- **{word}**\n\n{}", block("text", &field, 2)));
        } else if word == "where" {
            section.push_str(&format!("- **{word}** {}\n", code(&field)));
        } else {
            section.push_str(&format!("- **{word}** {}\n", inline(&field)));
        }
    }
    section.push('\n');
    section
}

fn tail(record: &RunRecord) -> String {
    let controls = record.controls.iter().map(words::control).collect();
    let pardons = problem::pardoned(record).into_iter().map(|(what, pardon)| format!("{what}: {pardon}")).collect();
    let tail = [
        ("Over time", meanwhile::lines(record)),
        ("Controls", controls),
        ("Pardons", pardons),
        ("Notes", record.notes.clone()),
    ];
    let tail = tail.into_iter().map(|(title, lines)| list(title, &lines));
    tail.chain(record.listings.iter().take(MAX_LISTED).map(listing)).collect()
}

/// A listing is never at the start of a line, as no text from strangers is.
fn listing(listing: &Listing) -> String {
    format!("- {}\n\n{}", short(&listing.title), block("text", &text::cut(&listing.text, MAX_LISTING), 2))
}

fn list(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut list = format!("#### {title}\n\n");
    for line in lines.iter().take(MAX_LISTED) {
        list.push_str(&format!("- {}\n", short(line)));
    }
    if let Some(left_out) = lines.len().checked_sub(MAX_LISTED).filter(|left_out| *left_out > 0) {
        list.push_str(&format!("- {left_out} more are in the report\n"));
    }
    list.push('\n');
    list
}

/// A text of bounded length inside a line.
fn short(text: &str) -> String {
    inline(&text::cut(&text::line(text), MAX_LINE))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture;

    #[test]
    fn a_red_run_reads_from_verdict_to_cause() {
        insta::assert_snapshot!(render(&fixture::red(), SUMMARY_BYTES), @r#"
        ## ❌ smoke: failed (staging)

        Does it do its job for a user? **No:** 1 passed, 3 failed, 1 undetermined, 1 skipped; 1 pardoned in 2.13 s.

        service `godel` · commit `0123456789abcdef0123456789abcdef01234567` · started 2026-03-01T10:00:00.25Z · prodtest 0.1.0

        | | check | outcome | time | seen |
        |---|---|---|---:|---|
        | ❌ | `health` | failed | 12 ms | `GET /api/health` answered 503 |
        | ✅ | `burst` | passed | 2.1 s | slowest request: 212 ms (limit 500 ms) |
        | ➖ | `tls` | skipped |  | the address is not HTTPS |
        | ❌ | `spawn` | failed | 12 ms | `POST /api/agents` answered 500 |
        | ❔ | `lifecycle` | undetermined | 12 ms | `smoke/spawn`, on which it leans, failed |
        | ❌ | `cors` | failed (waived) | 12 ms | any origin is allowed |

        ### ❌ `smoke/spawn` failed (critical)

        `POST /api/agents` answered 500

        - **expected** 201
        - **seen** 500 Internal Server Error
        - **where** `scenarios/agent life.yaml:7:5`
        - **why**

          ```text
          the database refuses connections:
          `dial tcp 10.0.0.7:5432: connection refused`
          ```
        - **what to do** read the log of the pod that answered
        - **to see more**

          ```sh
          curl -sS -X POST http://127.0.0.1:7373/api/agents
          ```

        ### ❌ `smoke/health` failed (high)

        `GET /api/health` answered 503

        - **expected** 200
        - **seen** 503 Service Unavailable
        - **where** `prodtest.yaml:12:3`

        ### ❔ `smoke/lifecycle` undetermined (high)

        could not be measured: `smoke/spawn`, on which it leans, failed


        #### Controls

        - control `a status of 500 where 200 is asked for` tripped: `GET /` of the loopback server gave 500 and was noticed

        #### Pardons

        - `smoke/cors` failed: waived by ops until 2026-06-01: until the gateway is replaced

        #### Notes

        - the waiver at waivers.yaml:9:1 excused nothing in this run
        "#);
    }

    #[test]
    fn strangers_format_nothing() {
        let page = render(&fixture::saying(fixture::HOSTILE), SUMMARY_BYTES);
        assert!(!page.contains("<script>") || page.contains("```"));
        insta::assert_snapshot!(page.lines().find(|line| line.starts_with("⚠️")).unwrap().replace('\u{200b}', "(zw)"), @r#"⚠️ **The run ended early:** \]\]&gt; &lt;script&gt;alert(1)&lt;/script&gt; %(zw)0A::error::x ::error::y ##\[error\]z \| \`a\` b\` @(zw)everyone https:(zw)//evil.example red     &lt;/style&gt; {{ 7 \* 7 }} &amp;amp; "'"#);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let page = render(&fixture::flood(1000), COMMENT_BYTES);
        assert!(page.len() <= COMMENT_BYTES);
        let told = page.matches("### ❌").count();
        assert!(page.contains(&format!("**{} more problems are in the report** (`smoke.html`)", 1000 - told)));
        assert!(page.contains("#### Controls"), "the end is not lost");
        let first = page.find("(critical)").unwrap();
        assert!(page.find("(low)").is_none_or(|low| first < low), "worst first");
    }

    #[test]
    fn of_too_many_checks_those_that_block_are_told() {
        let mut record = fixture::red();
        let passed = record.checks[1].clone();
        record.checks.extend((0..2000).map(|_| passed.clone()));
        let page = render(&record, COMMENT_BYTES);
        assert!(page.contains("| ❌ | `spawn` |"));
        assert!(page.contains("2003 more checks are in the report."));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_never_exceeds_its_bounds(text in fixture::any_text(), max in 0..20_000_usize) {
            prop_assert!(render(&fixture::saying(&text), max).len() <= max);
        }
    }
}
