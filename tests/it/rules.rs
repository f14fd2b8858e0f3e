//! The rules for Prometheus: that promtool takes them, that what fires and what does not is proven for
//! each, and that each alert leads to a section of the runbook.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::documents::{assert_accepts, path, read, yaml};
use crate::grafana::{list, text};
use crate::promql::{Token, tokens};
use crate::queries::RULES;
use crate::tools::tool;

const RESOURCE: &str = "dashboards/rules/metaaccess.prometheusrule.yml";
const TESTS: [&str; 2] = [
    "dashboards/rules/metaaccess.tests.yml",
    "dashboards/rules/metaaccess.days.tests.yml",
];
const RUNBOOK: &str = "dashboards/runbook.md";

/// The rules of all groups that have this key: `alert` or `record`.
fn with(key: &str) -> Vec<Value> {
    let file = yaml(RULES);
    let rules = list(&file["groups"]).flat_map(|group| list(&group["rules"]).cloned());
    let found: Vec<Value> = rules.filter(|rule| rule[key].is_string()).collect();
    assert!(!found.is_empty(), "no {key}");
    found
}

fn names(key: &str) -> BTreeSet<String> {
    let rules = with(key);
    rules
        .iter()
        .map(|rule| text(rule, key).to_owned())
        .collect()
}

#[test]
fn promtool_takes_both_files_of_rules() {
    let Some(promtool) = tool("promtool") else {
        return;
    };
    let check = |file: &Path| {
        let mut command = Command::new(promtool.get_program());
        assert_accepts(command.args(["check", "rules"]).arg(file));
    };
    check(&path(RULES));
    let folder = tempfile::tempdir().expect("a folder");
    let spec = folder.path().join("spec.yml");
    // JSON is YAML.
    std::fs::write(&spec, yaml(RESOURCE)["spec"].to_string()).expect("written");
    check(&spec);
}

#[test]
fn the_resource_of_the_operator_has_the_rules_of_the_file() {
    let resource = yaml(RESOURCE);
    assert_eq!(resource["apiVersion"], "monitoring.coreos.com/v1");
    assert_eq!(resource["kind"], "PrometheusRule");
    assert_eq!(resource["spec"], yaml(RULES));
}

#[test]
fn alerts_fire_when_they_should_and_not_when_they_nearly_should() {
    prove(TESTS[0]);
}

#[test]
fn alerts_fire_when_they_should_over_hours_and_days() {
    prove(TESTS[1]);
}

fn prove(tests: &str) {
    if let Some(mut promtool) = tool("promtool") {
        assert_accepts(promtool.args(["test", "rules"]).arg(path(tests)));
    }
}

/// What the tests hold of each name: whether there is something, and whether there is nothing.
#[derive(Debug, Default)]
struct Proof {
    speaks: bool,
    is_silent: bool,
    values: BTreeSet<String>,
}

#[test]
fn every_alert_and_every_recorded_series_is_proven_both_ways() {
    let mut proofs: BTreeMap<String, Proof> = BTreeMap::new();
    for file in TESTS {
        for case in list(&yaml(file)["tests"]) {
            for told in list(&case["alert_rule_test"]) {
                let proof = proofs
                    .entry(text(told, "alertname").to_owned())
                    .or_default();
                let fires = list(&told["exp_alerts"]).next().is_some();
                proof.speaks |= fires;
                proof.is_silent |= !fires;
            }
            for told in list(&case["promql_expr_test"]) {
                for series in series_in(text(told, "expr")) {
                    let proof = proofs.entry(series).or_default();
                    let samples = list(&told["exp_samples"]);
                    let values: Vec<_> = samples.map(|it| it["value"].to_string()).collect();
                    proof.speaks |= !values.is_empty();
                    proof.is_silent |= values.is_empty();
                    proof.values.extend(values);
                }
            }
        }
    }
    for name in names("alert") {
        let proof = proofs.remove(&name).unwrap_or_default();
        assert!(proof.speaks && proof.is_silent, "{name}: {proof:?}");
    }
    for name in names("record") {
        let proof = proofs.remove(&name).unwrap_or_default();
        let differs = proof.is_silent || proof.values.len() > 1;
        assert!(proof.speaks && differs, "{name}: {proof:?}");
    }
    assert!(proofs.is_empty(), "no such rules: {:?}", proofs.keys());
}

/// The recorded series that a query reads.
fn series_in(query: &str) -> BTreeSet<String> {
    let words = tokens(query).into_iter().filter_map(|token| match token {
        Token::Word(word) if word.contains(':') => Some(word),
        _ => None,
    });
    words.collect()
}

#[test]
fn every_case_that_fires_holds_the_whole_text() {
    for file in TESTS {
        for case in list(&yaml(file)["tests"]) {
            for told in list(&case["alert_rule_test"]) {
                for alert in list(&told["exp_alerts"]) {
                    let words = &alert["exp_annotations"];
                    for name in ["summary", "description", "runbook"] {
                        let word = text(words, name);
                        assert!(!word.is_empty(), "{told}");
                        assert!(!word.contains("{{") && !word.contains("no value"), "{word}");
                    }
                }
            }
        }
    }
}

