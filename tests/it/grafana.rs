//! What Grafana asks of Prometheus where a dashboard is opened: its variables, one after the other,
//! and then the queries of its panels and annotations with these filled in.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::prometheus::{Prometheus, Series};

/// "Scrape interval" of the data source, in seconds.
const SCRAPE_INTERVAL: f64 = 1.0;

/// How many points a panel shows that does not say it: about its width in pixels.
const POINTS: f64 = 1000.0;

/// A dashboard as its file has it.
#[derive(Clone, Debug)]
pub struct Dashboard {
    /// The name of the file.
    pub file: String,
    pub json: Value,
}

/// One query, and where it stands.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// The title of the panel, or the name of the variable or annotation.
    pub place: &'a str,
    pub expr: &'a str,
    panel: &'a Value,
    target: &'a Value,
}

impl Dashboard {
    /// All of them, by name.
    pub fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
        let entries = std::fs::read_dir(&folder).expect("the dashboards");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name())
            .filter_map(|name| Some(name.to_str()?.to_owned()))
            .filter(|name| Path::new(name).extension().is_some_and(|end| end == "json"))
            .collect();
        names.sort();
        assert!(!names.is_empty(), "no dashboards");
        let read = |file: String| {
            let text = std::fs::read_to_string(folder.join(&file)).expect("a dashboard");
            let json = serde_json::from_str(&text);
            let json = json.unwrap_or_else(|error| panic!("{file}: {error}"));
            Self { file, json }
        };
        names.into_iter().map(read).collect()
    }

    /// Its uid, which is the file's name.
    pub fn name(&self) -> &str {
        self.file.trim_end_matches(".json")
    }

    /// Rows and panels, those too that are folded away.
    pub fn rows_and_panels(&self) -> Vec<&Value> {
        let shown = list(&self.json["panels"]);
        shown
            .flat_map(|panel| std::iter::once(panel).chain(list(&panel["panels"])))
            .collect()
    }

    pub fn panels(&self) -> Vec<&Value> {
        let mut panels = self.rows_and_panels();
        panels.retain(|panel| panel["type"] != "row");
        panels
    }

    pub fn variables(&self) -> Vec<&Value> {
        list(&self.json["templating"]["list"]).collect()
    }

    /// Those that are not Grafana's own.
    pub fn annotations(&self) -> Vec<&Value> {
        let all = list(&self.json["annotations"]["list"]);
        all.filter(|annotation| annotation["datasource"]["uid"] != "-- Grafana --")
            .collect()
    }

    /// The queries of all panels.
    pub fn panel_queries(&self) -> Vec<Query<'_>> {
        let of_panel = |panel| {
            let query = move |target| Query {
                place: text(panel, "title"),
                expr: text(target, "expr"),
                panel,
                target,
            };
            list(&panel["targets"]).map(query)
        };
        self.panels().into_iter().flat_map(of_panel).collect()
    }

    pub fn annotation_queries(&self) -> Vec<Query<'_>> {
        let query = |annotation| Query {
            place: text(annotation, "name"),
            expr: text(annotation, "expr"),
            panel: annotation,
            target: annotation,
        };
        self.annotations().into_iter().map(query).collect()
    }
}

impl Query<'_> {
    /// Whether only the end of the range is asked for.
    pub fn is_instant(&self) -> bool {
        self.target["instant"] == true
    }

    /// Whether each point counts what there was since the one before, as bars do.
    pub fn is_of_intervals(&self) -> bool {
        self.expr.contains("$__interval")
    }

    /// Points in seconds: the panel's range by its points, but never below an interval that is set.
    fn step(&self, range: (f64, f64), least: Option<f64>) -> f64 {
        let points = self.panel["maxDataPoints"].as_f64().unwrap_or(POINTS);
        let set = ["interval", "step"]
            .iter()
            .flat_map(|key| [self.panel[*key].as_str(), self.target[*key].as_str()])
            .filter_map(|text| seconds(text?));
        let set = least.unwrap_or_else(|| set.fold(SCRAPE_INTERVAL, f64::max));
        rounded((range.1 - range.0) / points).max(set)
    }
}

pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The seconds of a duration such as `1m`.
fn seconds(text: &str) -> Option<f64> {
    let end = text.find(|c: char| c.is_ascii_alphabetic())?;
    let unit = match &text[end..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    Some(text[..end].parse::<f64>().ok()? * unit)
}

/// The step that Grafana takes instead of one that nobody would choose.
fn rounded(step: f64) -> f64 {
    const STEPS: [f64; 18] = [
        0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0,
        1200.0, 1800.0, 3600.0,
    ];
    let distance = |other: &f64| (other - step).abs();
    let nearest = STEPS
        .into_iter()
        .min_by(|a, b| distance(a).total_cmp(&distance(b)));
    nearest.unwrap_or(step)
}

/// What is chosen of a variable.
#[derive(Clone, Debug, PartialEq)]
enum Chosen {
    /// Everything, by an expression that matches it.
    All(String),
    Some(Vec<String>),
}

#[derive(Clone, Debug)]
struct Variable {
    chosen: Chosen,
    /// Whether it stands where a regular expression is expected: it may be several.
    several: bool,
}

/// A dashboard that is open, with all that is chosen in it.
#[derive(Debug)]
pub struct Opened<'a> {
    prometheus: &'a Prometheus,
    range: (f64, f64),
    variables: BTreeMap<String, Variable>,
    least: Option<f64>,
}

impl<'a> Opened<'a> {
    /// Opens a dashboard of this range, in Unix seconds, and chooses what is said; else what Grafana
    /// would: all, or the first.
    pub fn open(
        dashboard: &Dashboard,
        prometheus: &'a Prometheus,
        range: (f64, f64),
        choices: &[(&str, &[&str])],
    ) -> Result<Self, String> {
        let mut opened = Self {
            prometheus,
            range,
            variables: BTreeMap::new(),
            least: None,
        };
        for variable in in_need_of_those_before(dashboard.variables()) {
            let name = text(variable, "name");
            let choice = choices.iter().find(|(of, _)| *of == name);
            let value = opened
                .variable(variable, choice.map(|(_, values)| *values))
                .map_err(|error| format!("{}: ${name}: {error}", dashboard.file))?;
            opened.variables.insert(name.to_owned(), value);
        }
        Ok(opened)
    }

    /// The same, as if no panel had a least interval but this, in seconds.
    pub fn with_steps_of(mut self, least: f64) -> Self {
        self.least = Some(least);
        self
    }

    fn variable(&self, variable: &Value, choice: Option<&[&str]>) -> Result<Variable, String> {
        let flag = |key: &str| variable[key] == true;
        let several = flag("multi") || flag("includeAll");
        let options = self.options(variable)?;
        if options.is_empty() {
            return Err("nothing to choose".to_owned());
        }
        let chosen = match choice {
            Some(values) => {
                let unknown = values.iter().find(|value| !has(&options, value));
                if let Some(unknown) = unknown {
                    return Err(format!("{unknown} is none of {options:?}"));
                }
                Chosen::Some(values.iter().map(|&value| value.to_owned()).collect())
            }
            None if flag("includeAll") => match variable["allValue"].as_str() {
                Some(all) if !all.is_empty() => Chosen::All(all.to_owned()),
                _ => Chosen::Some(options),
            },
            None => Chosen::Some(options.into_iter().take(1).collect()),
        };
        Ok(Variable { chosen, several })
    }

