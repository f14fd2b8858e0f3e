//! Every metric of ours in one table: name, kind, labels and help. The README's table of metrics and
//! the dashboards are tested against it; nothing is exposed that is not here.

/// The type of a metric, as the exposition formats name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric: a public contract, as are its labels.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

const PER_ACCOUNT: &[&str] = &["account"];
const PER_LOG: &[&str] = &["account", "event_type"];

const fn metric(
    kind: Kind,
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric {
        name,
        kind,
        labels,
        help,
    }
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    metric(Kind::Counter, name, labels, help)
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    metric(Kind::Gauge, name, labels, help)
}

const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    metric(Kind::Histogram, name, labels, help)
}

pub const EVENTS: Metric = counter(
    "metaaccess_events_total",
    &[
        "account",
        "event_type",
        "category",
        "version",
        "hostname",
        "event",
    ],
    "Lines of the event logs, each counted once. Read at most once per --scrape.min-interval, since the API allows few requests.",
);

pub const UP: Metric = gauge(
    "metaaccess_up",
    PER_ACCOUNT,
    "Whether the last refresh of every log of the account worked (1) or not (0).",
);
pub const FAILING: Metric = gauge(
    "metaaccess_log_failing",
    &["account", "event_type", "reason"],
    "1 for the reason why the last refresh of the log failed, 0 for those of earlier failures of this process; no other reasons are shown.",
);
pub const REFRESHES: Metric = counter(
    "metaaccess_refreshes_total",
    PER_LOG,
    "Refreshes of the log that ended, well or not.",
);
pub const REFRESH_FAILURES: Metric = counter(
    "metaaccess_refresh_failures_total",
    PER_LOG,
    "Refreshes of the log that failed.",
);
pub const READ_TIMESTAMP: Metric = gauge(
    "metaaccess_log_read_timestamp_seconds",
    PER_LOG,
    "When the log was last read from its newest line to all that was not yet counted, as Unix time; 0 before the first time.",
);
pub const NEWEST_LINE_TIMESTAMP: Metric = gauge(
    "metaaccess_log_newest_line_timestamp_seconds",
    PER_LOG,
    "The minute of the log's newest line that was read, as Unix time; 0 before the first line. A line dated over a day ahead is left out.",
);
pub const READY: Metric = gauge(
    "metaaccess_log_ready",
    PER_LOG,
    "Whether the log was read once as far back as --api.lookback, so that its events are shown (1), or not yet (0).",
);
pub const READING_LINES: Metric = gauge(
    "metaaccess_log_reading_lines",
    PER_LOG,
    "Lines that a read which is not at its end yet holds so far; 0 when none is under way.",
);
pub const LINES_BEHIND: Metric = gauge(
    "metaaccess_log_lines_behind",
    PER_LOG,
    "Lines known to have arrived while the log was last read, and not read yet.",
);
pub const ORDER: Metric = gauge(
    "metaaccess_log_order_info",
    &["account", "event_type", "order"],
    "The order in which the API shows the log, found or configured; always 1, and absent while unknown.",
);
pub const UNPARSABLE: Metric = counter(
    "metaaccess_log_unparsable_lines_total",
    &["account", "event_type", "reason"],
    "Entries of the log that could not be read as a line, each counted once.",
);
pub const UNATTRIBUTED: Metric = counter(
    "metaaccess_log_unattributed_lines_total",
    PER_LOG,
    "New lines that could not be told from lines which the vendor rewrote, so that they are in no series of events.",
);
pub const AMBIGUOUS_READS: Metric = counter(
    "metaaccess_log_ambiguous_reads_total",
    PER_LOG,
    "Reads that left a minute open, since equal lines on moving pages could not be told apart; it is read again.",
);
pub const UNSETTLED_LINES: Metric = gauge(
    "metaaccess_log_unsettled_lines",
    PER_LOG,
    "Lines, at most, of minutes that could not be told apart yet: they are read again, at the latest when the log rests.",
);
pub const MISSED_LINES: Metric = counter(
    "metaaccess_log_missed_lines_total",
    PER_LOG,
    "Lines, at most, that will never be counted: they could not be told apart within a day of log time.",
);
pub const GAPS: Metric = counter(
    "metaaccess_log_gaps_total",
    PER_LOG,
    "Times that the log had lost the lines counted last before newer ones were read: lines in between may never be counted, and nobody knows how many.",
);
pub const DELAY: Metric = histogram(
    "metaaccess_log_line_delay_seconds",
    PER_LOG,
    "From the end of a line's minute until it was counted, by this machine's clock and the log's time zone.",
);

