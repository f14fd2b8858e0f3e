//! Every flag of the program has a value in the chart, or a reason to have none.

use std::collections::BTreeMap;

use metaaccess_exporter::config::table;

use crate::chart::{self, ACCOUNT, Case, render};
use crate::grafana::{list, text};

/// The values that set a flag, and what its variable then is.
const SET: [(&str, &str, &str); 28] = [
    ("--web.listen-address", "web: {port: 9000}", ":9000"),
    ("--web.telemetry-path", "web: {telemetryPath: /m}", "/m"),
    (
        "--web.config.file",
        "web: {config: {existingSecret: s}}",
        "/etc/metaaccess-exporter/config/web.yml",
    ),
    (
        "--web.enable-lifecycle",
        "web: {enableLifecycle: true}",
        "true",
    ),
    (
        "--web.max-connections",
        "web: {maxConnections: 65536}",
        "65536",
    ),
    (
        "--config.file",
        "{}",
        "/etc/metaaccess-exporter/config/accounts.yml",
    ),
    (
        "--api.base-url",
        "api: {baseUrl: 'https://gears.example.com'}",
        "https://gears.example.com",
    ),
    ("--api.rate-limit", "api: {rateLimit: 5/1m30s}", "5/1m30s"),
    ("--api.logs", "api: {logs: [admin, device]}", "admin,device"),
    ("--api.order", "api: {order: oldest-first}", "oldest-first"),
    (
        "--api.timezone",
        "api: {timezone: Europe/Berlin}",
        "Europe/Berlin",
    ),
    ("--api.lookback", "api: {lookback: 1.5d}", "1.5d"),
    ("--api.lateness", "api: {lateness: '0'}", "0"),
    ("--api.timeout", "api: {timeout: 500ms}", "500ms"),
    (
        "--api.ca-file",
        "api: {ca: {value: PEM}}",
        "/etc/metaaccess-exporter/config/ca.crt",
    ),
    (
        "--state.path",
        "{}",
        "/var/lib/metaaccess-exporter/state.db",
    ),
    (
        "--state.url",
        "state: {url: 'postgres://me@db/c?connect_timeout=2', ca: {value: PEM}, clientCertificateSecret: s}",
        "postgres://me@db/c?connect_timeout=2&sslmode=verify-full&sslrootcert=/etc/metaaccess-exporter/config/database-ca.crt\
         &sslcert=/etc/metaaccess-exporter/config/database.crt\
         &sslkey=/etc/metaaccess-exporter/config/database.key",
    ),
    (
        "--state.password-file",
        "state: {url: 'postgres://me@db', password: {existingSecret: s}}",
        "/etc/metaaccess-exporter/config/database-password",
    ),
    (
        "--scrape.timeout-offset",
        "scrape: {timeoutOffset: 1s}",
        "1s",
    ),
    ("--scrape.min-interval", "scrape: {minInterval: 1m}", "1m"),
    ("--metrics.hostname", "metrics: {hostname: drop}", "drop"),
    (
        "--metrics.hostname-key-file",
        "metrics: {hostname: hash, hostnameKey: {existingSecret: s}}",
        "/etc/metaaccess-exporter/config/hostname-key",
    ),
    (
        "--metrics.max-series",
        "metrics: {maxSeries: 10000000}",
        "10000000",
    ),
    (
        "--metrics.max-events",
        "metrics: {maxEvents: 10000}",
        "10000",
    ),
    ("--metrics.zero-for", "metrics: {zeroFor: 0s}", "0s"),
    ("--metrics.created", "metrics: {created: true}", "true"),
    ("--log.level", "log: {level: trace}", "trace"),
    ("--log.format", "log: {format: json}", "json"),
];

/// The flags that no value sets, and why; those of a command are named by their beginning.
const NOT_SET: [(&str, &str); 7] = [
    ("--account.name", "accounts have their names"),
    ("--api.access-token-file", "accounts have their credentials"),
    ("--api.client-id", "accounts have their credentials"),
    (
        "--api.client-secret-file",
        "accounts have their credentials",
    ),
    ("--check.", "of a command that is run by hand"),
    ("--format", "of a command that is run by hand"),
    ("--simulate.", "of a command that the chart does not run"),
];

#[test]
fn every_flag_has_a_value_or_a_reason_and_every_variable_is_one() {
    let rows = table::rows();
    let variables: BTreeMap<&str, &table::Row> =
        rows.iter().map(|row| (&*row.variable, row)).collect();
    for row in rows.iter().filter(|row| !row.flag.is_empty()) {
        let is_set = SET.iter().any(|(flag, _, _)| *flag == row.flag);
        let has_reason = NOT_SET.iter().any(|(flag, _)| match flag.ends_with('.') {
            true => row.flag.starts_with(flag),
            false => row.flag == *flag,
        });
        assert!(
            is_set != has_reason,
            "{}: give it a value, or a reason",
            row.flag
        );
    }
    let Some(all) = chart::all() else { return };
    for (name, rendering) in all {
        for variable in list(&rendering.container()["env"]) {
            let its = text(variable, "name");
            let is_known = variables.contains_key(its) || !its.starts_with("METAACCESS_");
            assert!(is_known, "{name}: there is no {its}");
        }
    }
}

#[test]
fn every_value_reaches_its_flag() {
    let rows = table::rows();
    let cases: Vec<Case> = SET
        .iter()
        .map(|(_, values, _)| {
            let values = values.trim_start_matches("{}");
            Case::new(&format!("{values}\n{ACCOUNT}"))
        })
        .collect();
    let Some(all) = render(&cases) else { return };
    for ((flag, values, expected), rendering) in SET.iter().zip(all) {
        assert_eq!(rendering.error, None, "{values}");
        let row = rows.iter().find(|row| row.flag == *flag);
        let row = row.unwrap_or_else(|| panic!("there is no {flag}"));
        assert_eq!(rendering.variable(&row.variable), Some(*expected), "{flag}");
    }
}

#[test]
fn without_a_value_every_flag_has_its_own_default() {
    let Some(rendering) = chart::of_file("minimal") else {
        return;
    };
    // The file of accounts and the state are what the chart is for.
    let chosen = ["METAACCESS_CONFIG_FILE", "METAACCESS_STATE_PATH"];
    for row in table::rows() {
        let set = rendering.variable(&row.variable);
        let is_default = set.is_none_or(|value| value == row.default);
        assert!(
            is_default || chosen.contains(&&*row.variable),
            "{}: {set:?}",
            row.flag
        );
    }
}

/// Kubernetes puts the value of a variable in the place of `$(NAME)`, and one dollar in that of two.
#[test]
fn a_value_is_no_place_for_the_variables_of_kubernetes() {
    let values = "proxy: {url: 'http://proxy.example.com', noProxy: '$(HOSTNAME),$HOME,$$(A)'}";
    let Some(all) = render(&[Case::new(&format!("{values}\n{ACCOUNT}"))]) else {
        return;
    };
    let proxy = all[0].variable("HTTPS_PROXY");
    assert_eq!(proxy, Some("http://proxy.example.com"));
    let none = all[0].variable("NO_PROXY");
    assert_eq!(none, Some("$$(HOSTNAME),$$HOME,$$$$(A)"));
}
