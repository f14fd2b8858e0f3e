//! The exporter itself: whether its counts can be trusted, and what they cost.

use metaaccess_exporter::catalogue::{self, Metric};

use crate::source::layout::{Dashboard, Row};
use crate::source::panel::{COUNT, Panel};
use crate::source::promql::{
    ACCOUNT, BAR, LOG, around, growth_by, highest, highest_growth, known, of_instances, of_leaders,
    quantile, selector, sum_by,
};
use crate::source::{annotation, variable};

pub fn dashboard() -> String {
    Dashboard {
        uid: "metaaccess-exporter",
        title: "MetaAccess exporter",
        description: "How metaaccess-exporter is doing: freshness, rate limit, state and resources.",
        from: "now-6h",
        variables: vec![
            variable::source(),
            variable::account(),
            variable::event_type(),
        ],
        annotations: vec![annotation::restarts(), annotation::new_states()],
        rows: vec![
            glance(),
            freshness(),
            doubts(),
            budget(),
            series(),
            state(),
            replicas(),
            process(),
        ],
    }
    .json()
}

/// The ten largest of what is one series for each account or log.
fn top(query: &str) -> String {
    format!("topk(10, {query})")
}

/// Bars of a counter, added up by these labels.
fn grown(metric: &Metric, matchers: &str, by: &str) -> String {
    sum_by(by, &highest_growth(metric, matchers, BAR))
}

fn glance() -> Row {
    let up = highest(&catalogue::UP, ACCOUNT);
    let worst = [("green", None), ("red", Some(1.0))];
    let number = |title: &str, description: &str, query: &str| {
        Panel::stat(title, description, COUNT, "No exporter")
            .instant(query, title)
            .decimals(0)
            .wide(4)
    };
    let reasons = format!(
        "max by (account, event_type, reason) ({}) == 1",
        known(&selector(catalogue::FAILING.name, LOG))
    );
    let unsaved = of_leaders(&selector(catalogue::STATE_UNSAVED.name, ACCOUNT));
    Row::new("At a glance").line(
        5,
        vec![
            number(
                "Accounts read",
                "Accounts whose last refresh of every log worked.",
                &format!("sum({up})"),
            ),
            number(
                "Accounts failing",
                "Accounts whose last refresh of a log failed. The reasons stand beside.",
                &format!("count({up} == 0) or max({up}) * 0"),
            )
            .color(&worst),
            number(
                "Unsaved",
                "Accounts whose state could not be saved at the last attempt.",
                &format!("sum(max by (account) ({unsaved}))"),
            )
            .color(&worst),
            number(
                "Logs ready",
                "Logs that were read once as far back as the lookback, so that their events are shown.",
                &format!("sum({})", highest(&catalogue::READY, LOG)),
            ),
            Panel::table(
                "Logs that cannot be read now",
                "The reason why the last refresh of a log failed. What to do about each stands in the exporter's README.",
                COUNT,
                &[
                    ("account", "Account"),
                    ("event_type", "Log"),
                    ("reason", "Reason"),
                    ("Value", "Failing"),
                ],
            )
            .rows(&reasons)
            .hidden("Failing")
            .column_width("Account", 120)
            .column_width("Log", 80)
            .empty("None known")
            .wide(8),
        ],
    )
}

