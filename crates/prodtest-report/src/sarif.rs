//! SARIF 2.1.0: a run a gate, a rule a check, a result a finding.
//!
//! GitHub shows the first 5,000 results of a run, wants at least one place for each, tells runs apart by
//! `automationDetails.id` and follows a result by its fingerprint.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use prodtest_gate::{Finding, Place, RunRecord};
use serde_json::{Value, json};
use serde_sarif::sarif::{
    ArtifactLocation, Invocation, Location, Message, Notification, PhysicalLocation, PropertyBag, Region,
    ReportingDescriptor, Result as SarifResult, Run, RunAutomationDetails, Sarif, Suppression, ToolComponent,
};

mod rules;

use self::rules::{Rules, level, message_string};
use crate::{Format, RenderError, problem, text, words};

/// GitHub shows no more of a run.
const MAX_RESULTS: usize = 5_000;
/// The longest text of a result.
const MAX_MESSAGE: usize = 16 * 1024;
/// The key of our fingerprints. GitHub's own, `primaryLocationLineHash`, follows the line; ours the finding.
const FINGERPRINT: &str = "prodtest/v1";
const HOME: &str = "https://github.com/godel/prodtest";
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// What a path may hold without being escaped (RFC 3986, unreserved), and what stands between its parts.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The record as SARIF.
pub(crate) fn render(record: &RunRecord) -> Result<String, RenderError> {
    let problems = problem::problems(record);
    let counting = problems.iter().map(|problem| &*problem.finding);
    let pardoned = record.findings.iter().filter(|finding| finding.pardon.is_some());
    let findings: Vec<&Finding> = counting.chain(pardoned).collect();
    let shown = &findings[..findings.len().min(MAX_RESULTS)];

    let mut rules = Rules::default();
    let results = shown.iter().map(|finding| result(finding, rules.index(record, finding))).collect();
    let run = Run {
        automation_details: Some(RunAutomationDetails {
            id: Some(format!("prodtest/{}/{}/", record.gate, text::line(&record.environment))),
            ..RunAutomationDetails::default()
        }),
        invocations: Some(vec![invocation(record, findings.len() - shown.len())]),
        column_kind: Some(json!("unicodeCodePoints")),
        results: Some(results),
        properties: Some(properties(record)),
        ..Run::builder().tool(driver(record, rules.descriptors)).build()
    };
    let sarif = Sarif {
        schema: Some(SCHEMA.to_owned()),
        version: json!("2.1.0"),
        runs: vec![run],
        inline_external_properties: None,
        properties: None,
    };
    let mut json = serde_json::to_string_pretty(&sarif)?;
    json.push('\n');
    Ok(json)
}

fn driver(record: &RunRecord, rules: Vec<ReportingDescriptor>) -> ToolComponent {
    ToolComponent {
        name: format!("prodtest-{}", record.gate),
        version: Some(text::line(&record.tool_version)),
        information_uri: Some(HOME.to_owned()),
        short_description: Some(message_string(&record.question)),
        rules: Some(rules),
        ..ToolComponent::builder().name("").build()
    }
}

fn result(finding: &Finding, rule_index: i64) -> SarifResult {
    // `[text](target)` is a link even in SARIF's plain texts.
    let message = text::cut(&problem::plain(finding).replace("](", "] ("), MAX_MESSAGE).into_owned();
    let suppressions = finding.pardon.as_ref().map(|pardon| {
        vec![Suppression {
            justification: Some(text::line(&pardon.to_string())),
            ..Suppression::builder().kind(json!("external")).build()
        }]
    });
    SarifResult {
        rule_id: Some(finding.check.to_string()),
        rule_index: Some(rule_index),
        level: Some(level(finding.severity)),
        locations: Some(vec![location(&problem::anchor(finding))]),
        partial_fingerprints: Some(BTreeMap::from([(FINGERPRINT.to_owned(), finding.fingerprint.clone())])),
        suppressions,
        ..SarifResult::builder().message(Message { text: Some(message), ..Message::default() }).build()
    }
}

fn location(place: &Place) -> Location {
    let artifact = ArtifactLocation {
        uri: Some(utf8_percent_encode(&place.file, PATH).to_string()),
        ..ArtifactLocation::default()
    };
    let region =
        Region { start_line: Some(place.line.into()), start_column: Some(place.column.into()), ..Region::default() };
    let physical =
        PhysicalLocation { artifact_location: Some(artifact), region: Some(region), ..PhysicalLocation::default() };
    Location { physical_location: Some(physical), ..Location::default() }
}

/// How the run went: it was successful if it ran to its end, whatever the verdict.
fn invocation(record: &RunRecord, left_out: usize) -> Invocation {
    let mut said: Vec<String> = Vec::new();
    if left_out > 0 {
        said.push(format!("{left_out} more findings are in {}", Format::Run.file_name(&record.gate)));
    }
    said.extend(record.stopped.as_deref().map(|why| format!("ended early: {}", text::line(why))));
    said.extend(record.notes.iter().map(|note| text::line(note)));
    let notifications = said.into_iter().map(|note| Notification {
        level: Some(json!("note")),
        ..Notification::builder()
            .message(Message { text: Some(text::cut(&note, MAX_MESSAGE).into_owned()), ..Message::default() })
            .build()
    });
    let took = SignedDuration::from_millis(i64::try_from(record.duration_ms).unwrap_or(i64::MAX));
    Invocation {
        start_time_utc: Some(record.started.to_string()),
        end_time_utc: record.started.checked_add(took).ok().map(|end| end.to_string()),
        exit_code: Some(record.verdict.exit_code().into()),
        exit_code_description: Some(record.verdict.to_string()),
        tool_execution_notifications: Some(notifications.collect()),
        ..Invocation::builder().execution_successful(record.stopped.is_none()).build()
    }
}

