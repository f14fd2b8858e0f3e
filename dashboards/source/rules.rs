//! Rules of Prometheus, and the two files that hold them.

use std::collections::BTreeMap;
use std::io;

use serde::{Serialize, Serializer};
use serde_saphyr::LitStr;

use crate::source::{alerts, recording, settings};

/// Rules that Prometheus evaluates one after the other, at its own interval.
#[derive(Debug, Serialize)]
pub struct Group {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<&'static str>,
    rules: Vec<Rule>,
}

/// A series that is recorded, or an alert.
#[derive(Debug, Serialize)]
pub struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<&'static str>,
    #[serde(serialize_with = "in_lines")]
    expr: String,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    wait: Option<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'static str, &'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, String>,
}

impl Rule {
    pub fn record(series: &'static str, expr: &str) -> Self {
        Self {
            record: Some(series),
            alert: None,
            expr: expr.to_owned(),
            wait: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }
    }

    /// An alert that fires once its expression had results for so long.
    pub fn alert(name: &'static str, expr: &str, wait: Option<&'static str>) -> Self {
        Self {
            record: None,
            alert: Some(name),
            wait,
            ..Self::record("", expr)
        }
    }

    pub fn labelled(mut self, name: &'static str, value: &'static str) -> Self {
        self.labels.insert(name, value);
        self
    }

    pub fn annotated(mut self, name: &'static str, text: &str) -> Self {
        self.annotations.insert(name, text.to_owned());
        self
    }
}

/// Several lines as they are, and one line as one.
fn in_lines<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    if text.contains('\n') {
        LitStr(text).serialize(serializer)
    } else {
        serializer.serialize_str(text)
    }
}

/// Every rule, in groups.
pub fn groups() -> Vec<Group> {
    let group = |name, rules| Group {
        name,
        interval: None,
        rules,
    };
    vec![
        group("metaaccess-settings", settings::rules()),
        Group {
            interval: Some(recording::INTERVAL),
            ..group("metaaccess-counts", recording::counts())
        },
        group("metaaccess-recording", recording::rules()),
        group("metaaccess-exporter-alerts", alerts::of_exporter()),
        group("metaaccess-fleet-alerts", alerts::of_fleet()),
    ]
}

#[derive(Serialize)]
struct File<'a> {
    groups: &'a [Group],
}

/// A file for `rule_files` of Prometheus.
pub fn file(groups: &[Group]) -> io::Result<String> {
    let head = "# Rules for metaaccess-exporter, written by `cargo run --example dashboards`.\n\
        # The thresholds are the first group; README.md says what each is for, runbook.md what to do.\n";
    Ok([head, &yaml(&File { groups })?].concat())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: File<'a>,
}

#[derive(Serialize)]
struct Metadata {
    name: &'static str,
    labels: BTreeMap<&'static str, &'static str>,
}

/// The same as a resource for the Prometheus Operator.
pub fn resource(groups: &[Group]) -> io::Result<String> {
    let head = "# metaaccess.rules.yml as a resource for the Prometheus Operator, written by\n\
        # `cargo run --example dashboards`. Give it the labels that your Prometheus selects rules by.\n";
    let resource = Resource {
        api_version: "monitoring.coreos.com/v1",
        kind: "PrometheusRule",
        metadata: Metadata {
            name: "metaaccess-exporter",
            labels: BTreeMap::from([("app.kubernetes.io/name", "metaaccess-exporter")]),
        },
        spec: File { groups },
    };
    Ok([head, &yaml(&resource)?].concat())
}

fn yaml(value: &impl Serialize) -> io::Result<String> {
    serde_saphyr::to_string(value).map_err(io::Error::other)
}