pub const REQUESTS: Metric = counter(
    "metaaccess_api_requests_total",
    &["account", "code"],
    "Requests sent to the API, for tokens too, by HTTP status; code none where no answer came.",
);
pub const TOKEN_REQUESTS: Metric = counter(
    "metaaccess_api_token_requests_total",
    &["account", "code"],
    "Those of the requests to the API that asked for an access token, by HTTP status; code none where no answer came.",
);
pub const TOKEN_EXPIRY: Metric = gauge(
    "metaaccess_api_token_expiry_timestamp_seconds",
    PER_ACCOUNT,
    "When the access token ends that was fetched; 0 where none is held or nobody said when.",
);
pub const REQUEST_DURATION: Metric = histogram(
    "metaaccess_api_request_duration_seconds",
    PER_ACCOUNT,
    "From sending a request to the API until its answer was read or given up.",
);
pub const BUDGET: Metric = gauge(
    "metaaccess_api_budget_requests",
    PER_ACCOUNT,
    "Requests allowed in any window of the rate limit.",
);
pub const BUDGET_LEFT: Metric = gauge(
    "metaaccess_api_budget_left_requests",
    PER_ACCOUNT,
    "Requests that may still be sent now.",
);
pub const BUDGET_WINDOW: Metric = gauge(
    "metaaccess_api_budget_window_seconds",
    PER_ACCOUNT,
    "Length of the rate limit's window.",
);

pub const SERIES: Metric = gauge(
    "metaaccess_series",
    PER_ACCOUNT,
    "Series of events that are held, without those of the overflow.",
);
pub const SERIES_LIMIT: Metric = gauge(
    "metaaccess_series_limit",
    PER_ACCOUNT,
    "Series of events beyond which lines count under hostname __other__ (--metrics.max-series).",
);
pub const NEWBORN_SERIES: Metric = gauge(
    "metaaccess_newborn_series",
    PER_ACCOUNT,
    "Series of events that are shown at 0 until every regular scraper was sent that (--metrics.zero-for).",
);
pub const REGULAR_SCRAPERS: Metric = gauge(
    "metaaccess_regular_scrapers",
    PER_ACCOUNT,
    "Scrapers that come at regular intervals, for which new series are shown at 0 first.",
);
pub const EVENT_NAMES: Metric = gauge(
    "metaaccess_event_names",
    PER_LOG,
    "Different values of the event label.",
);
pub const EVENT_NAMES_LIMIT: Metric = gauge(
    "metaaccess_event_names_limit",
    PER_LOG,
    "Different events of a log beyond which lines count under event __other__ (--metrics.max-events).",
);
pub const OVERFLOWED: Metric = counter(
    "metaaccess_series_overflowed_lines_total",
    PER_ACCOUNT,
    "Lines counted under hostname __other__ or event __other__, since a limit was reached.",
);

pub const OVERFLOWED_SERIES: Metric = gauge(
    "metaaccess_series_overflowed",
    PER_ACCOUNT,
    "Label sets that found no room and never will, so that no count falls; at 200000 no new one finds any, whatever the limit.",
);

