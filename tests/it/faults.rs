//! Whatever the API does wrong: it is said once and clearly, the counts stay, and nothing is lost.

use std::net::TcpListener;
use std::time::Duration;

use metaaccess_exporter::event::EventType;
use metaaccess_exporter::simulator::{Fault, HeaderMode, Kind, Settings};

use crate::api::{self, Api, TOKEN};
use crate::canned::{self, Canned};
use crate::exporter::{Exporter, PATIENCE};
use crate::samples::Samples;
use crate::wait::{throughout, until};

const COULD_NOT: &str = "message=\"the log could not be read: ";
const AGAIN: &str = "message=\"the log is read again\"";

/// A request is given up soon, and everything is logged, so that a token would show.
const FLAGS: [&str; 3] = [
    "--api.timeout=700ms",
    "--log.level=trace",
    "--scrape.min-interval=100ms",
];

fn status(status: u16) -> Kind {
    let retry_after = None;
    Kind::Status {
        status,
        retry_after,
    }
}

/// Lets this fault strike every request for the device log of a running exporter, and clears it.
#[track_caller]
fn is_overcome(kind: Kind, reason: &str) {
    is_overcome_by(api::at_rest(), kind, reason);
}

#[track_caller]
fn is_overcome_by(settings: Settings, kind: Kind, reason: &str) {
    let api = Api::start(settings);
    let exporter = Exporter::of(&api, &FLAGS);
    let before = exporter.settle(&api);
    let warned = exporter.log_at("warn").len();

    api.fail_device_log(kind);
    api.install_on(&["TEST-R1W3Y", "TEST-R1W3Y", "TEST-DURING"]);
    fails_clearly(&exporter, &["device"], reason, &before);
    let warnings = exporter.log_at("warn").split_off(warned);
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert_is_clear(&warnings[0], "device", reason);

    api.clear_faults();
    api.install_on(&["TEST-R1W3Y", "TEST-AFTER"]);
    let after = exporter.settle(&api);
    assert!(after.failing("device").is_empty());
    let recovered = exporter.log_at("info");
    let recovered = recovered.iter().filter(|line| line.contains(AGAIN));
    let recovered: Vec<_> = recovered.collect();
    assert_eq!(recovered.len(), 1, "{recovered:#?}");
    assert!(recovered[0].contains(&format!("after={reason}")));
    assert_eq!(exporter.log_at("warn").len(), warned + 1);
    ends_without_a_token(exporter);
}

/// Scrapes until it is seen that these logs fail for this reason, and that the same failed again.
/// Each scrape is answered in time, with the counts that were there before.
#[track_caller]
fn fails_clearly(exporter: &Exporter, logs: &[&str], reason: &str, before: &Samples) {
    let scrape = || {
        let (samples, took) = exporter.scrape_within(2.0);
        assert!(took < Duration::from_secs(2), "answered after {took:?}");
        assert_eq!(samples.counts(), before.counts());
        samples
    };
    let fails = |samples: &Samples| {
        let failing = logs.iter().all(|log| samples.failing(log) == [reason]);
        failing && !samples.is_up()
    };
    let failures = |samples: &Samples| samples.sum("metaaccess_refresh_failures_total", &[]);
    let first = until(PATIENCE, "the failure is seen", || {
        Some(scrape()).filter(fails)
    });
    until(PATIENCE, "it fails again", || {
        let samples = scrape();
        assert!(fails(&samples), "{}", samples.own_words());
        (failures(&samples) >= failures(&first) + 2.0).then_some(())
    });
}

#[track_caller]
fn assert_is_clear(line: &str, log: &str, reason: &str) {
    assert!(line.contains(COULD_NOT), "{line}");
    for field in [format!("event_type={log}"), format!("reason={reason}")] {
        assert!(line.split(' ').any(|word| word == field), "{field}: {line}");
    }
    assert!(!line.contains("http://"), "no URL: {line}");
}

/// Stops the exporter: nowhere that anybody looks may the token ever have stood.
#[track_caller]
fn ends_without_a_token(exporter: Exporter) {
    let pages = ["/", "/metrics", "/-/healthy", "/-/ready", "/nothing"];
    let pages = pages.map(|page| exporter.get(page).body);
    let ended = exporter.stop();
    assert_eq!(ended.code, Some(0));
    assert!(ended.err.contains("level=debug"), "all levels were written");
    for said in pages.iter().chain([&ended.out, &ended.err]) {
        for part in [TOKEN, "access_token", &TOKEN[..13]] {
            assert!(!said.contains(part), "{part} stands in: {said}");
        }
    }
}

