//! Series that Prometheus works out once for all: what dashboards and alerts read where there are
//! many hosts.

use std::fmt::Write;

use metaaccess_exporter::catalogue;

use crate::source::promql::{growth_since, highest, sum_by};
use crate::source::rules::Rule;
use crate::source::words;

/// Whether the account was read, by whichever exporter shows it.
pub const UP: &str = "account:metaaccess_up:max";
/// The counts of events without the hosts. It never falls where the state is kept, also while one
/// exporter takes over from another, since it is the same series before and after.
pub const EVENTS: &str = "account_version_event:metaaccess_events_total:sum";
/// Lines of the past hour by event.
pub const HOUR: &str = "account_event:metaaccess_events:increase1h";
pub const UNINSTALLS: &str = "account:metaaccess_uninstalls:increase1h";
pub const UNINSTALLS_USUAL: &str = "account:metaaccess_uninstalls:busy1w";
pub const NON_COMPLIANT: &str = "account:metaaccess_non_compliant:increase1h";
pub const NON_COMPLIANT_USUAL: &str = "account:metaaccess_non_compliant:busy1w";
pub const COMPLIANT: &str = "account:metaaccess_compliant:increase1h";
pub const FAILED_LOG_ONS: &str = "account:metaaccess_failed_log_ons:increase1h";

/// How often the counts are recorded: as often as the exporter is scraped, since a new series is at 0
/// for a scrape or two, and what first came of it is seen only beside that.
pub const INTERVAL: &str = "15s";

struct Recorded {
    series: &'static str,
    labels: &'static str,
    meaning: &'static str,
    expr: String,
}

const fn recorded(
    series: &'static str,
    labels: &'static str,
    meaning: &'static str,
    expr: String,
) -> Recorded {
    Recorded {
        series,
        labels,
        meaning,
        expr,
    }
}

/// What the exporters show, once for all of them.
fn shown() -> [Recorded; 2] {
    [
        recorded(
            EVENTS,
            "`account`, `event_type`, `category`, `version`, `event`",
            "`metaaccess_events_total` without the hosts, counted once however many exporters show it",
            sum_by(
                "account, event_type, category, version, event",
                &highest(&catalogue::EVENTS, ""),
            ),
        ),
        recorded(
            UP,
            "`account`",
            "`metaaccess_up` as the best of several exporters shows it",
            highest(&catalogue::UP, ""),
        ),
    ]
}

/// In this order, since some read those before them.
fn derived() -> [Recorded; 7] {
    [
        recorded(
            HOUR,
            "`account`, `event_type`, `event`",
            "lines counted in the past hour, a whole number; those too that an outage of up to a day held up",
            sum_by(
                "account, event_type, event",
                &growth_since(EVENTS, "1h", "1d"),
            ),
        ),
        recorded(
            UNINSTALLS,
            "`account`",
            "uninstalls and removals of the past hour",
            of_hour(words::UNINSTALLED),
        ),
        recorded(
            UNINSTALLS_USUAL,
            "`account`",
            "what nine of ten hours of the week before the past hour did not exceed, or of what there is of it",
            usual(UNINSTALLS),
        ),
        recorded(
            NON_COMPLIANT,
            "`account`",
            "changes to non-compliant of the past hour",
            of_hour(words::NON_COMPLIANT),
        ),
        recorded(
            NON_COMPLIANT_USUAL,
            "`account`",
            "what nine of ten hours of the week before the past hour did not exceed, or of what there is of it",
            usual(NON_COMPLIANT),
        ),
        recorded(
            COMPLIANT,
            "`account`",
            "changes to compliant of the past hour",
            of_hour(words::COMPLIANT),
        ),
        recorded(
            FAILED_LOG_ONS,
            "`account`",
            "failed log-ons of administrators of the past hour",
            of_hour(words::FAILED_LOG_ON),
        ),
    ]
}

/// 0 where the account never had such an event, so that what is usual counts that time too.
fn of_hour(matchers: &str) -> String {
    format!("sum by (account) ({HOUR}{{{matchers}}})\nor\n{UP} * 0")
}

/// What all but the busiest tenth of the hours stay within. The average of a week is no measure of an
/// hour at work: those are a quarter of it, and four times as busy.
fn usual(series: &str) -> String {
    format!("quantile_over_time(0.9, {series}[1w] offset 1h)")
}

/// What is recorded every `INTERVAL`.
pub fn counts() -> Vec<Rule> {
    shown().map(Recorded::rule).into()
}

/// What is recorded as often as alerts are looked at.
pub fn rules() -> Vec<Rule> {
    derived().map(Recorded::rule).into()
}

impl Recorded {
    fn rule(self) -> Rule {
        Rule::record(self.series, &self.expr)
    }
}

/// The rows of a table.
pub fn markdown() -> String {
    let all = shown().into_iter().chain(derived());
    all.fold(String::new(), |mut rows, recorded| {
        let Recorded {
            series,
            labels,
            meaning,
            ..
        } = recorded;
        let _ = writeln!(rows, "| `{series}` | {labels} | {meaning} |");
        rows
    })
}
