//! The alerts: of the exporter, and of what it counts.
//!
//! Each has a severity (`critical`: a person has to act now; `warning`: soon), a summary, a
//! description that says what to do first, and a section of `runbook.md`.

mod exporter;
mod fleet;
mod replicas;

use std::fmt::Write;

use crate::source::rules::Rule;
use crate::source::settings::Setting;

/// What an alert is made of.
#[derive(Clone)]
struct Alert {
    name: &'static str,
    expr: String,
    /// How long it has to be true.
    wait: Option<&'static str>,
    severity: &'static str,
    /// Those of its thresholds that can be set.
    settings: &'static [Setting],
    /// In a few words, for a list.
    summary: &'static str,
    /// In full, for the one who is woken by it.
    description: &'static str,
}

impl Alert {
    fn rule(&self) -> Rule {
        let runbook = format!("dashboards/runbook.md#{}", self.name.to_lowercase());
        Rule::alert(self.name, &self.expr, self.wait)
            .labelled("severity", self.severity)
            .annotated("summary", self.summary)
            .annotated("description", self.description)
            .annotated("runbook", &runbook)
    }
}

pub fn of_exporter() -> Vec<Rule> {
    let alerts = exporter::all().into_iter().chain(replicas::all());
    alerts.map(|alert| alert.rule()).collect()
}

pub fn of_fleet() -> Vec<Rule> {
    fleet::all().iter().map(Alert::rule).collect()
}

/// The rows of a table.
pub fn markdown() -> String {
    let alerts = [exporter::all(), replicas::all(), fleet::all()].concat();
    alerts.iter().fold(String::new(), |mut rows, alert| {
        let settings: Vec<_> = alert
            .settings
            .iter()
            .map(|s| format!("`{}`", s.name))
            .collect();
        let (name, severity) = (alert.name, alert.severity);
        let _ = writeln!(
            rows,
            "| [{name}](runbook.md#{}) | {severity} | {} | {} |",
            name.to_lowercase(),
            alert.wait.unwrap_or("at once"),
            settings.join(", ")
        );
        rows
    })
}