fn freshness() -> Row {
    let since = |metric| top(&format!("time() - ({} > 0)", highest(metric, LOG)));
    Row::new("Freshness")
        .line(
            8,
            vec![
                Panel::worked(
                    "Whether the account was read",
                    "Whether the last refresh of every log worked: red where one failed. Of many, the ten worst.",
                )
                .query(
                    &format!("bottomk(10, {})", highest(&catalogue::UP, ACCOUNT)),
                    "{{account}}",
                )
                .empty("No exporter")
                .wide(8),
                Panel::lines(
                    "Since the log was last read",
                    "Time since a log was last read from its newest line to all that was not yet counted; of many, the ten longest ago.",
                    "s",
                )
                .query(&since(&catalogue::READ_TIMESTAMP), "{{account}} {{event_type}}")
                .empty("Not read yet")
                .wide(8),
                Panel::lines(
                    "Lines behind",
                    "Lines known to have arrived while the log was last read, and not read yet; and lines that a read which is not at its end holds so far. Of many, the ten furthest behind.",
                    COUNT,
                )
                .query(
                    &top(&highest(&catalogue::LINES_BEHIND, LOG)),
                    "{{account}} {{event_type}}, behind",
                )
                .query(
                    &top(&highest(&catalogue::READING_LINES, LOG)),
                    "{{account}} {{event_type}}, being read",
                )
                .decimals(0)
                .empty("No exporter")
                .wide(8),
            ],
        )
        .line(
            8,
            vec![
                Panel::bars("Refreshes", "Refreshes that ended, well or not, since the bar before.")
                    .query(&grown(&catalogue::REFRESHES, LOG, "event_type"), "{{event_type}}")
                    .empty("No exporter")
                    .wide(8),
                Panel::bars("Failed refreshes", "Refreshes that failed, since the bar before.")
                    .query(
                        &grown(&catalogue::REFRESH_FAILURES, LOG, "event_type"),
                        "{{event_type}}",
                    )
                    .empty("No exporter")
                    .wide(8),
                Panel::lines(
                    "Reasons of failure",
                    "Logs whose last refresh failed, by reason.",
                    COUNT,
                )
                .query(
                    &format!(
                        "sum by (reason) (max by (account, event_type, reason) ({})) > 0",
                        known(&selector(catalogue::FAILING.name, LOG))
                    ),
                    "{{reason}}",
                )
                .decimals(0)
                .empty("None known")
                .wide(8),
            ],
        )
}

fn doubts() -> Row {
    let bars = |title: &str, description: &str, metric, by: &str, legend: &str| {
        Panel::bars(title, description)
            .query(&grown(metric, LOG, by), legend)
            .empty("No exporter")
    };
    Row::new("Lines that are in no count, or in doubt")
        .line(
            8,
            vec![
                bars(
                    "Missed lines",
                    "Lines, at most, that will never be counted, since the bar before; and how often the log had lost the lines counted last before newer ones were read.",
                    &catalogue::MISSED_LINES,
                    "event_type",
                    "{{event_type}}, missed",
                )
                .query(&grown(&catalogue::GAPS, LOG, "event_type"), "{{event_type}}, gaps")
                .wide(8),
                bars(
                    "Lines that cannot be read",
                    "Entries of the log that could not be read as a line, each counted once, since the bar before.",
                    &catalogue::UNPARSABLE,
                    "event_type, reason",
                    "{{event_type}}, {{reason}}",
                )
                .wide(8),
                bars(
                    "Lines without a series",
                    "New lines that could not be told from lines which the vendor rewrote: they are counted here alone, since the bar before.",
                    &catalogue::UNATTRIBUTED,
                    "event_type",
                    "{{event_type}}",
                )
                .wide(8),
            ],
        )
        .line(
            8,
            vec![
                bars(
                    "Ambiguous reads",
                    "Reads that left a minute open, since equal lines on moving pages could not be told apart. It is read again.",
                    &catalogue::AMBIGUOUS_READS,
                    "event_type",
                    "{{event_type}}",
                )
                .wide(12),
                Panel::lines(
                    "Unsettled lines",
                    "Lines, at most, of minutes that could not be told apart yet; of many, the ten logs with the most.",
                    COUNT,
                )
                .query(
                    &top(&highest(&catalogue::UNSETTLED_LINES, LOG)),
                    "{{account}} {{event_type}}",
                )
                .decimals(0)
                .empty("No exporter")
                .wide(12),
            ],
        )
}

/// Bars of requests by HTTP status, in the colours of how good that is.
fn by_status(title: &str, description: &str, metric: &Metric) -> Panel {
    Panel::bars(title, description)
        .query(&grown(metric, ACCOUNT, "code"), "{{code}}")
        .painted("/^2/", "green")
        .painted("/^4/", "orange")
        .painted("/^5|none/", "red")
        .empty("No exporter")
        .wide(6)
}

/// Within how long half of what a histogram observed was done, and 95 of 100.
fn durations(title: &str, description: &str, metric: &Metric) -> Panel {
    let within = |q| quantile(q, metric, ACCOUNT, "");
    Panel::lines(title, description, "s")
        .query(&within(0.5), "half")
        .query(&within(0.95), "95 %")
        .wide(6)
}

