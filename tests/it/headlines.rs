//! The panels whose numbers are known: what each has to show, by the truth of the simulated API.

use std::collections::{BTreeMap, BTreeSet};

use metaaccess_exporter::event::Event;

use crate::grafana::Query;
use crate::prometheus::Series;
use crate::samples::Counts;
use crate::watched::{COMPANY, Watched};

const OVERVIEW: &str = "metaaccess-overview";
const DEVICE: &str = "metaaccess-device";

/// A panel whose numbers are known.
pub struct Headline {
    pub dashboard: &'static str,
    pub title: &'static str,
    /// The labels of its series.
    by: &'static [&'static str],
    of: fn(&str, &Event) -> bool,
    pub count: Count,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Of what happened.
    Growth,
    /// Of that and the history before it.
    Ever,
    /// The highest ten of what happened.
    Top,
}

const fn headline(
    dashboard: &'static str,
    title: &'static str,
    by: &'static [&'static str],
    of: fn(&str, &Event) -> bool,
) -> Headline {
    Headline {
        dashboard,
        title,
        by,
        of,
        count: Count::Growth,
    }
}

const fn ever(headline: Headline) -> Headline {
    Headline {
        count: Count::Ever,
        ..headline
    }
}

const fn top(headline: Headline) -> Headline {
    Headline {
        count: Count::Top,
        ..headline
    }
}

fn all(_: &str, _: &Event) -> bool {
    true
}

fn installs(_: &str, event: &Event) -> bool {
    event.labels().category == "MetaAccess" && event.labels().event == "Installed"
}

fn uninstalls(_: &str, event: &Event) -> bool {
    ["Uninstalled by a user", "Removed by an administrator"].contains(&event.labels().event)
}

fn non_compliant(_: &str, event: &Event) -> bool {
    event.labels().event == "Changed status to non-compliant"
}

fn compliance(log: &str, event: &Event) -> bool {
    non_compliant(log, event) || event.labels().event == "Changed status to compliant"
}

fn of_admins(log: &str, _: &Event) -> bool {
    log == "admin"
}

fn failed_log_ons(_: &str, event: &Event) -> bool {
    event.labels().event == "Admin Failed Authentication"
}

fn with_version(_: &str, event: &Event) -> bool {
    !event.labels().version.is_empty()
}

const EVENT: &[&str] = &["event"];
const VERSION: &[&str] = &["version"];

pub const HEADLINES: [Headline; 25] = [
    headline(OVERVIEW, "Installs", &[], installs),
    headline(OVERVIEW, "Uninstalls", &[], uninstalls),
    headline(OVERVIEW, "Lost compliance", &[], non_compliant),
    headline(OVERVIEW, "Failed log-ons", &[], failed_log_ons),
    headline(OVERVIEW, "Lines", &[], all),
    headline(OVERVIEW, "Installs by version", VERSION, installs),
    headline(OVERVIEW, "Share of installs by version", VERSION, installs),
    ever(headline(
        OVERVIEW,
        "Share of all installs so far",
        VERSION,
        installs,
    )),
    headline(OVERVIEW, "Uninstalls and removals", EVENT, uninstalls),
    headline(OVERVIEW, "Changes of compliance", EVENT, compliance),
    headline(OVERVIEW, "Lines by event", EVENT, all),
    headline(
        OVERVIEW,
        "Events by category",
        &["event_type", "category", "event"],
        all,
    ),
    top(headline(OVERVIEW, "Busiest hosts", &["hostname"], all)),
    headline(OVERVIEW, "Activity of administrators", EVENT, of_admins),
    headline(
        OVERVIEW,
        "Failed log-ons by account",
        &["account"],
        failed_log_ons,
    ),
    top(headline(
        OVERVIEW,
        "Failed log-ons by host",
        &["account", "hostname"],
        failed_log_ons,
    )),
    headline(DEVICE, "Lines", &[], all),
    headline(DEVICE, "Installs", &[], installs),
    headline(DEVICE, "Uninstalls", &[], uninstalls),
    headline(DEVICE, "Lost compliance", &[], non_compliant),
    headline(DEVICE, "Versions", VERSION, with_version),
    headline(DEVICE, "Events", EVENT, all),
    headline(DEVICE, "Lines by version", VERSION, with_version),
    headline(
        DEVICE,
        "In the range",
        &["event_type", "category", "version", "event"],
        all,
    ),
    ever(headline(
        DEVICE,
        "Ever counted",
        &["event_type", "category", "version", "event"],
        all,
    )),
];