    /// What can be chosen, in the order in which it is shown.
    fn options(&self, variable: &Value) -> Result<Vec<String>, String> {
        let query = match &variable["query"] {
            Value::Object(query) => query.get("query").and_then(Value::as_str),
            query => query.as_str(),
        };
        let query = query.ok_or("no query")?;
        let mut options = match text(variable, "type") {
            "datasource" if query == "prometheus" => vec!["TEST-PROMETHEUS".to_owned()],
            "query" => self.options_of(&self.filled_in(query, SCRAPE_INTERVAL)?)?,
            "custom" => query.split(',').map(|one| one.trim().to_owned()).collect(),
            "constant" | "textbox" | "interval" => vec![query.to_owned()],
            other => return Err(format!("a variable of type {other}")),
        };
        if let Some(wanted) = variable["regex"].as_str().filter(|regex| !regex.is_empty()) {
            options = picked(&options, wanted)?;
        }
        match variable["sort"].as_u64().unwrap_or(0) {
            0 => {}
            1 => options.sort(),
            2 => options.sort_by(|a, b| b.cmp(a)),
            5 => options.sort_by_key(|option| option.to_lowercase()),
            other => return Err(format!("sorted by {other}")),
        }
        Ok(options)
    }

    fn options_of(&self, query: &str) -> Result<Vec<String>, String> {
        let inside = |name: &str| query.strip_prefix(name)?.trim_end().strip_suffix(')');
        if let Some(arguments) = inside("label_values(") {
            let (series, label) = arguments.rsplit_once(',').unwrap_or(("", arguments));
            let told = self
                .prometheus
                .label_values(label.trim(), series.trim(), self.range);
            return told.map_err(|error| format!("{query}\n{error}"));
        }
        if let Some(query) = inside("query_result(") {
            let found = self.prometheus.instant(query, self.range.1)?;
            return Ok(found.iter().map(|series| format!("{series:?}")).collect());
        }
        Err(format!("an unknown question: {query}"))
    }

    /// The series that the query of a panel or an annotation finds.
    pub fn ask(&self, query: &Query<'_>) -> Result<Vec<Series>, String> {
        let step = query.step(self.range, self.least);
        let told = self.filled_in(query.expr, step).and_then(|expr| {
            if query.is_instant() {
                return self.prometheus.instant(&expr, self.range.1);
            }
            // Grafana asks for points at whole steps.
            let whole = |at: f64| (at / step).floor() * step;
            let range = (whole(self.range.0), whole(self.range.1));
            self.prometheus.range(&expr, range, step)
        });
        told.map_err(|error| format!("{}: {}\n{error}", query.place, query.expr))
    }

    /// The series that an annotation finds until so many seconds later, at every second, since what
    /// it marks may be shorter than its step.
    pub fn ask_for_marks(&self, query: &Query<'_>, later: f64) -> Result<Vec<Series>, String> {
        let (from, to) = self.range;
        let told = self.filled_in(query.expr, SCRAPE_INTERVAL);
        let told = told.and_then(|expr| self.prometheus.range(&expr, (from, to + later), 1.0));
        told.map_err(|error| format!("{}: {}\n{error}", query.place, query.expr))
    }

    /// A query with all variables filled in. One that is not defined is a mistake.
    fn filled_in(&self, query: &str, step: f64) -> Result<String, String> {
        let (mut filled, mut rest) = (String::new(), query);
        while let Some(start) = rest.find(['$', '[']) {
            filled += &rest[..start];
            let (reference, after) = reference(&rest[start..]);
            rest = after;
            match reference {
                Reference::None(text) => filled += text,
                Reference::To { name, format } => {
                    let value = self.value_of(name, format, step);
                    filled += &value.ok_or_else(|| format!("${name} is not defined: {query}"))?;
                }
            }
        }
        Ok(filled + rest)
    }