#[test]
fn a_page_found_too_large_is_overcome() {
    is_overcome(status(406), "not_acceptable");
}

#[test]
fn page_1_said_to_be_past_the_end_is_overcome() {
    is_overcome(status(413), "page_past_end");
}

#[test]
fn a_rate_limit_refusal_that_says_until_when_is_overcome() {
    let retry_after = Some(1);
    let refused = Kind::Status {
        status: 429,
        retry_after,
    };
    is_overcome(refused, "rate_limited");
}

#[test]
fn a_rate_limit_refusal_that_does_not_say_until_when_is_overcome() {
    is_overcome(status(429), "rate_limited");
    let headers = HeaderMode::Never;
    let silent = Settings {
        headers,
        ..api::at_rest()
    };
    is_overcome_by(silent, status(429), "rate_limited");
}

#[test]
fn an_error_of_the_server_is_overcome() {
    is_overcome(status(500), "server_error");
    is_overcome(status(503), "server_error");
}

#[test]
fn a_request_that_is_not_understood_is_overcome() {
    is_overcome(status(400), "bad_request");
}

#[test]
fn a_path_that_is_not_there_is_overcome() {
    is_overcome(status(404), "not_found");
}

#[test]
fn a_status_that_nobody_documents_is_overcome() {
    is_overcome(status(418), "unexpected_status");
    is_overcome(status(204), "unexpected_status");
}

#[test]
fn a_sign_in_page_of_status_200_is_overcome() {
    is_overcome(Kind::Html, "not_json");
}

#[test]
fn garbage_is_overcome() {
    is_overcome(Kind::Garbage, "not_json");
}

#[test]
fn a_truncated_body_is_overcome() {
    is_overcome(Kind::Truncated, "body_cut_off");
}

#[test]
fn a_connection_that_ends_within_the_body_is_overcome() {
    is_overcome(Kind::CutOff, "body_cut_off");
}

#[test]
fn a_body_without_end_is_overcome() {
    is_overcome(Kind::Endless, "body_too_large");
}

#[test]
fn a_connection_that_is_reset_is_overcome() {
    is_overcome(Kind::Reset, "connection");
}

#[test]
fn a_server_that_hangs_is_overcome() {
    is_overcome(Kind::Hang, "timeout");
}

#[test]
fn more_lines_than_asked_for_are_overcome() {
    is_overcome(Kind::ExtraLines { lines: 3 }, "too_many_lines");
}