pub const STATE: Metric = gauge(
    "metaaccess_state_info",
    &["backend", "epoch"],
    "Where the counts are kept, and which state it is: a state that was lost and began anew has another epoch. Always 1.",
);
pub const STATE_CREATED: Metric = gauge(
    "metaaccess_state_created_timestamp_seconds",
    &[],
    "When the state was made, as Unix time; in memory, when the exporter started.",
);
pub const STATE_CONNECTED: Metric = gauge(
    "metaaccess_state_connected",
    &[],
    "Whether the database that replicas share answered this replica the last time (1) or not (0); only with --state.url.",
);
pub const STATE_CONNECTIONS_LOST: Metric = counter(
    "metaaccess_state_connections_lost_total",
    &[],
    "Connections to the database that broke off or were given up; only with --state.url.",
);
pub const STATE_REGRESSIONS: Metric = counter(
    "metaaccess_state_regressions_total",
    &[],
    "How often the database had less of an account than it had acknowledged, as after a restore from an older backup; only with --state.url.",
);
pub const STATE_REGRESSED_SERIES: Metric = gauge(
    "metaaccess_state_regressed_series",
    PER_ACCOUNT,
    "Series that this replica shows at the count that they had before the database lost it, until they are counted as high again; only with --state.url.",
);
pub const STATE_FENCED: Metric = counter(
    "metaaccess_state_fenced_total",
    PER_ACCOUNT,
    "Commits of this replica that the database refused, since another replica held the lease or had saved the account; only with --state.url.",
);
pub const REPLICAS: Metric = gauge(
    "metaaccess_replicas",
    &[],
    "Replicas that share the state and live, this one too; only with --state.url.",
);
pub const REPLICA_LEADS: Metric = gauge(
    "metaaccess_replica_leads",
    PER_ACCOUNT,
    "Whether this replica holds the lease of the account and asks the API for it (1) or another (0); only with --state.url.",
);
pub const LEASE_TAKEOVERS: Metric = counter(
    "metaaccess_lease_takeovers_total",
    &[],
    "Leases that this replica took over from one that died; only with --state.url.",
);
pub const STATE_SAVES: Metric = counter(
    "metaaccess_state_saves_total",
    PER_ACCOUNT,
    "Times that the account was saved, well or not: before each request, and before counts are shown. 0 without --state.path.",
);
pub const STATE_SAVE_FAILURES: Metric = counter(
    "metaaccess_state_save_failures_total",
    PER_ACCOUNT,
    "Times that the account could not be saved: then the counts saved last are shown, and the API is not asked.",
);
pub const STATE_SAVE_DURATION: Metric = histogram(
    "metaaccess_state_save_duration_seconds",
    PER_ACCOUNT,
    "How long saving the account took.",
);
pub const STATE_SAVED_TIMESTAMP: Metric = gauge(
    "metaaccess_state_saved_timestamp_seconds",
    PER_ACCOUNT,
    "When the account was last saved, as Unix time; 0 before the first time.",
);
pub const STATE_UNSAVED: Metric = gauge(
    "metaaccess_state_unsaved",
    PER_ACCOUNT,
    "Whether the last attempt to save the account failed (1) or not (0).",
);
pub const BUILD: Metric = gauge(
    "metaaccess_exporter_build_info",
    &["version"],
    "The version of this program; always 1.",
);
pub const SCRAPES: Metric = counter(
    "metaaccess_exporter_scrapes_total",
    &[],
    "Scrapes that were answered.",
);
pub const SCRAPES_STALE: Metric = counter(
    "metaaccess_exporter_stale_scrapes_total",
    &[],
    "Scrapes that were answered before the refresh they waited for had ended, since their time was over or the budget used up.",
);

