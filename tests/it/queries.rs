//! Every query that users are given, in dashboards, rules and the README, held against the catalogue.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use metaaccess_exporter::catalogue::{self, Kind};
use serde_json::{Value, json};

use crate::documents::{assert_accepts, assert_marked, fenced_in, yaml};
use crate::grafana::{Dashboard, list, text};
use crate::promql::named;
use crate::tools::tool;

/// Where the rules are.
pub const RULES: &str = "dashboards/rules/metaaccess.rules.yml";

/// The rules of all groups.
fn rules() -> Vec<Value> {
    let file = yaml(RULES);
    let groups = list(&file["groups"]);
    let rules: Vec<Value> = groups
        .flat_map(|group| list(&group["rules"]).cloned())
        .collect();
    assert!(!rules.is_empty(), "no rules");
    rules
}

/// The names that the rules record.
fn recorded() -> BTreeSet<String> {
    let rules = rules();
    let names = rules.iter().map(|rule| text(rule, "record").to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

/// What dashboards and rules ask, and where it stands.
fn of_dashboards_and_rules() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for dashboard in Dashboard::all() {
        let all = [dashboard.panel_queries(), dashboard.annotation_queries()].concat();
        let place = |place: &str| format!("{}: {place}", dashboard.file);
        queries.extend(
            all.iter()
                .map(|query| (place(query.place), query.expr.to_owned())),
        );
        for variable in dashboard.variables() {
            let query = text(&variable["query"], "query");
            queries.push((place(text(variable, "name")), inside_label_values(query)));
        }
    }
    for rule in rules() {
        let name = format!("{}{}", text(&rule, "record"), text(&rule, "alert"));
        queries.push((format!("{RULES}: {name}"), text(&rule, "expr").to_owned()));
    }
    queries.retain(|(_, query)| !query.is_empty());
    queries
}

/// Those of README and runbook, which an empty line parts.
fn of_documents() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for document in ["README.md", "dashboards/runbook.md"] {
        let fenced = fenced_in(document, "promql");
        assert!(!fenced.is_empty(), "no queries in {document}");
        let parts = fenced.iter().flat_map(|text| text.split("\n\n"));
        queries.extend(parts.map(|query| (document.to_owned(), query.to_owned())));
    }
    queries
}

fn all_queries() -> Vec<(String, String)> {
    [of_dashboards_and_rules(), of_documents()].concat()
}

/// The series of `label_values(series, label)`, which is Grafana's and not PromQL.
fn inside_label_values(query: &str) -> String {
    let call = query.strip_prefix("label_values(");
    let series = call.and_then(|call| call.rsplit_once(',')).map(|(s, _)| s);
    series.unwrap_or(query).to_owned()
}

/// The metric of the catalogue that a series belongs to: a histogram has its name with three endings.
fn metric_of(name: &str) -> Option<&'static str> {
    let mut metrics = catalogue::ALL.iter();
    let metric = metrics.find(|metric| {
        let endings: &[&str] = match metric.kind {
            Kind::Histogram => &["_bucket", "_sum", "_count"],
            Kind::Counter | Kind::Gauge => &[""],
        };
        let rest = name.strip_prefix(metric.name);
        rest.is_some_and(|rest| endings.contains(&rest))
    });
    metric.map(|metric| metric.name)
}

/// Ours, a histogram's, a setting's, or one that Prometheus or a cluster adds to each target.
fn label_exists(label: &str) -> bool {
    const OTHERS: [&str; 6] = ["le", "job", "instance", "pod", "__name__", "setting"];
    let mut ours = catalogue::ALL.iter().flat_map(|metric| metric.labels);
    ours.any(|name| *name == label) || OTHERS.contains(&label)
}

#[test]
fn queries_name_only_metrics_and_labels_that_there_are() {
    let recorded = recorded();
    for (place, query) in all_queries() {
        let named = named(&query);
        assert!(
            !named.names().is_empty() || query.starts_with("vector("),
            "{place}: {query}"
        );
        for name in named.names() {
            let exists = metric_of(name).is_some() || recorded.contains(name);
            let is_other = ["$counts", "up"].contains(&name);
            assert!(exists || is_other, "{place}: {name}\n{query}");
        }
        for label in &named.labels {
            assert!(label_exists(label), "{place}: {label}\n{query}");
        }
    }
}

#[test]
fn promtool_understands_every_query() {
    let Some(mut promtool) = tool("promtool") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("queries.yml");
    let mut text = "groups:\n- name: queries\n  rules:\n".to_owned();
    for (number, (place, query)) in all_queries().into_iter().enumerate() {
        let query = filled_in_without_data(&query);
        // JSON's strings are YAML's too.
        let _ = writeln!(
            text,
            "  - record: query:{number}\n    labels: {{place: {}}}\n    expr: {}",
            Value::from(place),
            Value::from(query)
        );
    }
    std::fs::write(&rules, text).unwrap();
    assert_accepts(promtool.args(["check", "rules"]).arg(&rules));
}