fn budget() -> Row {
    let (allowed, left) = (
        highest(&catalogue::BUDGET, ACCOUNT),
        format!(
            "min by (account) ({})",
            selector(catalogue::BUDGET_LEFT.name, ACCOUNT)
        ),
    );
    let used = top(&format!("1 - {left} / {allowed}"));
    let token = format!(
        "bottomk(10, ({} > 0) - time())",
        highest(&catalogue::TOKEN_EXPIRY, ACCOUNT)
    );
    Row::new("Requests to the API")
        .line(
            8,
            vec![
                Panel::lines(
                    "Budget used",
                    "Share of the requests allowed in a window that cannot be sent now, for they were sent, or others used them; of many accounts, the ten highest. All of it for long, with few requests sent, means that something else uses the account.",
                    "percentunit",
                )
                .query(&used, "{{account}}")
                .max(1.0)
                .empty("No exporter")
                .wide(8),
                Panel::lines(
                    "Requests left and allowed",
                    "Requests that may still be sent now, and those allowed in any window; of many accounts, the ten lowest.",
                    COUNT,
                )
                .query(&format!("bottomk(10, {left})"), "{{account}}, left")
                .query(&format!("bottomk(10, {allowed})"), "{{account}}, allowed")
                .smallest_first()
                .decimals(0)
                .empty("No exporter")
                .wide(8),
                Panel::lines(
                    "Length of the window",
                    "Length of the rate limit's window; of many accounts, the ten longest.",
                    "s",
                )
                .query(&top(&highest(&catalogue::BUDGET_WINDOW, ACCOUNT)), "{{account}}")
                .empty("No exporter")
                .wide(8),
            ],
        )
        .line(
            8,
            vec![
                by_status(
                    "Requests by status",
                    "Requests sent to the API by HTTP status, since the bar before; none where no answer came.",
                    &catalogue::REQUESTS,
                ),
                durations(
                    "Duration of requests",
                    "From sending a request until its answer was read or given up: half of the requests, and 95 of 100, are quicker.",
                    &catalogue::REQUEST_DURATION,
                )
                .empty("No requests in the range"),
                by_status(
                    "Requests for tokens",
                    "Those of the requests that asked for an access token, by HTTP status, since the bar before.",
                    &catalogue::TOKEN_REQUESTS,
                ),
                Panel::lines(
                    "Life left of the token",
                    "Until the access token ends that the exporter fetched. It fetches another at a fifth of that; of many, the ten shortest.",
                    "s",
                )
                .query(&token, "{{account}}")
                .smallest_first()
                .empty("No OAuth client")
                .wide(6),
            ],
        )
}

fn series() -> Row {
    let share = |used, limit, matchers: &str| {
        top(&format!(
            "{} / {}",
            highest(used, matchers),
            highest(limit, matchers)
        ))
    };
    let lines = |title: &str, description: &str, query: &str, legend: &str| {
        Panel::lines(title, description, COUNT)
            .query(query, legend)
            .decimals(0)
            .empty("No exporter")
    };
    Row::new("Series")
        .line(
            8,
            vec![
                Panel::lines(
                    "Series against their limit",
                    "Share of the limit of series that is in use; of many accounts, the ten highest. Beyond the limit lines count under hostname __other__.",
                    "percentunit",
                )
                .query(
                    &share(&catalogue::SERIES, &catalogue::SERIES_LIMIT, ACCOUNT),
                    "{{account}}",
                )
                .max(1.0)
                .empty("No exporter")
                .wide(8),
                Panel::lines(
                    "Events against their limit",
                    "Share of the limit of different events that is in use; of many logs, the ten highest. Beyond the limit lines count under event __other__.",
                    "percentunit",
                )
                .query(
                    &share(&catalogue::EVENT_NAMES, &catalogue::EVENT_NAMES_LIMIT, LOG),
                    "{{account}} {{event_type}}",
                )
                .max(1.0)
                .empty("No exporter")
                .wide(8),
                Panel::bars(
                    "Lines beyond the limits",
                    "Lines that counted under hostname __other__ or event __other__, since the bar before.",
                )
                .query(&grown(&catalogue::OVERFLOWED, ACCOUNT, "account"), "{{account}}")
                .empty("No exporter")
                .wide(8),
            ],
        )
        .line(
            8,
            vec![
                lines(
                    "Series",
                    "Series of events that are held; of many accounts, the ten with the most.",
                    &top(&highest(&catalogue::SERIES, ACCOUNT)),
                    "{{account}}",
                )
                .wide(8),
                lines(
                    "New series",
                    "Series of events that are shown at 0 until every regular scraper was sent that; of many accounts, the ten with the most.",
                    &top(&highest(&catalogue::NEWBORN_SERIES, ACCOUNT)),
                    "{{account}}",
                )
                .wide(8),
                lines(
                    "Regular scrapers",
                    "Scrapers that come at regular intervals, for which new series are shown at 0 first; of many accounts, the ten with the fewest.",
                    &format!(
                        "bottomk(10, {})",
                        highest(&catalogue::REGULAR_SCRAPERS, ACCOUNT)
                    ),
                    "{{account}}",
                )
                .smallest_first()
                .wide(8),
            ],
        )
}

