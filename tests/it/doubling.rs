//! Whoever counts the same twice shows it once: two exporters of one account, and two replicas of
//! Prometheus.

use std::collections::BTreeMap;

use crate::grafana::{Dashboard, Opened, Query};
use crate::headlines::number;
use crate::prometheus::{Labels, Prometheus};
use crate::promql::{Selector, named};
use crate::watched::Watched;

const OVERVIEW: &str = "metaaccess-overview";
const EXPORTER: &str = "metaaccess-exporter";

/// How a panel may differ where another exporter, or another Prometheus, is looked at beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum May {
    /// It goes on at rest, and two exporters do not do the same at the same time: the numbers may
    /// differ, but not as by adding them up.
    Move,
    /// What is measured or met is another thing with each exporter: there are other numbers.
    Differ,
    /// What each exporter does for itself adds up, but once for each only.
    AddUp,
    /// It has a line for each exporter on purpose, but one for each only.
    ShowEachExporter,
}

/// Panels that need not be the same to the last digit, and why.
const DIFFERING: [(&str, &str, May, &str); 28] = [
    (OVERVIEW, "Age of the data", May::Move, "it is an age"),
    (
        OVERVIEW,
        "Since the log was last read",
        May::Move,
        "it is an age",
    ),
    (
        OVERVIEW,
        "Delay of lines",
        May::Differ,
        "each exporter counts a line when it reads it",
    ),
    (
        EXPORTER,
        "Since the log was last read",
        May::Move,
        "it is an age",
    ),
    (EXPORTER, "Since the last save", May::Move, "it is an age"),
    (
        EXPORTER,
        "Life left of the token",
        May::Move,
        "each exporter has a token of its own",
    ),
    (EXPORTER, "Refreshes", May::AddUp, WORK),
    (
        EXPORTER,
        "Failed refreshes",
        May::Differ,
        "each exporter meets failures of its own",
    ),
    (
        EXPORTER,
        "Reasons of failure",
        May::Differ,
        "each exporter meets failures of its own",
    ),
    (EXPORTER, "Ambiguous reads", May::AddUp, WORK),
    (EXPORTER, "Budget used", May::Move, WORK),
    (EXPORTER, "Requests left and allowed", May::Move, WORK),
    (
        EXPORTER,
        "Requests by status",
        May::Differ,
        "each exporter meets failures of its own",
    ),
    (EXPORTER, "Requests for tokens", May::AddUp, WORK),
    (EXPORTER, "Duration of requests", May::Differ, MEASURED),
    (
        EXPORTER,
        "Regular scrapers",
        May::Move,
        "the second has others",
    ),
    (EXPORTER, "Saves", May::AddUp, WORK),
    (EXPORTER, "Duration of saves", May::Differ, MEASURED),
    (
        EXPORTER,
        "Duration of saves by replica",
        May::ShowEachExporter,
        EACH,
    ),
    (EXPORTER, "States", May::ShowEachExporter, EACH),
    (EXPORTER, "Memory", May::ShowEachExporter, EACH),
    (EXPORTER, "CPU", May::ShowEachExporter, EACH),
    (
        EXPORTER,
        "Open files and connections",
        May::ShowEachExporter,
        EACH,
    ),
    (EXPORTER, "Versions", May::ShowEachExporter, EACH),
    (EXPORTER, "Scrapes", May::ShowEachExporter, EACH),
    (EXPORTER, "Refused at the door", May::ShowEachExporter, EACH),
    (
        EXPORTER,
        "Configuration taken over",
        May::ShowEachExporter,
        EACH,
    ),
    (
        EXPORTER,
        "Unsettled lines",
        May::Move,
        "each exporter reads other pages",
    ),
];

const WORK: &str = "each exporter does its own work";
const MEASURED: &str = "each exporter measures its own";
const EACH: &str = "an exporter is a process";

/// The numbers of all queries of a dashboard, by place and labels.
type Shown = BTreeMap<(String, String), BTreeMap<Labels, f64>>;

#[track_caller]
fn shown(dashboard: &Dashboard, opened: &Opened<'_>) -> Shown {
    let numbers = |query: &Query<'_>| {
        let found = opened.ask(query).unwrap_or_else(|error| panic!("{error}"));
        let numbers = found
            .into_iter()
            .map(|series| (series.labels.clone(), number(query, &series)));
        let key = (query.place.to_owned(), query.expr.to_owned());
        (key, numbers.collect())
    };
    dashboard.panel_queries().iter().map(numbers).collect()
}