fn properties(record: &RunRecord) -> PropertyBag {
    let texts = [
        ("verdict", Some(record.verdict.as_str())),
        ("question", Some(record.question.as_str())),
        ("service", Some(record.service.as_str())),
        ("environment", Some(record.environment.as_str())),
        ("commit", record.commit.as_deref()),
        ("digest", record.digest.as_deref()),
    ];
    let texts = texts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(text::line(value?)))));
    let figures: Value = record
        .figures
        .iter()
        .map(|figure| (figure.name.clone(), json!(words::quantity(&figure.value))))
        .collect::<serde_json::Map<_, _>>()
        .into();
    PropertyBag { tags: None, additional_properties: texts.chain([("figures".to_owned(), figures)]).collect() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture;

    fn rendered(record: &RunRecord) -> Value {
        serde_json::from_str(&render(record).unwrap()).unwrap()
    }

    fn validator() -> jsonschema::Validator {
        // The schema's pattern for languages has a bracket too many for strict readers of regular expressions.
        let schema = include_str!("../tests/data/sarif-2.1.0.schema.json").replace("{2}]?$", "{2}\\\\]?$");
        let schema: Value = serde_json::from_str(&schema).unwrap();
        jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
    }

    fn assert_valid(validator: &jsonschema::Validator, sarif: &Value) {
        let faults: Vec<String> =
            validator.iter_errors(sarif).map(|fault| format!("{} at {}", fault, fault.instance_path())).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }

    #[test]
    fn it_is_what_the_schema_says() {
        let validator = validator();
        for record in [fixture::green(), fixture::red(), fixture::hostile()] {
            assert_valid(&validator, &rendered(&record));
        }
    }

    #[test]
    fn a_result_says_what_where_and_which() {
        let sarif = rendered(&fixture::red());
        let results = &sarif["runs"][0]["results"];
        insta::assert_snapshot!(serde_json::to_string_pretty(&results[0]).unwrap(), @r#"
        {
          "level": "error",
          "locations": [
            {
              "physicalLocation": {
                "artifactLocation": {
                  "uri": "scenarios/agent%20life.yaml"
                },
                "region": {
                  "startColumn": 5,
                  "startLine": 7
                }
              }
            }
          ],
          "message": {
            "text": "`POST /api/agents` answered 500\nexpected: 201\nseen: 500 Internal Server Error\nwhere: scenarios/agent life.yaml:7:5\nwhy: the database refuses connections:\n  `dial tcp 10.0.0.7:5432: connection refused`\nwhat to do: read the log of the pod that answered\nto see more: curl -sS -X POST http://127.0.0.1:7373/api/agents"
          },
          "partialFingerprints": {
            "prodtest/v1": "f9d67b891725d9b9657343c6349622560b9a4726b6ba66867ff5e3d87a866b7e"
          },
          "ruleId": "smoke/spawn",
          "ruleIndex": 0
        }
        "#);
        assert_eq!(results.as_array().unwrap().len(), 4);
        assert_eq!(results[3]["suppressions"][0]["kind"], "external");
        assert_eq!(sarif["runs"][0]["automationDetails"]["id"], "prodtest/smoke/staging/");
    }

    #[test]
    fn a_rule_leads_to_its_page() {
        let sarif = rendered(&fixture::red());
        insta::assert_snapshot!(serde_json::to_string_pretty(&sarif["runs"][0]["tool"]["driver"]["rules"][0]).unwrap(), @r#"
        {
          "defaultConfiguration": {
            "level": "error"
          },
          "fullDescription": {
            "text": "an agent can be spawned"
          },
          "help": {
            "markdown": "[What `smoke/spawn` looks at, why, and what to do](https://github.com/godel/prodtest/blob/main/docs/checks/smoke/spawn.md)",
            "text": "What smoke/spawn looks at, why, and what to do: https://github.com/godel/prodtest/blob/main/docs/checks/smoke/spawn.md"
          },
          "helpUri": "https://github.com/godel/prodtest/blob/main/docs/checks/smoke/spawn.md",
          "id": "smoke/spawn",
          "name": "spawn",
          "properties": {
            "tags": [
              "prodtest",
              "smoke"
            ],
            "problem.severity": "error"
          },
          "shortDescription": {
            "text": "an agent can be spawned"
          }
        }
        "#);
    }

    #[test]
    fn an_empty_run_closes_old_alerts() {
        let sarif = rendered(&fixture::green());
        assert_eq!(sarif["runs"][0]["results"], json!([]));
    }

    #[test]
    fn the_worst_are_kept_and_the_rest_is_counted() {
        let sarif = rendered(&fixture::flood(20_000));
        let run = &sarif["runs"][0];
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), MAX_RESULTS);
        assert!(results.iter().all(|result| result["level"] == "error"));
        let note = &run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
        assert_eq!(note, "15000 more findings are in smoke.run.json");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn any_text_is_valid(text in fixture::any_text()) {
            let sarif = rendered(&fixture::saying(&text));
            assert_valid(&validator(), &sarif);
        }
    }
}
