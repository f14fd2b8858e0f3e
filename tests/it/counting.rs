//! Every line counts exactly once: the counts of the real program against the simulator's truth.

use std::collections::BTreeSet;
use std::time::Duration;

use metaaccess_exporter::event::EventType;
use metaaccess_exporter::simulator::{Drift, Line, Order, Raw, Settings, Style};
use serde_json::{Value, json};

use crate::api::{self, Api};
use crate::canned::{self, Canned};
use crate::exporter::{Exporter, PATIENCE};
use crate::wait::{throughout, until};

const NEWEST_FIRST: &str = "--api.order=newest-first";
const OLDEST_FIRST: &str = "--api.order=oldest-first";

/// Scrapes while the company writes, and once more when it rests: never too many, in the end all.
#[track_caller]
fn is_counted_exactly(settings: Settings, flags: &[&str]) {
    let api = Api::start(settings);
    let exporter = Exporter::of(&api, flags);
    throughout(Duration::from_secs(3), || {
        exporter.scrape_honestly(&api);
    });
    api.pause();
    let samples = exporter.settle(&api);
    assert!(api.truth().log(EventType::Admin).lines > 0);
    for lost in [
        "metaaccess_log_unattributed_lines_total",
        "metaaccess_log_missed_lines_total",
        "metaaccess_log_unparsable_lines_total",
        "metaaccess_series_overflowed_lines_total",
    ] {
        assert_eq!(samples.sum(lost, &[]), 0.0, "{lost}");
    }
}

fn drift(lines: u32, every: u64) -> Drift {
    Drift {
        lines,
        every,
        purge: 0,
    }
}

#[test]
fn newest_first_logs_are_counted_exactly() {
    is_counted_exactly(api::alive(), &[]);
}

#[test]
fn oldest_first_logs_are_counted_exactly() {
    let order = Order::OldestFirst;
    is_counted_exactly(
        Settings {
            order,
            ..api::alive()
        },
        &[],
    );
}

#[test]
fn logs_whose_order_is_given_are_counted_exactly() {
    is_counted_exactly(api::alive(), &[NEWEST_FIRST]);
    let order = Order::OldestFirst;
    let oldest_first = Settings {
        order,
        ..api::alive()
    };
    is_counted_exactly(oldest_first, &[OLDEST_FIRST]);
}

#[test]
fn lines_that_arrive_between_two_pages_are_counted_exactly() {
    for order in [Order::NewestFirst, Order::OldestFirst] {
        let settings = Settings {
            order,
            drift: drift(3, 1),
            ..api::alive()
        };
        is_counted_exactly(settings, &["--scrape.min-interval=300ms"]);
    }
}

#[test]
fn hundreds_of_nearly_equal_lines_a_minute_between_pages_are_counted_exactly() {
    for order in [Order::NewestFirst, Order::OldestFirst] {
        let settings = Settings {
            order,
            drift: drift(3, 1),
            ..api::alive()
        };
        is_counted_exactly(settings, &[]);
    }
}

#[test]
fn lines_that_retention_takes_while_they_are_read_cost_no_count() {
    for order in [Order::NewestFirst, Order::OldestFirst] {
        // Long enough a history that its old end is far from what is still written.
        let api = Api::start(Settings {
            order,
            history_rate: 2.0,
            ..api::alive()
        });
        let exporter = Exporter::of(&api, &["--scrape.min-interval=200ms"]);
        exporter.settle(&api);
        // The old end goes only after it has been read once.
        api.set_drift(Drift {
            purge: 5,
            ..drift(2, 1)
        });
        throughout(Duration::from_secs(2), || {
            exporter.scrape_honestly(&api);
        });
        api.pause();
        exporter.settle(&api);
    }
}

#[test]
fn lines_that_come_late_are_counted_exactly() {
    let late = Settings {
        late_fraction: 0.2,
        ..api::alive()
    };
    is_counted_exactly(late.clone(), &[]);
    let order = Order::OldestFirst;
    is_counted_exactly(Settings { order, ..late }, &[]);
}

#[test]
fn spaces_round_pipes_and_dates_in_pieces_change_no_count() {
    let style = Style {
        spaces: true,
        split_dates: true,
    };
    is_counted_exactly(
        Settings {
            style,
            ..api::alive()
        },
        &[],
    );
}

