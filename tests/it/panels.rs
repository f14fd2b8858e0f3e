//! What the panels show where a real Prometheus scraped real exporters of the simulated API: something
//! in each, and the truth.

use crate::doubling;
use crate::grafana::{Dashboard, Opened, Query};
use crate::headlines::{Count, HEADLINES, difference, is_top, number};
use crate::prometheus::{Prometheus, Series};
use crate::tools::tool;
use crate::watched::{HOSTILE, MALFORMED, Watched};

const DEVICE: &str = "metaaccess-device";
const EXPORTER: &str = "metaaccess-exporter";

/// Queries that find nothing on a healthy company, and why. One that finds something is no longer to
/// be excused.
const MAY_BE_EMPTY: [Excuse; 9] = [
    Excuse {
        dashboard: EXPORTER,
        title: "Refused at the door",
        metric: "metaaccess_exporter_panics_total",
        reason: "only a mistake of the exporter's counts there",
    },
    of_replicas("Replicas alive", "metaaccess_replicas"),
    of_replicas("Accounts led", "metaaccess_replica_leads"),
    of_replicas("Connection to the database", "metaaccess_state_connected"),
    of_replicas(
        "Takeovers and lost connections",
        "metaaccess_lease_takeovers_total",
    ),
    of_replicas(
        "Takeovers and lost connections",
        "metaaccess_state_connections_lost_total",
    ),
    of_replicas("Refused commits", "metaaccess_state_fenced_total"),
    of_replicas("Refused commits", "metaaccess_state_regressions_total"),
    of_replicas("Refused commits", "metaaccess_state_regressed_series"),
];

const fn of_replicas(title: &'static str, metric: &'static str) -> Excuse {
    Excuse {
        dashboard: EXPORTER,
        title,
        metric,
        reason: "no database is there",
    }
}

/// A query that may be empty.
struct Excuse {
    dashboard: &'static str,
    title: &'static str,
    metric: &'static str,
    reason: &'static str,
}

