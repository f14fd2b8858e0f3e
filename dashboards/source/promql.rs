//! The pieces that queries are made of.
//!
//! An account's counts are the same whichever exporter shows them, and however many Prometheus
//! servers keep them. So the highest of equal series is taken, over all labels that are not the
//! metric's own, before anything is added up. What each process does for itself, such as sending
//! requests, adds up over the processes.

use metaaccess_exporter::catalogue::{self, Metric};

/// The account that is chosen.
pub const ACCOUNT: &str = r#"account=~"$account""#;
/// The logs of it that are chosen.
pub const LOG: &str = r#"account=~"$account",event_type=~"$event_type""#;

/// One series for each set of the metric's own labels: the highest of what several exporters show.
pub fn highest(metric: &Metric, matchers: &str) -> String {
    let selector = selector(metric.name, matchers);
    format!("max by ({}) ({selector})", metric.labels.join(", "))
}

/// An operator or a function with its argument on lines of its own.
pub fn around(operator: &str, argument: &str) -> String {
    format!("{operator} (\n  {}\n)", argument.replace('\n', "\n  "))
}

/// `name{matchers}`, without braces where there is nothing to match.
pub fn selector(name: &str, matchers: &str) -> String {
    if matchers.is_empty() {
        name.to_owned()
    } else {
        format!("{name}{{{matchers}}}")
    }
}

/// How far back before a window the last value of a counter is looked for, so that what is caught up
/// with after an outage counts too.
const BEFORE: &str = "1h";

/// The window of a bar: from the bar before it to its own time.
pub const BAR: &str = "$__interval";

/// By how much a counter grew within a window, as a whole number: from its last value before the
/// window, no further back than said, or else from its first within, to its highest within. So
/// windows that follow each other count each line once, which `increase()` does not: it leaves out
/// what came between two windows, and stretches the rest. It holds for counters that never fall, as
/// those do that are kept in a state; where one fell all the same, nothing is counted rather than
/// too much.
pub fn growth_since(selector: &str, window: &str, before: &str) -> String {
    let first = first_within(selector, window);
    let grown = format!(
        "max_over_time({selector}[{window}])\n\
         - (\n  \
         last_over_time({selector}[{before}] offset {window})\n  \
         or\n  \
         ({first})\n\
         ),\n0"
    );
    around("clamp_min", &grown)
}

/// The first value of a counter in a window; none where it fell.
fn first_within(selector: &str, window: &str) -> String {
    format!("min_over_time({selector}[{window}]) unless resets({selector}[{window}]) > 0")
}

/// The growth of a counter of ours, one series for each set of its own labels.
pub fn highest_growth(metric: &Metric, matchers: &str, window: &str) -> String {
    let is = |kept: &Metric| kept.name == metric.name;
    let labels = metric.labels.join(", ");
    let selector = selector(metric.name, matchers);
    match is(&catalogue::EVENTS) || catalogue::KEPT.iter().any(is) {
        true => kept_growth(&labels, &selector, window, BEFORE),
        false => work(&labels, &selector, window),
    }
}

/// The growth of a counter of what each process does for itself, such as requests: all of it, whichever
/// process did it, and what several Prometheus servers keep of one only once.
fn work(labels: &str, selector: &str, window: &str) -> String {
    sum_by(
        labels,
        &growth_by(&format!("{labels}, instance"), selector, window),
    )
}

/// What is known now: not by a replica that its database does not answer, whose gauges are old.
pub fn known(selector: &str) -> String {
    let connected = catalogue::STATE_CONNECTED.name;
    format!("{selector} unless on (job, instance) {connected} == 0")
}

/// What the replica says that leads the account, if replicas share the state: of the others it may be
/// old.
pub fn of_leaders(selector: &str) -> String {
    let leads = catalogue::REPLICA_LEADS.name;
    format!("{selector} unless on (job, instance, account) {leads} == 0")
}

/// The growth of the counts of events: those that the rules have added up over hosts, or those of
/// each host, as the variable `counts` says. One series for each set of labels.
pub fn events(matchers: &str, window: &str) -> String {
    let labels = catalogue::EVENTS.labels.join(", ");
    kept_growth(&labels, &counts(matchers), window, BEFORE)
}

/// The counts of events, of the series that the variable `counts` names. Without any it is empty,
/// and Prometheus refuses a selector whose every matcher may be: so an account is asked for.
pub fn counts(matchers: &str) -> String {
    format!(r#"{{__name__=~"$counts",account!="",{matchers}}}"#)
}

/// The growth of a counter of ours that the state keeps, for the rules: of all its series, with the
/// last value before the window looked for further back.
pub fn kept_growth_since(metric: &Metric, window: &str, before: &str) -> String {
    kept_growth(&metric.labels.join(", "), metric.name, window, before)
}

/// The growth of a counter that goes on where it was under whichever name its exporter is scraped
/// next, as that of a replaced pod: the highest of all before a window is what was counted by then.
fn kept_growth(labels: &str, selector: &str, window: &str, before: &str) -> String {
    let first = first_within(selector, window);
    let grown = format!(
        "max by ({labels}) (max_over_time({selector}[{window}]))\n\
         - (\n  \
         max by ({labels}) (last_over_time({selector}[{before}] offset {window}))\n  \
         or\n  \
         min by ({labels}) ({first})\n\
         ),\n0"
    );
    around("clamp_min", &grown)
}

/// The growth of the counts of events of each host.
pub fn events_by_host(matchers: &str, window: &str) -> String {
    highest_growth(&catalogue::EVENTS, matchers, window)
}

/// The growth of a counter that begins at 0 with each exporter: the highest for each set of these labels,
/// which name the exporter where several count each for itself.
pub fn growth_by(labels: &str, selector: &str, window: &str) -> String {
    around(
        &format!("max by ({labels})"),
        &growth_since(selector, window, BEFORE),
    )
}

/// What is added up over all labels but these.
pub fn sum_by(labels: &str, query: &str) -> String {
    around(&format!("sum by ({labels})"), query)
}

/// A quantile of a histogram of ours, over the labels named; nothing where nothing was observed.
pub fn quantile(q: f64, metric: &Metric, matchers: &str, by: &str) -> String {
    let selector = selector(&format!("{}_bucket", metric.name), matchers);
    let own = metric.labels.join(", ");
    let by = if by.is_empty() {
        "le".to_owned()
    } else {
        format!("le, {by}")
    };
    format!(
        "histogram_quantile({q}, sum by ({by}) (max by (le, {own}, instance) (rate({selector}[$__rate_interval])))) >= 0"
    )
}

/// A metric that every exporter shows once for itself, of those targets alone that are exporters of
/// ours: one series for each instance, whichever Prometheus kept it.
pub fn of_instances(query: &str) -> String {
    format!(
        "max by (instance) ({query} and on (job, instance) {})",
        catalogue::BUILD.name
    )
}
