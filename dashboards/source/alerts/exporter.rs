//! Alerts of the exporter itself: whatever it counts can be trusted only while none of them fires.

use metaaccess_exporter::catalogue;

use super::Alert;
use crate::source::promql::{highest, kept_growth_since, known, of_leaders, selector, sum_by};
use crate::source::recording;
use crate::source::settings::{
    LIMIT_SHARE, LINES_BEHIND, OWN_SHARE, READ_AGE, REFUSED_REQUESTS, UNPARSABLE,
};

pub fn all() -> Vec<Alert> {
    vec![
        down(),
        not_refreshed(),
        credential_refused(),
        falling_behind(),
        lines_missed(),
        budget_starved(),
        unparsable(),
        near_limit(),
        state_not_saved(),
        reload_failed(),
    ]
}

fn down() -> Alert {
    let up = recording::UP;
    Alert {
        name: "MetaAccessExporterDown",
        expr: format!(
            "(group by (account) (last_over_time({up}[1d])) unless on (account) {up})\n\
             or on ()\n\
             absent({up})"
        ),
        wait: Some("5m"),
        severity: "critical",
        settings: &[],
        summary: "No exporter shows {{ if $labels.account }}the account {{ $labels.account }}{{ else }}any MetaAccess account{{ end }}",
        description: "Prometheus has no metrics {{ if $labels.account }}of the account {{ $labels.account }}, which it had within the past day{{ else }}of any MetaAccess account{{ end }}: the exporter is down, cannot be reached, or the account was taken out. Events are not counted meanwhile; they are caught up with as far as the log reaches back.",
    }
}

fn not_refreshed() -> Alert {
    Alert {
        name: "MetaAccessNotRefreshed",
        expr: format!("{} == 0", recording::UP),
        wait: Some("15m"),
        severity: "critical",
        settings: &[],
        summary: "The logs of {{ $labels.account }} cannot be read",
        description: "For 15 minutes no refresh has read every log of the account {{ $labels.account }}{{ range printf `max by (event_type, reason) (metaaccess_log_failing{account=%q}) == 1` $labels.account | query | sortByLabel `event_type` }}; {{ .Labels.event_type }}: {{ .Labels.reason }}{{ end }}. The counts of a log that fails are the last ones, and the alerts of the fleet see nothing new of it.",
    }
}

fn credential_refused() -> Alert {
    let matchers = r#"reason=~"unauthorized|forbidden|client_refused|token_missing|no_token""#;
    let failing = known(&selector(catalogue::FAILING.name, matchers));
    Alert {
        name: "MetaAccessCredentialRefused",
        expr: format!("max by (account, reason) ({failing}) == 1"),
        wait: Some("5m"),
        severity: "critical",
        settings: &[],
        summary: "The credential of {{ $labels.account }} is not taken: {{ $labels.reason }}",
        description: "The access token, or the OAuth client, of the account {{ $labels.account }} has been refused or could not be read for 5 minutes ({{ $labels.reason }}). Nothing is read until it is mended; a changed file is used without a restart.",
    }
}

fn falling_behind() -> Alert {
    let read = highest(&catalogue::READ_TIMESTAMP, "");
    // It begins at 0 with each process, and stays there until the first read has ended.
    let last_read = format!(
        "max by (account, event_type) (max_over_time({}[1d]))",
        catalogue::READ_TIMESTAMP.name
    );
    let behind = format!(
        "max by (account, event_type) ({})",
        known(catalogue::LINES_BEHIND.name)
    );
    let (age, lines) = (READ_AGE.value(), LINES_BEHIND.value());
    let up = recording::UP;
    Alert {
        name: "MetaAccessFallingBehind",
        expr: format!(
            "(\n  \
               time() - ({last_read} > 0)\n  \
               > {age}\n  \
               and {read}\n  \
               and on (account) max_over_time({up}[15m]) == 1\n\
             )\n\
             or\n\
             {behind}\n\
             > {lines}"
        ),
        wait: Some("10m"),
        severity: "warning",
        settings: &[READ_AGE, LINES_BEHIND],
        summary: "The {{ $labels.event_type }} log of {{ $labels.account }} is read too slowly",
        description: "The {{ $labels.event_type }} log of the account {{ $labels.account }} has not been read to its end for too long, or more lines than expected wait to be read: more arrive than the rate limit lets the exporter read, or others use its requests. Counts lag, and lines may be missed if the log drops them first.",
    }
}

fn lines_missed() -> Alert {
    let missed = kept_growth_since(&catalogue::MISSED_LINES, "1h", "1d");
    let gaps = kept_growth_since(&catalogue::GAPS, "1h", "1d");
    Alert {
        name: "MetaAccessLinesMissed",
        expr: format!("{missed} > 0\nor\n{gaps} > 0"),
        wait: None,
        severity: "critical",
        settings: &[],
        summary: "Lines of the {{ $labels.event_type }} log of {{ $labels.account }} are not counted",
        description: "Within the past hour lines of the {{ $labels.event_type }} log of the account {{ $labels.account }} were lost to the counts for good: they could not be told apart, or the log dropped them before they were read. Every count is at most the truth, and some are below it.",
    }
}

