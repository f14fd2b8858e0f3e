//! What can be chosen at the top of a dashboard.

use metaaccess_exporter::catalogue;
use serde_json::{Value, json};

use crate::source::panel::datasource;
use crate::source::promql::{self, ACCOUNT, LOG};
use crate::source::recording;

/// The data source.
pub fn source() -> Value {
    json!({
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "current": {},
        "options": [],
        "regex": "",
        "hide": 0,
        "includeAll": false,
        "multi": false,
        "skipUrlSync": false,
    })
}

/// Which series the counts are read from: those without hosts, where the rules record them, since
/// they come first by name; else the exporter's own.
pub fn counts() -> Value {
    let names = format!("{}|{}", recording::EVENTS, catalogue::EVENTS.name);
    let query = format!(r#"label_values({{__name__=~"{names}"}}, __name__)"#);
    let mut variable = one("counts", "Counts from", &query);
    variable["description"] = json!(
        "The series that events are counted from: recorded by the rules without the hosts, which is quick for any number of hosts, or as scraped"
    );
    variable
}

pub fn account() -> Value {
    let query = format!("label_values({}, account)", catalogue::UP.name);
    several("account", "Account", &query)
}

pub fn event_type() -> Value {
    let query = label_values(catalogue::REFRESHES.name, ACCOUNT, "event_type");
    several("event_type", "Log", &query)
}

pub fn version() -> Value {
    let counts = promql::counts(&format!(r#"{LOG},version!="""#));
    several(
        "version",
        "Version",
        &format!("label_values({counts}, version)"),
    )
}

pub fn event() -> Value {
    let counts = promql::counts(LOG);
    several("event", "Event", &format!("label_values({counts}, event)"))
}

/// The last by name comes first, since `<private>`, which is no host, is the first by name. It may be
/// several, also because Grafana 10 breaks a name with an apostrophe where only one may be chosen.
pub fn hostname() -> Value {
    let query = label_values(catalogue::EVENTS.name, LOG, "hostname");
    let mut variable = one("hostname", "Host", &query);
    variable["sort"] = json!(2);
    variable["multi"] = json!(true);
    variable
}

fn label_values(name: &str, matchers: &str, label: &str) -> String {
    format!("label_values({name}{{{matchers}}}, {label})")
}

/// One of what a query finds; the first, until another is chosen.
fn one(name: &str, label: &str, query: &str) -> Value {
    json!({
        "name": name,
        "label": label,
        "type": "query",
        "datasource": datasource(),
        "definition": query,
        "query": { "query": query, "refId": format!("variable-{name}") },
        "refresh": 2,
        "sort": 1,
        "includeAll": false,
        "multi": false,
        "current": {},
        "options": [],
        "regex": "",
        "hide": 0,
        "skipUrlSync": false,
    })
}

/// Any number of what a query finds; all, until some are chosen.
fn several(name: &str, label: &str, query: &str) -> Value {
    let mut variable = one(name, label, query);
    variable["includeAll"] = json!(true);
    variable["allValue"] = json!(".*");
    variable["multi"] = json!(true);
    variable["current"] = json!({ "selected": true, "text": ["All"], "value": ["$__all"] });
    variable
}