fn state() -> Row {
    let since = top(&format!(
        "time() - ({} > 0)",
        highest(&catalogue::STATE_SAVED_TIMESTAMP, ACCOUNT)
    ));
    let epochs = format!(
        "max by (backend, epoch) ({} * on (instance, job) group_left () max by (instance, job) ({}) * 1000)",
        catalogue::STATE.name,
        catalogue::STATE_CREATED.name
    );
    Row::new("State").line(
        8,
        vec![
            Panel::bars(
                "Saves",
                "Times that an account was saved, well or not, and those that failed, since the bar before. Without --state.path there are none.",
            )
            .query(
                &around("sum", &highest_growth(&catalogue::STATE_SAVES, ACCOUNT, BAR)),
                "saves",
            )
            .query(
                &format!(
                    "sum({})",
                    highest_growth(&catalogue::STATE_SAVE_FAILURES, ACCOUNT, BAR)
                ),
                "failed",
            )
            .painted("failed", "red")
            .empty("No exporter")
            .wide(5),
            durations(
                "Duration of saves",
                "How long saving an account took: half of the saves, and 95 of 100, are quicker.",
                &catalogue::STATE_SAVE_DURATION,
            )
            .empty("No saves in the range"),
            Panel::lines(
                "Since the last save",
                "Time since an account was last saved; of many, the ten longest ago.",
                "s",
            )
            .query(&since, "{{account}}")
            .empty("No saves")
            .wide(5),
            Panel::table(
                "States",
                "Where the counts are kept, and since when. Another epoch than before means that a state was lost and another began.",
                COUNT,
                &[("backend", "Kept in"), ("epoch", "Epoch"), ("Value", "Since")],
            )
            .rows(&epochs)
            .column_unit("Since", "dateTimeAsIso")
            .column_width("Kept in", 80)
            .column_width("Since", 160)
            .empty("No exporter")
            .wide(8),
        ],
    )
}

/// What there is only where replicas share the state.
fn replicas() -> Row {
    const NONE: &str = "No database";
    let by_instance = |metric: &Metric| format!("max by (instance) ({})", metric.name);
    let led = format!(
        "sum by (instance) (max by (instance, account) ({}))",
        selector(catalogue::REPLICA_LEADS.name, ACCOUNT)
    );
    let regressed = format!(
        "sum by (instance) (max by (instance, account) ({}))",
        selector(catalogue::STATE_REGRESSED_SERIES.name, ACCOUNT)
    );
    let grown_by_instance = |metric: &Metric| growth_by("instance", metric.name, BAR);
    let fenced = growth_by(
        "instance, account",
        &selector(catalogue::STATE_FENCED.name, ACCOUNT),
        BAR,
    );
    Row::new("Replicas")
        .line(
            8,
            vec![
                Panel::lines(
                    "Replicas alive",
                    "Replicas that share the state and live, as each of them sees it.",
                    COUNT,
                )
                .query(&by_instance(&catalogue::REPLICAS), "{{instance}}")
                .decimals(0)
                .empty(NONE)
                .wide(8),
                Panel::lines(
                    "Accounts led",
                    "Accounts for which a replica asks the API. Each has one at a time; after a replica died the others take its accounts within seconds.",
                    COUNT,
                )
                .query(&led, "{{instance}}")
                .decimals(0)
                .empty(NONE)
                .wide(8),
                Panel::worked(
                    "Connection to the database",
                    "Whether the database answered each replica the last time: red where it did not. Such a replica shows the counts that it has, and asks the API for nothing.",
                )
                .query(&by_instance(&catalogue::STATE_CONNECTED), "{{instance}}")
                .empty(NONE)
                .wide(8),
            ],
        )
        .line(
            8,
            vec![
                Panel::bars(
                    "Takeovers and lost connections",
                    "Leases taken over from replicas that died, and connections to the database that broke off, since the bar before.",
                )
                .query(&grown_by_instance(&catalogue::LEASE_TAKEOVERS), "{{instance}}, taken over")
                .query(
                    &grown_by_instance(&catalogue::STATE_CONNECTIONS_LOST),
                    "{{instance}}, connections lost",
                )
                .empty(NONE)
                .wide(8),
                Panel::bars(
                    "Refused commits",
                    "Commits that the database refused, since another replica leads the account by now; and how often the database had less than it had acknowledged, since the bar before. Beside it how many series are shown as they were until they are counted as high again.",
                )
                .query(&sum_by("instance", &fenced), "{{instance}}, refused")
                .query(
                    &grown_by_instance(&catalogue::STATE_REGRESSIONS),
                    "{{instance}}, data lost",
                )
                .query(&regressed, "{{instance}}, series as before")
                .painted("/lost/", "red")
                .empty(NONE)
                .wide(8),
                Panel::lines(
                    "Duration of saves by replica",
                    "How long saving an account took each replica: 95 of 100 saves are quicker. A save is a transaction of the database.",
                    "s",
                )
                .query(
                    &quantile(0.95, &catalogue::STATE_SAVE_DURATION, ACCOUNT, "instance"),
                    "{{instance}}",
                )
                .empty("No saves in the range")
                .wide(8),
            ],
        )
}