/// Where the panels of this server, which watches so many more exporters, differ from those of the one
/// that watches one.
pub fn differing(watched: &Watched, other: &Prometheus, more: usize) -> Vec<String> {
    let mut wrong = Vec::new();
    for dashboard in Dashboard::all() {
        for counts in counted_from(&dashboard) {
            let device = watched.busiest_device();
            let host = [&*device];
            let choices: [(&str, &[&str]); 2] = [("hostname", &host), ("counts", counts)];
            let open = |server| {
                let opened = Opened::open(&dashboard, server, watched.range, &choices);
                opened.unwrap_or_else(|error| panic!("{error}"))
            };
            let (one, both) = (open(&watched.ruled), open(other));
            let (one, both) = (shown(&dashboard, &one), shown(&dashboard, &both));
            for (place, numbers) in &one {
                wrong.extend(difference(
                    dashboard.name(),
                    place,
                    numbers,
                    &both[place],
                    more,
                ));
            }
        }
    }
    wrong
}

/// What the dashboard may read counts from; nothing to choose is one way too.
fn counted_from(dashboard: &Dashboard) -> &'static [&'static [&'static str]] {
    let mut variables = dashboard.variables().into_iter();
    match variables.any(|variable| variable["name"] == "counts") {
        true => &[
            &["account_version_event:metaaccess_events_total:sum"],
            &["metaaccess_events_total"],
        ],
        false => &[&[]],
    }
}

fn difference(
    dashboard: &str,
    (title, expr): &(String, String),
    one: &BTreeMap<Labels, f64>,
    both: &BTreeMap<Labels, f64>,
    more: usize,
) -> Option<String> {
    let mut differing = DIFFERING.iter();
    let excuse = differing.find(|(of, panel, ..)| *of == dashboard && panel == title);
    let is_within = |times: f64, (labels, number): (&Labels, &f64)| {
        let other = both.get(labels).copied().unwrap_or(f64::NAN);
        other <= number * times * 1.6 + 2.0
    };
    let are_within = |times| {
        let mut one = one.iter();
        one.len() == both.len() && one.all(|shown| is_within(times, shown))
    };
    let is_well = match excuse.map(|(_, _, may, _)| may) {
        Some(May::Differ) => true,
        Some(May::Move) => are_within(1.0),
        Some(May::AddUp) => are_within(1.0 + more as f64),
        // What none of them has anything to say of stays empty.
        Some(May::ShowEachExporter) => both.len() <= one.len() + more,
        None => one == both,
    };
    (!is_well).then(|| format!("{dashboard}: {title}: {one:?} alone, {both:?} with two\n{expr}"))
}

/// Queries with a line of its own for each series that is found, and why.
const UNGATHERED: [(&str, &str); 0] = [];

/// Whether the series that are equal are one before anything is added up: the innermost operator that
/// gathers series takes the highest, the lowest, or any of them.
fn gathers_equals_first(selector: &Selector) -> bool {
    const TAKING: [&str; 3] = ["max", "min", "group"];
    const ADDING: [&str; 7] = [
        "sum",
        "count",
        "avg",
        "stddev",
        "stdvar",
        "quantile",
        "count_values",
    ];
    let mut gathering = selector.inside.iter();
    let first = gathering.find(|word| [&TAKING[..], &ADDING].concat().contains(&&***word));
    first.is_some_and(|word| TAKING.contains(&&**word))
}

#[test]
fn every_query_takes_the_highest_of_equal_series_before_it_adds_them_up() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for dashboard in Dashboard::all() {
        let queries = [dashboard.panel_queries(), dashboard.annotation_queries()].concat();
        for query in queries {
            let ungathered = UNGATHERED.contains(&(dashboard.name(), query.place));
            for selector in named(query.expr).selectors {
                seen += 1;
                if gathers_equals_first(&selector) == ungathered {
                    let (name, Selector { name: of, inside }) = (dashboard.name(), selector);
                    wrong.push(format!("{name}: {}: {of} in {inside:?}", query.place));
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} series are read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_sum_over_instances_would_be_found() {
    for (query, is_well) in [
        ("sum(metaaccess_up)", false),
        (
            "sum by (account) (max by (account, event_type) (metaaccess_log_ready))",
            true,
        ),
        ("max(sum by (account) (metaaccess_log_ready))", false),
        (
            "sum(increase(metaaccess_refreshes_total[5m])) by (account)",
            false,
        ),
        ("topk(10, metaaccess_up)", false),
        (r#"sum(max({__name__=~"$counts"}))"#, true),
        (r#"sum({__name__=~"$counts"})"#, false),
    ] {
        let selectors = named(query).selectors;
        assert_eq!(selectors.len(), 1, "{query}");
        assert_eq!(gathers_equals_first(&selectors[0]), is_well, "{query}");
    }
}

#[test]
fn panels_that_may_differ_are_there() {
    for (name, title, ..) in DIFFERING {
        let dashboards = Dashboard::all();
        let dashboard = dashboards.iter().find(|it| it.name() == name);
        let mut panels = dashboard.expect(name).panel_queries().into_iter();
        assert!(panels.any(|query| query.place == title), "{name}: {title}");
    }
}