/// A query as Grafana sends it where nothing was scraped yet: All is whatever there may be, and one of
/// none is nothing.
fn filled_in_without_data(query: &str) -> String {
    let query = ["$account", "$event_type", "$version", "$event"]
        .iter()
        .fold(query.to_owned(), |query, all| {
            query.replace(&format!("\"{all}\""), "\".*\"")
        });
    query
        .replace("\"$counts\"", "\"\"")
        .replace("\"$hostname\"", "\"\"")
        .replace("$__rate_interval", "1m")
        .replace("$__interval", "1m")
        .replace("$__range", "1h")
}

/// A query where the exporter has counted something, and neither the rules nor Grafana are there.
fn filled_in_with_counts(query: &str) -> String {
    let query = query.replace("$counts", catalogue::EVENTS.name);
    filled_in_without_data(&query.replace("\"$hostname\"", "\".*\""))
}

/// Once without a state: the exporter was started anew, and knows less than before.
#[test]
fn a_count_that_fell_is_growth_in_no_panel_where_nothing_is_known_of_before() {
    let Some(mut promtool) = tool("promtool") else {
        return;
    };
    let mut cases = Vec::new();
    for (place, query) in of_dashboards_and_rules() {
        let counts = [
            "max_over_time({__name__=~",
            "max_over_time(metaaccess_events_total",
        ];
        if place.contains(".json") && counts.iter().any(|part| query.contains(part)) {
            let query = format!("({}) > 0", filled_in_with_counts(&query));
            cases.push(json!({ "expr": query, "eval_time": "7m", "exp_samples": [] }));
        }
    }
    assert!(cases.len() > 10, "{cases:?}");
    let events = [
        "Installed",
        "Uninstalled by a user",
        "Changed status to non-compliant",
    ];
    let series = events.map(|event| {
        let labels = format!(
            "account=\"default\",event_type=\"device\",category=\"MetaAccess\",version=\"1.1.1.1\",hostname=\"TEST-A\",event=\"{event}\",instance=\"a\",job=\"metaaccess\""
        );
        json!({ "series": format!("metaaccess_events_total{{{labels}}}"), "values": "1000x25 60x5" })
    });
    let tests = json!({
        "rule_files": [],
        "tests": [{ "interval": "15s", "input_series": series, "promql_expr_test": cases }],
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tests.yml");
    // JSON is YAML too.
    std::fs::write(&file, tests.to_string()).unwrap();
    assert_accepts(promtool.args(["test", "rules"]).arg(&file));
}

/// Metrics that neither a dashboard nor a rule reads, and why.
const UNUSED: [(&str, &str); 7] = [
    (
        "metaaccess_log_order_info",
        "it is found once for a log; `metaaccess-exporter check` says it too",
    ),
    (
        "metaaccess_series_overflowed",
        "what is beyond the limits is shown in lines, which is what it costs",
    ),
    (
        "metaaccess_exporter_config_last_reload_success_timestamp_seconds",
        "whether the last change took over is shown, and alerted on",
    ),
    (
        "metaaccess_exporter_web_config_last_reload_success_timestamp_seconds",
        "whether the last change took over is shown, and alerted on",
    ),
    (
        "process_virtual_memory_bytes",
        "resident memory is what the machine has to have",
    ),
    (
        "process_max_fds",
        "`--web.max-connections` bounds the open ones, which are shown, far below it",
    ),
    ("process_threads", "it hardly changes"),
];

#[test]
fn the_dashboards_readme_lists_metrics_that_nothing_there_reads_and_why() {
    let used: BTreeSet<&str> = of_dashboards_and_rules()
        .iter()
        .flat_map(|(_, query)| {
            let named = named(query);
            let metrics: Vec<&str> = named.names().into_iter().filter_map(metric_of).collect();
            metrics
        })
        .collect();
    let reasons: BTreeMap<&str, &str> = BTreeMap::from(UNUSED);
    let mut rows = String::new();
    for metric in catalogue::ALL {
        let reason = reasons.get(metric.name);
        assert_eq!(
            used.contains(metric.name),
            reason.is_none(),
            "{}: read, or with a reason why not",
            metric.name
        );
        if let Some(reason) = reason {
            let _ = writeln!(rows, "| `{}` | {reason} |", metric.name);
        }
    }
    assert_marked("dashboards/README.md", "unused-metrics", &rows);
}