fn budget_starved() -> Alert {
    // A counter of the process, which begins at 0 with it.
    let requests = |matchers| {
        let requests = selector(catalogue::REQUESTS.name, matchers);
        let sent = format!("max by (account, code) (increase({requests}[15m]))");
        format!("sum by (account) ({sent})")
    };
    let (refused, sent) = (requests(r#"code="429""#), requests(""));
    // The median, since a place of others is free for a moment before they take it again. Where the
    // exporter itself has none left for half of the time, it has sent half of what is allowed.
    // Of replicas the one that leads knows it, if it did so all the time.
    let left = format!(
        "max by (account) (quantile_over_time(0.5, {}[15m]) unless on (job, instance, account) min_over_time({}[15m]) == 0)",
        catalogue::BUDGET_LEFT.name,
        catalogue::REPLICA_LEADS.name
    );
    // What was sent in 15 minutes can be told of one that has run for so long: not of one that has just
    // started, or come back, and reads all that it may.
    let before = format!(
        "max by (account) ({} offset 15m)",
        catalogue::BUDGET_LEFT.name
    );
    let allowed = format!(
        "{} / on (account) {}",
        highest(&catalogue::BUDGET, ""),
        highest(&catalogue::BUDGET_WINDOW, "")
    );
    let (refusals, share) = (REFUSED_REQUESTS.value(), OWN_SHARE.value());
    // Accounts of one OAuth client share its requests: what all send that have none left is ours.
    Alert {
        name: "MetaAccessBudgetStarved",
        expr: format!(
            "{refused}\n\
             >= {refusals}\n\
             or\n\
             (\n  \
               900 * {allowed} * {share}\n  \
               > on () group_left ()\n  \
               sum ({sent} and on (account) {left} < 1)\n  \
               and on (account) {left} < 1\n  \
               and on (account) {before}\n\
             )"
        ),
        wait: Some("5m"),
        severity: "warning",
        settings: &[REFUSED_REQUESTS, OWN_SHARE],
        summary: "Others use the API requests of {{ $labels.account }}",
        description: "The requests that the API allows the account {{ $labels.account }} are used up, though this exporter sends few of them, or the API refuses its requests (429): another integration, a script or a second exporter uses the same credential. Counts lag until it stops.",
    }
}

fn unparsable() -> Alert {
    let grown = kept_growth_since(&catalogue::UNPARSABLE, "1h", "1d");
    Alert {
        name: "MetaAccessLinesUnparsable",
        expr: format!(
            "{}\n>= {}",
            sum_by("account, event_type", &grown),
            UNPARSABLE.value()
        ),
        wait: None,
        severity: "warning",
        settings: &[UNPARSABLE],
        summary: "Lines of the {{ $labels.event_type }} log of {{ $labels.account }} cannot be read",
        description: "{{ $value | printf `%.0f` }} lines of the {{ $labels.event_type }} log of the account {{ $labels.account }} could not be read within the past hour, and are in no count of events: the vendor may have changed the form of its lines.",
    }
}

fn near_limit() -> Alert {
    let share = |used, limit| format!("{} / {}", highest(used, ""), highest(limit, ""));
    let series = share(&catalogue::SERIES, &catalogue::SERIES_LIMIT);
    let events = share(&catalogue::EVENT_NAMES, &catalogue::EVENT_NAMES_LIMIT);
    let limit = LIMIT_SHARE.value();
    Alert {
        name: "MetaAccessSeriesNearLimit",
        expr: format!("{series}\n>= {limit}\nor\n{events}\n>= {limit}"),
        wait: Some("15m"),
        severity: "warning",
        settings: &[LIMIT_SHARE],
        summary: "{{ $labels.account }} is near its limit of {{ if $labels.event_type }}events{{ else }}series{{ end }}",
        description: "{{ $value | humanizePercentage }} of the {{ if $labels.event_type }}different events of the {{ $labels.event_type }} log (--metrics.max-events){{ else }}series (--metrics.max-series){{ end }} of the account {{ $labels.account }} are in use. Beyond the limit new ones count under __other__: totals stay right, but hosts or events can no longer be told apart.",
    }
}

fn state_not_saved() -> Alert {
    Alert {
        name: "MetaAccessStateNotSaved",
        expr: format!(
            "max by (account) ({}) == 1",
            of_leaders(catalogue::STATE_UNSAVED.name)
        ),
        wait: Some("5m"),
        severity: "critical",
        settings: &[],
        summary: "The state of {{ $labels.account }} cannot be saved",
        description: "The exporter has not been able to save the account {{ $labels.account }} for 5 minutes. It shows the counts that it saved last, and asks the API for nothing until saving works: most often a disk is full or read-only, its own or that of the database.",
    }
}

fn reload_failed() -> Alert {
    let accounts = catalogue::CONFIG_SUCCESSFUL.name;
    let web = catalogue::WEB_CONFIG_SUCCESSFUL.name;
    Alert {
        name: "MetaAccessConfigReloadFailed",
        expr: format!("min by (instance) ({accounts}) == 0\nor\nmin by (instance) ({web}) == 0"),
        wait: Some("10m"),
        severity: "warning",
        settings: &[],
        summary: "{{ $labels.instance }} could not take over its changed configuration",
        description: "The last change of the file of accounts, or of the web configuration, of the exporter {{ $labels.instance }} has a mistake, or a file that it names cannot be read. The one before is in force; at a restart the exporter would not start.",
    }
}