#[test]
fn a_log_in_another_time_zone_is_counted_exactly() {
    let zone = "America/New_York";
    let timezone = jiff::tz::TimeZone::get(zone).expect("a zone");
    let settings = Settings {
        timezone,
        ..api::alive()
    };
    is_counted_exactly(settings, &["--api.timezone=America/New_York"]);
}

#[test]
fn a_log_of_hundreds_of_lines_a_minute_is_counted_exactly() {
    let busy = Settings {
        speed: 10.0,
        rate: 600.0,
        ..api::at_rest()
    };
    is_counted_exactly(busy.clone(), &[]);
    let order = Order::OldestFirst;
    is_counted_exactly(Settings { order, ..busy }, &[]);
}

#[test]
fn a_burst_of_many_pages_is_counted_exactly() {
    for order in [Order::NewestFirst, Order::OldestFirst] {
        let api = Api::start(Settings {
            order,
            ..api::at_rest()
        });
        let exporter = Exporter::of(&api, &[]);
        exporter.settle(&api);
        let hosts: Vec<String> = (0..400).map(|host| format!("TEST-B{host:04}")).collect();
        api.install_on(&hosts.iter().map(String::as_str).collect::<Vec<_>>());
        exporter.settle(&api);
    }
}

#[test]
fn a_minute_of_identical_lines_and_then_silence_is_counted_exactly() {
    for order in [Order::NewestFirst, Order::OldestFirst] {
        let api = Api::start(Settings {
            order,
            ..api::at_rest()
        });
        let exporter = Exporter::of(&api, &[]);
        exporter.settle(&api);
        api.install_on(&["TEST-R1W3Y"; 120]);
        exporter.settle(&api);
        api.install_on(&["TEST-R1W3Y"; 3]);
        exporter.settle(&api);
    }
}