#[test]
fn a_redirect_is_not_followed_and_is_overcome() {
    let elsewhere = Canned::start(|_| canned::json(r#"{"logs":[]}"#));
    let location = format!("http://{}/o/api/v2/logs", elsewhere.address());
    is_overcome(Kind::Redirect { location }, "redirected");
    assert_eq!(elsewhere.asked(), [], "nobody else is to be asked");
}

#[test]
fn a_server_that_is_not_there_at_first_and_goes_later_is_overcome() {
    // On an address of its own, where nobody else takes the port meanwhile.
    let listener = TcpListener::bind("127.0.0.2:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let base_url = format!("--api.base-url=http://{address}");
    let mut flags = vec![
        "--web.listen-address=127.0.0.1:0",
        "--api.rate-limit=200/1s",
        &base_url,
    ];
    flags.extend(FLAGS);
    let exporter = Exporter::with(&flags);
    fails_clearly(
        &exporter,
        &["device", "admin"],
        "connection",
        &Samples::default(),
    );

    let listen = || TcpListener::bind(address).expect("the port is still free");
    let api = Api::on(listen(), api::at_rest());
    let before = exporter.settle(&api);
    drop(api);
    fails_clearly(&exporter, &["device", "admin"], "connection", &before);

    let warnings = exporter.log_at("warn");
    let warnings = warnings.iter().filter(|line| line.contains(COULD_NOT));
    assert_eq!(warnings.count(), 4, "two logs, twice");
    let api = Api::on(listen(), api::at_rest());
    let after = exporter.settle(&api);
    assert_eq!(after.counts(), before.counts());
    ends_without_a_token(exporter);
}

#[test]
fn whatever_fails_at_the_very_first_read_only_delays_it() {
    let faults = [
        (status(401), "unauthorized"),
        (status(413), "page_past_end"),
        (status(429), "rate_limited"),
        (status(500), "server_error"),
        (Kind::Html, "not_json"),
        (Kind::Truncated, "body_cut_off"),
        (Kind::Reset, "connection"),
    ];
    for (kind, reason) in faults {
        let api = Api::start(api::at_rest());
        // Two empty answers in a row are believed of a log that never held a line.
        api.inject(Fault {
            event_type: Some(EventType::Device),
            ..Fault::next(kind, 1).on_logs()
        });
        let exporter = Exporter::of(&api, &FLAGS);
        let (samples, _) = exporter.scrape_within(2.0);
        assert_eq!(samples.failing("device"), [reason]);
        assert!(!samples.is_up());
        let ready = samples.value("metaaccess_log_ready", &[("event_type", "device")]);
        assert_eq!(ready, 0.0);
        exporter.settle(&api);
        ends_without_a_token(exporter);
    }
}

#[test]
fn a_failure_between_two_pages_of_the_first_read_loses_nothing() {
    for skip in 1..4 {
        for kind in [status(500), status(413), Kind::CutOff] {
            let api = Api::start(api::at_rest());
            api.inject(Fault {
                event_type: Some(EventType::Device),
                skip,
                ..Fault::next(kind, 1).on_logs()
            });
            let exporter = Exporter::of(&api, &FLAGS);
            exporter.settle(&api);
            assert_eq!(api.faults_in_force(), 0, "the fault has struck");
        }
    }
}

#[test]
fn a_failure_within_a_catch_up_of_many_pages_loses_nothing() {
    let hosts: Vec<String> = (0..230).map(|host| format!("TEST-C{host:04}")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    for kind in [status(500), Kind::Truncated, Kind::Hang] {
        let api = Api::start(api::at_rest());
        let exporter = Exporter::of(&api, &FLAGS);
        exporter.settle(&api);
        api.inject(Fault {
            event_type: Some(EventType::Device),
            skip: 2,
            ..Fault::next(kind, 1).on_logs()
        });
        api.install_on(&hosts);
        until(PATIENCE, "the fault has struck", || {
            exporter.scrape_honestly(&api);
            (api.faults_in_force() == 0).then_some(())
        });
        exporter.settle(&api);
    }
}

#[test]
fn one_failing_log_does_not_stop_the_other() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &FLAGS);
    exporter.settle(&api);
    api.fail_device_log(status(500));
    api.log_on(5);
    let admin = |counts: crate::samples::Counts| {
        let admin = counts.into_iter().filter(|((log, _), _)| log == "admin");
        admin.collect::<crate::samples::Counts>()
    };
    until(PATIENCE, "the other log is counted", || {
        let samples = exporter.scrape();
        (admin(samples.counts()) == admin(api.counts())).then_some(())
    });
}

#[test]
fn a_company_that_writes_through_all_faults_is_counted_exactly() {
    let api = Api::start(Settings {
        // One after another within a second, so that the catch-up after them is a short one.
        rate: 40.0,
        ..api::alive()
    });
    let exporter = Exporter::of(&api, &FLAGS);
    for kind in [
        status(500),
        Kind::Truncated,
        Kind::CutOff,
        Kind::Html,
        Kind::Reset,
        Kind::ExtraLines { lines: 9 },
        status(401),
        Kind::Endless,
    ] {
        api.inject(Fault {
            skip: 2,
            ..Fault::next(kind, 2).on_logs()
        });
        throughout(Duration::from_millis(600), || {
            exporter.scrape_honestly(&api);
        });
    }
    api.clear_faults();
    api.pause();
    exporter.settle(&api);
    ends_without_a_token(exporter);
}

#[test]
fn a_token_file_that_is_mended_is_read_again() {
    let api = Api::start(api::at_rest());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "not-the-token\n").expect("written");
    let flag = format!("--api.access-token-file={}", file.display());
    let mut flags = api.flags();
    flags.extend([flag, "--web.listen-address=127.0.0.1:0".to_owned()]);
    flags.extend(FLAGS.map(str::to_owned));
    let exporter = Exporter::listening(crate::program::Program::exporter(&flags, &[]), 1);
    let both = ["device", "admin"];
    fails_clearly(&exporter, &both, "unauthorized", &Samples::default());
    std::fs::remove_file(&file).expect("removed");
    fails_clearly(&exporter, &both, "no_token", &Samples::default());
    std::fs::write(&file, TOKEN).expect("written");
    exporter.settle(&api);
    ends_without_a_token(exporter);
}
