//! The settings of an account, and the flags beneath them.

use std::time::Duration;

use super::{Folder, accounts, authority, labels, one, only_mistake};
use crate::config::AccountConfig;
use crate::config::Credential;
use crate::config::settings::Command;
use crate::event::EventType;

const ALL_OF_IT: &str = "\
accounts:
  - name: europe
    base_url: https://gears.example.com
    client_id: TEST-CLIENT
    client_secret_file: secrets/one
    logs: [device, admin]
    order: newest-first
    timezone: Europe/Berlin
    lookback: 48h
    lateness: 3m
    rate_limit: 20/1m
    timeout: 7s
    ca_file: ca.pem
    min_interval: 30s
    labels: {region: europe, a_b: \"1.10\", number: 1.10}
    events:
      - match: 'Policy .* was changed'
        event: Policy changed
  - name: Zürich office
    access_token_file: secrets/token
    logs: admin
";

#[test]
fn every_setting_of_an_account_is_read() {
    let folder = Folder::new();
    folder.write("ca.pem", authority());
    let exporter = folder.exporter(ALL_OF_IT, "");
    let [europe, office] = &exporter.accounts[..] else {
        panic!("{exporter:?}");
    };
    assert_eq!(europe.name.as_str(), "europe");
    assert_eq!(
        europe.endpoint.base_url.as_str(),
        "https://gears.example.com/"
    );
    let Credential::Client { id, secret } = &europe.endpoint.credential else {
        panic!("{europe:?}");
    };
    assert_eq!(
        (&**id, secret.read().unwrap().expose()),
        ("TEST-CLIENT", "hunter3")
    );
    assert_eq!(europe.endpoint.ca.as_ref().unwrap().certificates.len(), 1);
    assert_eq!(europe.limits.rate.to_string(), "20/1m");
    assert_eq!(europe.limits.timeout, Duration::from_secs(7));
    assert_eq!(europe.limits.min_interval, Duration::from_secs(30));
    assert_eq!(europe.reading.logs, EventType::ALL);
    assert_eq!(europe.reading.zone.iana_name(), Some("Europe/Berlin"));
    assert_eq!(europe.reading.lookback, Duration::from_secs(48 * 3600));
    assert_eq!(europe.reading.lateness, Duration::from_secs(180));
    let expected = [("a_b", "1.10"), ("number", "1.10"), ("region", "europe")];
    assert_eq!(labels(europe), expected, "in the order of their names");
    assert_eq!(
        europe.rules.event("Policy x was changed"),
        Some("Policy changed")
    );
    assert_eq!(office.name.as_str(), "Zürich office");
    assert_eq!(office.reading.logs, [EventType::Admin]);
    assert!(office.labels.is_empty() && office.rules.event("Policy x was changed").is_none());
    let shown = format!("{exporter:?}");
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn flags_and_variables_are_the_defaults_of_all_accounts() {
    let folder = Folder::new();
    folder.write("ca.pem", authority());
    let line = format!(
        "--api.base-url=https://gears.example.com --api.logs=admin --api.order=oldest-first \
         --api.timezone=Europe/Berlin --api.lookback=1h --api.lateness=1m --api.rate-limit=30/1m \
         --api.timeout=9s --api.ca-file={}/ca.pem --scrape.min-interval=33s",
        folder.path().display()
    );
    let text = one("") + "  - name: usa\n    access_token_file: secrets/two\n    timeout: 1s\n";
    let exporter = folder.exporter(&text, &line);
    for account in &exporter.accounts {
        assert_eq!(
            account.endpoint.base_url.host_str(),
            Some("gears.example.com")
        );
        assert_eq!(account.reading.logs, [EventType::Admin]);
        assert_eq!(account.reading.zone.iana_name(), Some("Europe/Berlin"));
        assert_eq!(account.reading.lookback, Duration::from_secs(3600));
        assert_eq!(account.reading.lateness, Duration::from_secs(60));
        assert_eq!(account.limits.rate.to_string(), "30/1m");
        assert_eq!(account.limits.min_interval, Duration::from_secs(33));
        assert!(account.endpoint.ca.is_some());
    }
    let timeouts = exporter
        .accounts
        .iter()
        .map(|account| account.limits.timeout.as_secs());
    assert_eq!(timeouts.collect::<Vec<_>>(), [9, 1]);
    let variable = [("METAACCESS_API_TIMEOUT", "8s")];
    let config = folder.typed(one(""), "", &variable).unwrap();
    let Command::Serve(exporter) = config.command else {
        panic!("{config:?}");
    };
    assert_eq!(exporter.accounts[0].limits.timeout, Duration::from_secs(8));
}

#[test]
fn paths_are_relative_to_the_folder_of_the_file() {
    let folder = Folder::new();
    let absolute = folder.path().join("secrets/token");
    let text = format!(
        "accounts: [{{name: a, access_token_file: {}}}, {{name: b, access_token_file: \
         ./secrets/../secrets/token}}]",
        absolute.display()
    );
    for account in folder.exporter(&text, "").accounts {
        let Credential::Token(source) = &account.endpoint.credential else {
            panic!("{account:?}");
        };
        assert_eq!(source.read().unwrap().expose(), "hunter2");
    }
}

#[test]
fn what_is_wrong_with_a_value_is_told_with_its_place_and_how_to_mend_it() {
    let told = only_mistake(&one("    timeout: 5\n"));
    assert_eq!(
        told,
        "accounts.yml: line 4, column 14: accounts[0].timeout \"5\": expected a duration from 100ms \
         to 1m; add the unit: 5s, for example"
    );
    for (line, says) in [
        (
            "base_url: http://example.com",
            "accounts[0].base_url \"http://example.com\": ",
        ),
        (
            "logs: [device, device]",
            "accounts[0].logs \"device,device\": ",
        ),
        ("logs: ['device,admin']", "there are no other logs"),
        ("logs: []", "accounts[0].logs \"\": "),
        ("logs: webhook", "there are no other logs"),
        (
            "order: newest",
            "expected auto, newest-first or oldest-first",
        ),
        ("timezone: Berlin", "did you mean Europe/Berlin?"),
        ("lookback: 400d", "this is too long"),
        ("lateness: 2d", "this is too long"),
        (
            "rate_limit: 10",
            "accounts[0].rate_limit \"10\": expected requests/duration",
        ),
        (
            "rate_limit: 1/1m",
            "1/1m is less than one request for each of 2 logs; allow more, or",
        ),
        (
            "ca_file: absent.pem",
            "accounts[0].ca_file \"absent.pem\": expected a PEM file",
        ),
        ("min_interval: 2h", "this is too long"),
        ("timeout: [5s]", "accounts[0].timeout: expected one value"),
        (
            "timeout:",
            "accounts[0].timeout: nothing stands behind the colon",
        ),
        (
            "timeout: ~",
            "accounts[0].timeout: nothing stands behind the colon",
        ),
        (
            "logs: {device: true}",
            "accounts[0].logs: expected one value",
        ),
        (
            "labels: [a]",
            "accounts[0].labels: expected keys and values",
        ),
        (
            "labels:",
            "accounts[0].labels: nothing stands behind the colon",
        ),
        (
            "events:",
            "accounts[0].events: nothing stands behind the colon",
        ),
        ("events: {match: a}", "accounts[0].events: expected a list"),
        ("timeot: 5s", "accounts[0].timeot: there is no such key; "),
        ("timeot: 5s", "; did you mean timeout?"),
        ("api.timeout: 5s", "; did you mean timeout?"),
        ("base-url: https://example.com", "; did you mean base_url?"),
    ] {
        let told = only_mistake(&one(&format!("    {line}\n")));
        assert!(
            told.starts_with("accounts.yml: line 4, column "),
            "{line}: {told}"
        );
        assert!(told.contains(says), "{says:?} is not in {told}");
    }
}

#[test]
fn every_setting_makes_an_account_another_one() {
    let before = accounts(&one("")).remove(0);
    for line in [
        "base_url: https://example.com",
        "logs: device",
        "order: newest-first",
        "timezone: Europe/Berlin",
        "lookback: 1h",
        "lateness: 1m",
        "rate_limit: 20/1m",
        "timeout: 1s",
        "min_interval: 1m",
        "labels: {a: b}",
        "events: [{match: a, event: b}]",
    ] {
        let folder = Folder::new();
        let after = folder
            .exporter(&one(&format!("    {line}\n")), "")
            .accounts
            .remove(0);
        let endpoint_aside = AccountConfig {
            endpoint: crate::config::Endpoint {
                base_url: after.endpoint.base_url.clone(),
                ..before.endpoint.clone()
            },
            ..after
        };
        assert_ne!(endpoint_aside, before, "{line}");
    }
}