#[test]
fn the_documented_sample_is_ten_installs() {
    let sample = include_str!("../fixtures/get-logs-v2-sample.json");
    let api = Canned::start(move |request| {
        let device = request.contains("event_type=1") && request.contains("page=1&");
        canned::json(if device { sample } else { r#"{"logs":[]}"# })
    });
    let base_url = format!("--api.base-url=http://{}", api.address());
    let flags = [
        "--web.listen-address=127.0.0.1:0",
        "--api.rate-limit=100/1s",
        &base_url,
    ];
    let exporter = Exporter::with(&flags);
    let samples = until(PATIENCE, "both logs are read", || {
        Some(exporter.scrape()).filter(crate::samples::Samples::is_up)
    });
    let sample: Value = serde_json::from_str(sample).expect("JSON");
    let lines = sample["logs"][0]["eventlog"].as_array().expect("lines");
    let host_of = |line: &Value| line.as_str()?.split('|').nth(3).map(str::to_owned);
    let hosts: BTreeSet<String> = lines.iter().filter_map(host_of).collect();
    assert_eq!(hosts.len(), 10);
    assert_eq!(samples.counts().len(), 10);
    for ((log, event), count) in samples.counts() {
        assert_eq!((log.as_str(), count), ("device", 1));
        let labels = event.labels();
        let said = [labels.category, labels.version, labels.event];
        assert_eq!(said, ["MetaAccess", "1.1.1.1", "Installed"]);
        assert!(hosts.contains(labels.hostname), "{event:?}");
    }
}

#[test]
fn a_host_that_the_vendor_renames_is_not_counted_twice() {
    let api = Api::start(api::at_rest());
    api.install_on(&["TEST-OLD", "TEST-OLD", "TEST-KEPT"]);
    let exporter = Exporter::of(&api, &[]);
    exporter.settle(&api);
    assert_eq!(api.rename(EventType::Device, "TEST-OLD", "TEST-NEW"), 2);
    throughout(Duration::from_millis(500), || {
        let (samples, truth) = exporter.scrape_honestly(&api);
        assert_eq!(samples.counts(), truth);
    });
}

#[test]
fn only_lines_within_the_lookback_are_counted_at_the_first_start() {
    let api = Api::start(api::empty());
    let hours_ago = |hours: i64, host: &str| api.install(host, hours * 60);
    let old = [hours_ago(30, "TEST-OLD"), hours_ago(25, "TEST-OLD")];
    let new = [hours_ago(3, "TEST-NEW"), hours_ago(2, "TEST-NEW")];
    api.append(&[&old[..], &new[..]].concat());
    api.install_on(&["TEST-NOW"; 3]);
    let exporter = Exporter::of(&api, &[]);
    assert_eq!(hosts_shown(&exporter), ["TEST-NEW", "TEST-NOW"]);
    let exporter = Exporter::of(&api, &["--api.lookback=1h"]);
    assert_eq!(hosts_shown(&exporter), ["TEST-NOW"]);
}

/// The hosts of the device log, once it has been read.
fn hosts_shown(exporter: &Exporter) -> Vec<String> {
    let samples = until(PATIENCE, "the device log is read", || {
        let samples = exporter.scrape();
        let ready = samples.value("metaaccess_log_ready", &[("event_type", "device")]);
        (ready == 1.0).then_some(samples)
    });
    let counts = samples.counts();
    counts
        .into_keys()
        .map(|(_, event)| event.labels().hostname.to_owned())
        .collect()
}

#[test]
fn entries_that_are_no_lines_count_once_by_reason_and_stop_nothing() {
    let api = Api::start(api::at_rest());
    let bad = [
        ("not_text", json!(17), None),
        ("missing_fields", json!("05:28|PM|MetaAccess"), None),
        (
            "bad_time",
            json!("25:61|PM|MetaAccess|TEST-A|Installed"),
            None,
        ),
        (
            "bad_date",
            json!("05:28|PM|MetaAccess|TEST-A|Installed"),
            Some(json!("soon")),
        ),
    ];
    for (_, value, date) in bad.clone() {
        api.append_malformed(EventType::Device, api.present(), Raw { value, date });
    }
    let exporter = Exporter::of(&api, &[]);
    let by_reason = |samples: &crate::samples::Samples, reason| {
        samples.value(
            "metaaccess_log_unparsable_lines_total",
            &[("event_type", "device"), ("reason", reason)],
        )
    };
    exporter.settle(&api);
    for round in 0..5 {
        api.install_on(&["TEST-R1W3Y", "TEST-B3WMO"]);
        let samples = exporter.settle(&api);
        for (reason, _, _) in &bad {
            assert_eq!(by_reason(&samples, reason), 1.0, "{reason}, round {round}");
        }
    }
    let raw = Raw {
        value: json!(null),
        date: None,
    };
    api.append_malformed(EventType::Device, api.present(), raw);
    until(PATIENCE, "one more is counted", || {
        (by_reason(&exporter.scrape(), "not_text") == 2.0).then_some(())
    });
}

#[test]
fn lines_that_come_to_an_empty_log_are_counted() {
    for empty_is_413 in [false, true] {
        let api = Api::start(Settings {
            empty_is_413,
            ..api::empty()
        });
        api.install_on(&["TEST-R1W3Y"; 4]);
        let exporter = Exporter::of(&api, &[]);
        exporter.settle(&api);
        api.log_on(1);
        exporter.settle(&api);
        api.log_on(60);
        exporter.settle(&api);
    }
}

#[test]
fn one_log_can_be_left_out() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &["--api.logs=admin"]);
    let samples = until(PATIENCE, "the log is read", || {
        Some(exporter.scrape()).filter(crate::samples::Samples::is_up)
    });
    let admin = api
        .counts()
        .into_iter()
        .filter(|((log, _), _)| log == "admin");
    assert_eq!(samples.counts(), admin.collect());
    let asked = api.requests().requests;
    let others = asked
        .iter()
        .filter(|asked| asked.event_type != Some(EventType::Admin));
    assert_eq!(others.count(), 0);
}

#[test]
fn what_varies_in_a_description_is_no_label() {
    let api = Api::start(api::at_rest());
    let line = Line::device(
        api.present(),
        "Console",
        "",
        "TEST-R1W3Y",
        "Admin made configuration change policy",
    );
    let lines = (0..5).map(|n| {
        let said = format!("Admin made configuration change policy \"Example {n}\"");
        line.clone().for_admin().described(&said)
    });
    api.append(&lines.collect::<Vec<_>>());
    let exporter = Exporter::of(&api, &[]);
    exporter.settle(&api);
    assert!(!exporter.get("/metrics").body.contains("Example"));
}