pub const CONNECTIONS: Metric = gauge(
    "metaaccess_exporter_connections",
    &[],
    "Connections to the exporter that are open (--web.max-connections).",
);
pub const CONNECTIONS_REFUSED: Metric = counter(
    "metaaccess_exporter_connections_refused_total",
    &["reason"],
    "Connections that found no place but for a word (full), gave theirs to another while nothing was asked (displaced), or came to no TLS handshake (handshake).",
);
pub const REQUESTS_REFUSED: Metric = counter(
    "metaaccess_exporter_requests_refused_total",
    &["reason"],
    "Requests to the exporter that were not looked into: over rate_limit of the web configuration, with a body, beyond the limit of connections (full), without a right password (unauthorized), or with too many waiting for a verdict on theirs (queue).",
);
pub const PANICS: Metric = counter(
    "metaaccess_exporter_panics_total",
    &[],
    "Requests that were answered with 500 since the exporter has a mistake.",
);
pub const CONFIG_SUCCESSFUL: Metric = gauge(
    "metaaccess_exporter_config_last_reload_successful",
    &[],
    "Whether the last reading of --config.file took over (1), or the accounts before it go on (0); only with that flag.",
);
pub const CONFIG_RELOADED: Metric = gauge(
    "metaaccess_exporter_config_last_reload_success_timestamp_seconds",
    &[],
    "When --config.file took over last; only with that flag.",
);
pub const WEB_CONFIG_SUCCESSFUL: Metric = gauge(
    "metaaccess_exporter_web_config_last_reload_successful",
    &[],
    "Whether the file of --web.config.file and those that it names could be read when they were last changed (1), or not (0): then those before are in force. Absent without that flag.",
);
pub const WEB_CONFIG_RELOADED: Metric = gauge(
    "metaaccess_exporter_web_config_last_reload_success_timestamp_seconds",
    &[],
    "When the web configuration in force was read, as Unix time. Absent without --web.config.file.",
);

const NONE: &[&str] = &[];
pub const PROCESS_CPU: Metric = counter(
    "process_cpu_seconds_total",
    NONE,
    "Total user and system CPU time spent in seconds.",
);
pub const PROCESS_RESIDENT: Metric = gauge(
    "process_resident_memory_bytes",
    NONE,
    "Resident memory size in bytes.",
);
pub const PROCESS_VIRTUAL: Metric = gauge(
    "process_virtual_memory_bytes",
    NONE,
    "Virtual memory size in bytes.",
);
pub const PROCESS_START: Metric = gauge(
    "process_start_time_seconds",
    NONE,
    "Start time of the process since unix epoch in seconds.",
);
pub const PROCESS_OPEN_FDS: Metric =
    gauge("process_open_fds", NONE, "Number of open file descriptors.");
pub const PROCESS_MAX_FDS: Metric = gauge(
    "process_max_fds",
    NONE,
    "Maximum number of open file descriptors.",
);
pub const PROCESS_THREADS: Metric = gauge(
    "process_threads",
    NONE,
    "Number of OS threads in the process.",
);

/// Every metric, in the order in which they are documented.
pub const ALL: &[Metric] = &[
    EVENTS,
    UP,
    FAILING,
    REFRESHES,
    REFRESH_FAILURES,
    READ_TIMESTAMP,
    NEWEST_LINE_TIMESTAMP,
    READY,
    READING_LINES,
    LINES_BEHIND,
    ORDER,
    UNPARSABLE,
    UNATTRIBUTED,
    AMBIGUOUS_READS,
    UNSETTLED_LINES,
    MISSED_LINES,
    GAPS,
    DELAY,
    REQUESTS,
    TOKEN_REQUESTS,
    TOKEN_EXPIRY,
    REQUEST_DURATION,
    BUDGET,
    BUDGET_LEFT,
    BUDGET_WINDOW,
    SERIES,
    SERIES_LIMIT,
    NEWBORN_SERIES,
    REGULAR_SCRAPERS,
    EVENT_NAMES,
    EVENT_NAMES_LIMIT,
    OVERFLOWED,
    OVERFLOWED_SERIES,
    STATE,
    STATE_CREATED,
    STATE_CONNECTED,
    STATE_CONNECTIONS_LOST,
    STATE_REGRESSIONS,
    STATE_REGRESSED_SERIES,
    STATE_FENCED,
    REPLICAS,
    REPLICA_LEADS,
    LEASE_TAKEOVERS,
    STATE_SAVES,
    STATE_SAVE_FAILURES,
    STATE_SAVE_DURATION,
    STATE_SAVED_TIMESTAMP,
    STATE_UNSAVED,
    BUILD,
    SCRAPES,
    SCRAPES_STALE,
    CONNECTIONS,
    CONNECTIONS_REFUSED,
    REQUESTS_REFUSED,
    PANICS,
    CONFIG_SUCCESSFUL,
    CONFIG_RELOADED,
    WEB_CONFIG_SUCCESSFUL,
    WEB_CONFIG_RELOADED,
    PROCESS_CPU,
    PROCESS_RESIDENT,
    PROCESS_VIRTUAL,
    PROCESS_START,
    PROCESS_OPEN_FDS,
    PROCESS_MAX_FDS,
    PROCESS_THREADS,
];