fn process() -> Row {
    let ours = |metric: Metric| of_instances(metric.name);
    let rate = |metric: Metric| of_instances(&format!("rate({}[$__rate_interval])", metric.name));
    let by_reason =
        |metric: Metric| sum_by("reason", &highest_by_instance(&metric, "instance, reason"));
    let answered = |metric: Metric| highest_by_instance(&metric, "instance");
    Row::new("Process")
        .line(
            8,
            vec![
                Panel::lines("Memory", "Memory of the exporter that is resident.", "bytes")
                    .query(&ours(catalogue::PROCESS_RESIDENT), "{{instance}}")
                    .empty("No exporter")
                    .wide(8),
                Panel::lines("CPU", "CPU time used, as a share of one core.", "percentunit")
                    .query(&rate(catalogue::PROCESS_CPU), "{{instance}}")
                    .empty("No exporter")
                    .wide(8),
                Panel::lines(
                    "Open files and connections",
                    "File descriptors, and connections among them, that are open.",
                    COUNT,
                )
                .query(&ours(catalogue::PROCESS_OPEN_FDS), "{{instance}}, files")
                .query(
                    &format!("max by (instance) ({})", catalogue::CONNECTIONS.name),
                    "{{instance}}, connections",
                )
                .decimals(0)
                .empty("No exporter")
                .wide(8),
            ],
        )
        .line(
            8,
            vec![
                Panel::bars(
                    "Scrapes",
                    "Scrapes that were answered, and those answered before the read that they waited for had ended, since the bar before.",
                )
                .query(&answered(catalogue::SCRAPES), "{{instance}}")
                .query(&answered(catalogue::SCRAPES_STALE), "{{instance}}, too early")
                .empty("No exporter")
                .wide(12),
                Panel::bars(
                    "Refused at the door",
                    "Connections and requests that were refused, by reason, and requests that ended in a mistake of the exporter's, since the bar before.",
                )
                .query(&by_reason(catalogue::CONNECTIONS_REFUSED), "connection: {{reason}}")
                .query(&by_reason(catalogue::REQUESTS_REFUSED), "request: {{reason}}")
                .query(&around("sum", &answered(catalogue::PANICS)), "mistake")
                .empty("No exporter")
                .wide(12),
            ],
        )
        .line(
            5,
            vec![
                Panel::worked(
                    "Configuration taken over",
                    "Whether the last change of the file of accounts, and of the web configuration, took over: red where the one before goes on. Empty without such files.",
                )
                .query(
                    &format!("min by (instance) ({})", catalogue::CONFIG_SUCCESSFUL.name),
                    "{{instance}}, accounts",
                )
                .query(
                    &format!("min by (instance) ({})", catalogue::WEB_CONFIG_SUCCESSFUL.name),
                    "{{instance}}, web",
                )
                .empty("No such files")
                .wide(14),
                Panel::table(
                    "Versions",
                    "Which version of the exporter runs where.",
                    COUNT,
                    &[("instance", "Instance"), ("version", "Version"), ("Value", "Running")],
                )
                .rows(&format!(
                    "max by (instance, version) ({})",
                    catalogue::BUILD.name
                ))
                .hidden("Running")
                .column_width("Version", 90)
                .empty("No exporter")
                .wide(10),
            ],
        )
}

/// The growth of a counter that each exporter has for itself.
fn highest_by_instance(metric: &Metric, by: &str) -> String {
    growth_by(by, metric.name, BAR)
}