    fn value_of(&self, name: &str, format: Option<&str>, step: f64) -> Option<String> {
        let range = self.range.1 - self.range.0;
        let duration = |seconds: f64| Some(format!("{}ms", (seconds * 1000.0).round()));
        match name {
            "__interval" => return duration(step),
            "__interval_ms" => return Some((step * 1000.0).to_string()),
            "__rate_interval" => {
                return duration((step + SCRAPE_INTERVAL).max(4.0 * SCRAPE_INTERVAL));
            }
            "__range" => return duration(range),
            "__range_s" => return Some(range.round().to_string()),
            _ => {}
        }
        let Variable { chosen, several } = self.variables.get(name)?;
        let values = match chosen {
            Chosen::All(expression) => return Some(expression.clone()),
            Chosen::Some(values) => values,
        };
        match format {
            Some("regex") => Some(either(values, regex_escaped)),
            Some("raw" | "text") => Some(values.join(",")),
            // The data source escapes once for the expression and once for PromQL's quotes.
            None if *several => Some(either(values, |value| quoted(&regex_escaped(value)))),
            None => Some(quoted(values.first()?)),
            Some(_) => None,
        }
    }
}

/// Variables in the order in which Grafana asks for them: each after those that its query names.
fn in_need_of_those_before(mut variables: Vec<&Value>) -> Vec<&Value> {
    let mut sorted = Vec::new();
    while !variables.is_empty() {
        let names = |one: &Value, other: &Value| {
            let reference = format!("${}", text(other, "name"));
            one["query"].to_string().contains(&reference)
        };
        let ready = |one: &&Value| !variables.iter().any(|other| names(one, other));
        let next = variables.iter().position(ready).unwrap_or_default();
        sorted.push(variables.remove(next));
    }
    sorted
}

fn has(options: &[String], value: &str) -> bool {
    options.iter().any(|option| option == value)
}

/// One of these values, as a regular expression.
fn either(values: &[String], escaped: impl Fn(&str) -> String) -> String {
    let all: Vec<String> = values.iter().map(|value| escaped(value)).collect();
    match all.as_slice() {
        [one] => one.clone(),
        all => format!("({})", all.join("|")),
    }
}

fn regex_escaped(value: &str) -> String {
    let escaped = value.chars().flat_map(|c| {
        let slash = "\\$^*{}[]+?.()|".contains(c).then_some('\\');
        slash.into_iter().chain([c])
    });
    escaped.collect()
}

/// As it stands between the quotes of PromQL.
fn quoted(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

/// Those options that an expression such as `/.*_(.*)/` finds, or what it captures of them.
fn picked(options: &[String], wanted: &str) -> Result<Vec<String>, String> {
    let inner = wanted.trim_start_matches('/').trim_end_matches('/');
    let regex = regex::Regex::new(inner).map_err(|error| error.to_string())?;
    let found = options.iter().filter_map(|option| {
        let captures = regex.captures(option)?;
        let part = captures.get(1).or_else(|| captures.get(0))?;
        Some(part.as_str().to_owned())
    });
    Ok(found.collect())
}

/// What a `$` or a `[` begins.
enum Reference<'a> {
    To {
        name: &'a str,
        format: Option<&'a str>,
    },
    /// No variable: the text itself.
    None(&'a str),
}

/// Reads `$x`, `${x}`, `${x:format}`, `[[x]]` or `[[x:format]]`, and gives what stands behind it.
fn reference(text: &str) -> (Reference<'_>, &str) {
    let of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for (open, close) in [("${", "}"), ("[[", "]]")] {
        let inside = text
            .strip_prefix(open)
            .and_then(|rest| rest.split_once(close));
        if let Some((inside, after)) = inside {
            let (name, format) = match inside.split_once(':') {
                Some((name, format)) => (name, Some(format)),
                None => (inside, None),
            };
            return (Reference::To { name, format }, after);
        }
    }
    let word = text.strip_prefix('$').unwrap_or_default();
    let end = word.find(|c| !of_word(c)).unwrap_or(word.len());
    if end == 0 {
        let (sign, after) = text.split_at(1);
        return (Reference::None(sign), after);
    }
    let (name, after) = word.split_at(end);
    (Reference::To { name, format: None }, after)
}