/// Those that change with every scrape, or with time alone.
pub const LIVE: &[Metric] = &[
    BUDGET_LEFT,
    TOKEN_EXPIRY,
    REGULAR_SCRAPERS,
    SCRAPES,
    SCRAPES_STALE,
    CONNECTIONS,
    CONNECTIONS_REFUSED,
    REQUESTS_REFUSED,
    PANICS,
    PROCESS_CPU,
    PROCESS_RESIDENT,
    PROCESS_VIRTUAL,
    PROCESS_START,
    PROCESS_OPEN_FDS,
    PROCESS_MAX_FDS,
    PROCESS_THREADS,
];

/// The counters that the state keeps over a restart, beside the events.
pub const KEPT: &[Metric] = &[UNPARSABLE, UNATTRIBUTED, MISSED_LINES, GAPS, OVERFLOWED];

/// The rows of the README's table of metrics.
pub fn markdown() -> String {
    let row = |metric: &Metric| {
        let labels: Vec<String> = metric.labels.iter().map(|l| format!("`{l}`")).collect();
        let (name, kind) = (metric.name, metric.kind.as_str());
        format!(
            "| `{name}` | {kind} | {} | {} |\n",
            labels.join(", "),
            metric.help
        )
    };
    let head = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
    std::iter::once(head.to_owned())
        .chain(ALL.iter().map(row))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        let names: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len(), "a name stands twice");
        for metric in ALL {
            let Metric {
                name,
                kind,
                labels,
                help,
            } = metric;
            assert!(
                name.starts_with("metaaccess_") || name.starts_with("process_"),
                "{name}"
            );
            let is_counter = *kind == Kind::Counter;
            assert_eq!(name.ends_with("_total"), is_counter, "{name}");
            assert!(help.ends_with('.') && !help.contains('\n'), "{name}");
            assert!(!labels.contains(&"type") && !name.contains(':'), "{name}");
        }
    }

    #[test]
    fn no_two_metrics_are_of_one_family_in_openmetrics() {
        let family = |metric: &Metric| metric.name.trim_end_matches("_total").to_owned();
        let families: BTreeSet<String> = ALL.iter().map(family).collect();
        assert_eq!(families.len(), ALL.len());
        for metric in ALL {
            let reserved = ["_count", "_sum", "_bucket", "_created"];
            assert!(
                !reserved.iter().any(|end| metric.name.ends_with(end)),
                "{}",
                metric.name
            );
        }
    }

    #[test]
    fn every_series_of_an_account_names_it() {
        let of_the_process = [
            "process_",
            "metaaccess_exporter_",
            STATE.name,
            STATE_CREATED.name,
            STATE_CONNECTED.name,
            STATE_CONNECTIONS_LOST.name,
            STATE_REGRESSIONS.name,
            REPLICAS.name,
            LEASE_TAKEOVERS.name,
        ];
        for metric in ALL {
            let process = of_the_process.iter().any(|name| match name.ends_with('_') {
                true => metric.name.starts_with(name),
                false => metric.name == *name,
            });
            assert_eq!(
                !process,
                metric.labels.contains(&"account"),
                "{}",
                metric.name
            );
        }
    }
}