fn excuse(dashboard: &Dashboard, query: &Query<'_>) -> Option<&'static Excuse> {
    MAY_BE_EMPTY.iter().find(|excuse| {
        let is_of = (excuse.dashboard, excuse.title) == (dashboard.name(), query.place);
        is_of && query.expr.contains(excuse.metric)
    })
}

/// What has to hold, and what of it does not.
type Check = (&'static str, fn(&Watched) -> Vec<String>);

const CHECKS: [Check; 9] = [
    (
        "every query of every dashboard finds something in what the rules recorded",
        |watched| asked_of(watched, &watched.ruled),
    ),
    (
        "every query of every dashboard finds something without the rules",
        |watched| asked_of(watched, &watched.plain),
    ),
    (
        "the headline panels show the truth from what the rules recorded",
        |watched| untrue(watched, &watched.ruled, None),
    ),
    (
        "the headline panels show the truth without the rules",
        |watched| untrue(watched, &watched.plain, None),
    ),
    (
        "bars of any width add up to the truth from what the rules recorded",
        |watched| untrue(watched, &watched.ruled, Some(NARROW)),
    ),
    (
        "bars of any width add up to the truth without the rules",
        |watched| untrue(watched, &watched.plain, Some(NARROW)),
    ),
    (
        "the panels of the exporter count accounts and lines as they are",
        miscounted,
    ),
    (
        "two exporters that count the same double no panel",
        |watched| doubling::differing(watched, &watched.pair, 1),
    ),
    ("two replicas of Prometheus double no panel", |watched| {
        doubling::differing(watched, &watched.replicas, 0)
    }),
];

/// Seconds of a bar; some begin while the exporter is started anew.
const NARROW: f64 = 2.0;

/// All in one test, since what they look at takes longer to come about than to be looked at.
#[test]
fn the_panels_of_all_dashboards_show_what_happened_and_nothing_twice() {
    let Some(prometheus) = tool("prometheus") else {
        return;
    };
    let watched = Watched::new(&prometheus);
    let mut wrong = Vec::new();
    for (what, check) in CHECKS {
        let found = check(&watched);
        wrong.extend(found.iter().map(|found| format!("not so: {what}: {found}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A dashboard as it is opened in a test: of one host, where it is about one.
#[track_caller]
pub fn opened<'a>(
    dashboard: &Dashboard,
    watched: &Watched,
    prometheus: &'a Prometheus,
    host: &str,
) -> Opened<'a> {
    let hosts = [host];
    let host: (&str, &[&str]) = ("hostname", &hosts);
    let opened = Opened::open(dashboard, prometheus, watched.range, &[host]);
    opened.unwrap_or_else(|error| panic!("{error}"))
}

fn has_data(series: &[Series]) -> bool {
    let mut points = series.iter().flat_map(|series| &series.points);
    points.any(|(_, value)| value.is_finite())
}

/// Asks everything of every dashboard, and gives what went wrong.
fn asked_of(watched: &Watched, prometheus: &Prometheus) -> Vec<String> {
    let mut wrong = Vec::new();
    for dashboard in Dashboard::all() {
        let name = dashboard.name();
        let opened = opened(&dashboard, watched, prometheus, &watched.busiest_device());
        for query in dashboard.panel_queries() {
            let excuse = excuse(&dashboard, &query);
            let found = opened.ask(&query).map(|found| has_data(&found));
            let said = match (found, excuse) {
                (Err(error), _) => error,
                (Ok(true), None) | (Ok(false), Some(_)) => continue,
                (Ok(false), None) => format!("{}: nothing: {}", query.place, query.expr),
                (Ok(true), Some(Excuse { reason, .. })) => {
                    format!(
                        "{}: something, though {reason}: {}",
                        query.place, query.expr
                    )
                }
            };
            wrong.push(format!("{name}: {said}"));
        }
        for query in dashboard.annotation_queries() {
            let found = opened.ask_for_marks(&query, AFTERWARDS);
            let said = match found.map(|found| has_data(&found)) {
                Err(error) => error,
                Ok(true) => continue,
                Ok(false) => format!("no mark: {}: {}", query.place, query.expr),
            };
            wrong.push(format!("{name}: {said}"));
        }
    }
    wrong
}

/// Seconds after which what was new is so no more.
const AFTERWARDS: f64 = 300.0;

/// Where the headlines that are `wanted` differ from the truth, in a dashboard as it is opened.
fn untrue_in(
    watched: &Watched,
    dashboard: &Dashboard,
    opened: &Opened<'_>,
    host: Option<&str>,
    wanted: fn(&Query<'_>) -> bool,
) -> Vec<String> {
    let queries = dashboard.panel_queries();
    let mut wrong = Vec::new();
    for headline in &HEADLINES {
        if headline.dashboard != dashboard.name() {
            continue;
        }
        let title = headline.title;
        let mut found = queries.iter().filter(|query| query.place == title);
        let (Some(query), None) = (found.next(), found.next()) else {
            panic!("{}: not one query: {title}", dashboard.file);
        };
        if !wanted(query) {
            continue;
        }
        let series = opened.ask(query).unwrap_or_else(|error| panic!("{error}"));
        let (shown, truth) = (
            headline.shown(query, &series),
            headline.truth(watched, host),
        );
        let is_true = match headline.count {
            Count::Top => is_top(&shown, &truth),
            Count::Growth | Count::Ever => shown == truth,
        };
        if !is_true {
            let place = dashboard.name();
            let differing = difference(&shown, &truth);
            wrong.push(format!("{place}: {title} of {host:?}: {differing:?}"));
        }
    }
    wrong
}

/// The dashboards with the hosts on which they are opened: any, and those that are asked for.
fn openings(watched: &Watched) -> Vec<(Dashboard, Option<String>)> {
    let mut all = Vec::new();
    for dashboard in Dashboard::all() {
        if dashboard.name() == DEVICE {
            for host in [watched.busiest_device(), HOSTILE.to_owned()] {
                all.push((dashboard.clone(), Some(host)));
            }
        } else {
            all.push((dashboard, None));
        }
    }
    all
}

/// Where headlines differ from the truth in this server, with steps of so many seconds, if not those of
/// the panels.
fn untrue(watched: &Watched, prometheus: &Prometheus, steps: Option<f64>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (dashboard, host) in openings(watched) {
        let asked = host.as_deref().unwrap_or_default();
        let opened = opened(&dashboard, watched, prometheus, asked);
        let (opened, wanted): (_, fn(&Query<'_>) -> bool) = match steps {
            Some(steps) => (opened.with_steps_of(steps), |query| query.is_of_intervals()),
            None => (opened, |_| true),
        };
        let host = host.as_deref();
        wrong.extend(untrue_in(watched, &dashboard, &opened, host, wanted));
    }
    wrong
}

/// Numbers of the exporter's panels that are not what they have to be.
fn miscounted(watched: &Watched) -> Vec<String> {
    let dashboards = Dashboard::all();
    let dashboard = dashboards.iter().find(|it| it.name() == EXPORTER);
    let dashboard = dashboard.expect("the dashboard of the exporter");
    let opened = opened(dashboard, watched, &watched.ruled, "");
    let truth = [
        ("Accounts read", 1.0),
        ("Accounts failing", 1.0),
        ("Unsaved", 0.0),
        // Both logs of one account, and the one that can be read of the other.
        ("Logs ready", 3.0),
        ("Lines that cannot be read", MALFORMED as f64),
    ];
    let wrong = truth.into_iter().filter_map(|(title, truth)| {
        let queries = dashboard.panel_queries().into_iter();
        let mut queries = queries.filter(|query| query.place == title);
        let query = queries.next().unwrap_or_else(|| panic!("no {title}"));
        let found = opened.ask(&query).unwrap_or_else(|error| panic!("{error}"));
        let shown: f64 = found.iter().map(|series| number(&query, series)).sum();
        (shown != truth).then(|| format!("{title}: shown {shown}, true {truth}"))
    });
    wrong.collect()
}