#[test]
fn every_alert_says_how_bad_it_is_what_it_means_and_where_to_read_on() {
    for alert in with("alert") {
        let name = text(&alert, "alert");
        let is_camel = name.starts_with("MetaAccess") && name.chars().all(char::is_alphanumeric);
        assert!(is_camel, "{name}");
        let severity = text(&alert["labels"], "severity");
        assert!(
            ["critical", "warning", "info"].contains(&severity),
            "{name}: {severity}"
        );
        let words = &alert["annotations"];
        let (summary, description) = (text(words, "summary"), text(words, "description"));
        assert!(!summary.is_empty() && !summary.ends_with('.'), "{name}");
        assert!(description.ends_with('.'), "{name}: {description}");
        let runbook = format!("{RUNBOOK}#{}", anchor(name));
        assert_eq!(text(words, "runbook"), runbook);
    }
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn the_runbook_has_a_section_for_every_alert_and_for_no_other() {
    let runbook = read(RUNBOOK);
    let headings: Vec<&str> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    let alerts = with("alert");
    let in_order: Vec<&str> = alerts.iter().map(|alert| text(alert, "alert")).collect();
    assert_eq!(headings, in_order);
}

/// What a reader at night looks for, in each section.
#[test]
fn every_section_of_the_runbook_answers_the_same_questions() {
    let runbook = read(RUNBOOK);
    for section in runbook.split("\n## ").skip(1) {
        let name = section.lines().next().unwrap_or_default();
        for question in [
            "**How bad**:",
            "**Look first**",
            "**It ends**",
            "**Too loud**",
        ] {
            assert!(section.contains(question), "{name}: {question}");
        }
    }
}

#[test]
fn every_setting_is_used_by_an_alert_and_stands_in_the_readme() {
    let settings: BTreeSet<String> = with("record")
        .iter()
        .map(|rule| text(&rule["labels"], "setting").to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    let mut used = BTreeSet::new();
    for alert in with("alert") {
        let quoted = tokens(text(&alert, "expr"))
            .windows(3)
            .filter_map(|three| match three {
                [Token::Word(label), Token::Sign('='), Token::Quoted(name)]
                    if label == "setting" =>
                {
                    Some(name.clone())
                }
                _ => None,
            })
            .collect::<Vec<_>>();
        used.extend(quoted);
    }
    assert_eq!(settings, used);
    let readme = read("dashboards/README.md");
    for setting in settings {
        assert!(readme.contains(&format!("\n| `{setting}` | ")), "{setting}");
    }
}

#[test]
fn every_range_holds_at_least_four_scrapes() {
    for rule in [with("alert"), with("record")].concat() {
        let query = text(&rule, "expr");
        for range in query.split('[').skip(1) {
            let range = range.split(']').next().unwrap_or_default();
            // Those of a regular expression are no times.
            let Some(seconds) = seconds(range) else {
                continue;
            };
            assert!(seconds >= 4 * 15, "[{range}] in {query}");
        }
    }
}

fn seconds(range: &str) -> Option<u64> {
    let number = range.strip_suffix(char::is_alphabetic)?;
    let unit = match range.strip_prefix(number)? {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    Some(number.parse::<u64>().ok()? * unit)
}

/// Three failed log-ons within a quarter of an hour.
const THREE_FAIL: &str = r#"metaaccess_events_total{account="europe",event_type="admin",category="Console",version="",hostname="TEST-DESK",event="Admin Failed Authentication",job="metaaccess",instance="exporter-0:19720"}"#;

/// Runs one case on rules whose setting is changed.
fn fires_with(promtool: &Command, failed_log_ons: &str) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = read(RULES);
    let (setting, changed) = (
        "vector(5)\n    labels:\n      setting: failed_log_ons",
        failed_log_ons,
    );
    assert!(rules.contains(setting), "the setting");
    let rules = rules.replace(setting, &setting.replace("vector(5)", changed));
    std::fs::write(folder.path().join("rules.yml"), rules).expect("written");
    let groups = yaml(RULES);
    let order: Vec<&str> = list(&groups["groups"])
        .map(|group| text(group, "name"))
        .collect();
    let tests = json!({
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "group_eval_order": order,
        "tests": [{
            "interval": "1m",
            "input_series": [{"series": THREE_FAIL, "values": "7x9 8 9 10x20"}],
            "alert_rule_test": [
                {"eval_time": "20m", "alertname": "MetaAccessAdminLogOnFailures", "exp_alerts": []},
            ],
        }],
    });
    let file = folder.path().join("tests.yml");
    std::fs::write(&file, tests.to_string()).expect("written");
    let mut command = Command::new(promtool.get_program());
    command.args(["test", "rules"]).arg(file);
    command.output().expect("it runs")
}

#[test]
fn a_threshold_is_changed_by_one_number_in_the_file() {
    let Some(promtool) = tool("promtool") else {
        return;
    };
    for (setting, fires) in [
        ("vector(5)", false),
        ("vector(4)", false),
        ("vector(3)", true),
    ] {
        let output = fires_with(&promtool, setting);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.success(), !fires, "{setting}: {said}");
        assert_eq!(
            said.contains("3 failed log-ons of administrators of europe"),
            fires,
            "{said}"
        );
    }
}