/// Numbers by the values of the labels.
pub type Numbers = BTreeMap<Vec<String>, f64>;

impl Headline {
    /// What it has to show, where it is about this host alone if any.
    pub fn truth(&self, watched: &Watched, host: Option<&str>) -> Numbers {
        let counts: Counts = match self.count {
            Count::Ever => watched.after.clone(),
            Count::Growth | Count::Top => watched.growth(),
        };
        let mut numbers = Numbers::new();
        for ((log, event), count) in counts {
            let labels = event.labels();
            let is_its = host.is_none_or(|host| labels.hostname == host);
            if !is_its || !(self.of)(&log, &event) {
                continue;
            }
            let label = |name: &&str| match *name {
                "account" => COMPANY.to_owned(),
                "event_type" => log.clone(),
                "category" => labels.category.to_owned(),
                "version" => labels.version.to_owned(),
                "hostname" => labels.hostname.to_owned(),
                "event" => labels.event.to_owned(),
                other => panic!("{other}"),
            };
            let key = self.by.iter().map(label).collect();
            *numbers.entry(key).or_default() += count as f64;
        }
        if self.by.is_empty() {
            numbers.entry(Vec::new()).or_default();
        }
        numbers
    }

    /// What it shows. Of a label that is missing the value is empty, as everywhere in Prometheus.
    pub fn shown(&self, query: &Query<'_>, found: &[Series]) -> Numbers {
        let mut numbers = Numbers::new();
        for series in found {
            let strange = series.labels.keys().find(|key| !self.by.contains(&&***key));
            assert_eq!(strange, None, "{}: {series:?}", self.title);
            let label = |name: &&str| series.labels.get(*name).cloned().unwrap_or_default();
            let key: Vec<String> = self.by.iter().map(label).collect();
            let before = numbers.insert(key, number(query, series));
            assert_eq!(before, None, "{}: {series:?}", self.title);
        }
        if !self.by.is_empty() {
            numbers.retain(|_, number| *number != 0.0);
        }
        numbers
    }
}

/// The sum of what was counted in intervals, and else what is shown last.
pub fn number(query: &Query<'_>, series: &Series) -> f64 {
    let values = series.points.iter().map(|(_, value)| *value);
    let mut values = values.filter(|value| value.is_finite());
    if query.is_of_intervals() {
        return values.sum();
    }
    values.next_back().unwrap_or(f64::NAN)
}

/// What is shown and what is true, where it differs.
pub fn difference(
    shown: &Numbers,
    truth: &Numbers,
) -> Vec<(Vec<String>, Option<f64>, Option<f64>)> {
    let keys: BTreeSet<_> = shown.keys().chain(truth.keys()).collect();
    let both = keys.into_iter().map(|key| {
        let number = |numbers: &Numbers| numbers.get(key).copied();
        (key.clone(), number(shown), number(truth))
    });
    both.filter(|(_, shown, truth)| shown != truth).collect()
}

/// Whether these are ten of the truth, and none of the others is higher.
pub fn is_top(shown: &Numbers, truth: &Numbers) -> bool {
    let sorted = |numbers: &Numbers| {
        let mut values: Vec<f64> = numbers.values().copied().collect();
        values.sort_by(|a, b| b.total_cmp(a));
        values.truncate(10);
        values
    };
    let are_true = shown
        .iter()
        .all(|(key, value)| truth.get(key) == Some(value));
    are_true && sorted(shown) == sorted(truth)
}
