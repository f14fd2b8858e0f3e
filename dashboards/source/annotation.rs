//! What is marked over all panels: points in time that explain what they show.

use metaaccess_exporter::catalogue;
use serde_json::{Value, json};

use crate::source::panel::datasource;
use crate::source::promql::{self, ACCOUNT};
use crate::source::words;

/// Those that people write in Grafana itself.
pub fn of_grafana() -> Value {
    json!({
        "builtIn": 1,
        "datasource": { "type": "grafana", "uid": "-- Grafana --" },
        "enable": true,
        "hide": true,
        "iconColor": "rgba(0, 211, 255, 1)",
        "name": "Annotations & Alerts",
        "type": "dashboard",
    })
}

/// When an exporter started, and of which version it is.
pub fn restarts() -> Value {
    let expr = format!(
        "max by (instance, version) ({} * on (job, instance) group_left (version) max by (job, instance, version) ({})) * 1000",
        catalogue::PROCESS_START.name,
        catalogue::BUILD.name
    );
    at_value(
        "Exporter started",
        "blue",
        &expr,
        "Exporter {{version}} started",
    )
}

/// When a state began: another one than before means that counts were lost.
pub fn new_states() -> Value {
    let expr = format!(
        "max by (instance) ({}) * 1000",
        catalogue::STATE_CREATED.name
    );
    at_value("State began", "orange", &expr, "A new state began")
}

/// When the first installs of a version came: five minutes from then on.
pub fn roll_outs() -> Value {
    let counts = promql::counts(&format!(r#"{ACCOUNT},{},version!="""#, words::INSTALLED));
    let any = promql::counts(ACCOUNT);
    let expr = format!(
        "max by (account, version) ({counts}) > 0 unless on (account, version) max by (account, version) ({counts} offset 5m) > 0 and on (account) max by (account) ({any} offset 5m)"
    );
    annotation(
        "Version roll-out",
        "purple",
        &expr,
        "First installs of {{version}}",
    )
}

fn annotation(name: &str, color: &str, expr: &str, title: &str) -> Value {
    json!({
        "name": name,
        "datasource": datasource(),
        "enable": true,
        "hide": false,
        "iconColor": color,
        "expr": expr,
        "step": "60s",
        "titleFormat": title,
        "textFormat": "{{account}}{{instance}}",
        "tagKeys": "",
        "useValueForTime": false,
    })
}

/// One whose value is its time, in milliseconds.
fn at_value(name: &str, color: &str, expr: &str, title: &str) -> Value {
    let mut annotation = annotation(name, color, expr, title);
    annotation["useValueForTime"] = json!(true);
    annotation
}
