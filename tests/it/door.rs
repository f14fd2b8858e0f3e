//! The door: who knocks, how long they wait, and how it closes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use metaaccess_exporter::simulator::{Fault, Kind, Settings, Wait};

use crate::api::{self, Api};
use crate::exporter::{CONTENT_TYPE, Exporter, PATIENCE, samples};
use crate::http;
use crate::program::Program;
use crate::wait::{throughout, timed, until};

const SLOW: Wait = Wait {
    ms: 400,
    spread_ms: 0,
};

#[test]
fn a_scraper_that_hangs_up_does_not_stop_the_refresh() {
    let api = Api::start(api::at_rest());
    api.inject(Fault::always(Kind::Delay(SLOW)));
    let exporter = Exporter::of(&api, &["--scrape.min-interval=1h"]);
    let scraper = http::send(exporter.address(), "GET", "/metrics", &[]).expect("sent");
    until(PATIENCE, "the refresh has begun", || {
        (api.requests().total > 0).then_some(())
    });
    drop(scraper);
    api.clear_faults();
    // Nobody waits for it any more, and the next scrape has to wait for nothing.
    let asked = until(PATIENCE, "the refresh ends", || {
        let asked = api.requests().total;
        throughout(Duration::from_millis(600), || {});
        (api.requests().total == asked).then_some(asked)
    });
    assert_eq!(exporter.scrape().counts(), api.counts());
    assert_eq!(api.requests().total, asked);
}

#[test]
fn scrapes_that_come_together_share_one_refresh() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &["--scrape.min-interval=0s", "--api.lateness=0s"]);
    exporter.settle(&api);
    api.inject(Fault::always(Kind::Delay(SLOW)));
    let asked = api.requests().total;
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| exporter.scrape());
        }
    });
    let asked = api.requests().total - asked;
    // One of each log; two refreshes, if one scraper was so slow as to come after the first.
    assert!((2..=4).contains(&asked), "{asked} requests for 20 scrapes");
}

#[test]
fn a_scrape_is_answered_before_its_deadline_though_the_api_hangs() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &["--api.timeout=1m"]);
    let before = exporter.settle(&api);
    api.inject(Fault::always(Kind::Hang));
    api.install_on(&["TEST-R1W3Y"]);
    for (seconds, least) in [(1.0, 0.5), (1.5, 1.0), (0.7, 0.2)] {
        let (samples, took) = exporter.scrape_within(seconds);
        let took = took.as_secs_f64();
        assert!(took < seconds, "{took} s of {seconds} s");
        assert!(took >= least - 0.01, "{took} s: it waits as long as it may");
        assert_eq!(samples.counts(), before.counts());
    }
    let stale = exporter.scrape_within(0.6).0;
    assert!(stale.value("metaaccess_exporter_stale_scrapes_total", &[]) >= 3.0);
}

#[test]
fn an_offset_larger_than_the_timeout_means_an_answer_at_once() {
    let api = Api::start(api::at_rest());
    api.inject(Fault::always(Kind::Hang));
    let exporter = Exporter::of(&api, &["--scrape.timeout-offset=3s"]);
    for _ in 0..3 {
        let (_, took) = exporter.scrape_within(2.0);
        assert!(took < Duration::from_millis(300), "{took:?}");
    }
    until(PATIENCE, "the refresh was begun", || {
        (api.requests().total > 0).then_some(())
    });
}

#[test]
fn the_metrics_are_served_as_prometheus_asks() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &[]);
    let answer = exporter.get("/metrics");
    assert_eq!(answer.header("content-type"), Some(CONTENT_TYPE));
    let length = answer.header("content-length").map(str::parse);
    assert_eq!(length, Some(Ok(answer.body.len())));
    // A query is somebody else's, and no reason to refuse.
    assert_eq!(exporter.get("/metrics?x=1").status, 200);
    // Nobody gets OpenMetrics who did not ask for it.
    let plain = [("Accept", "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")];
    let answer = http::ask(exporter.address(), "GET", "/metrics", &plain).expect("an answer");
    assert_eq!(samples(&answer).counts(), api.counts());
    assert!(!answer.body.contains("# EOF"));
}

#[test]
fn a_head_is_answered_like_a_get_without_its_body() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &[]);
    for path in ["/metrics", "/", "/-/healthy", "/-/ready", "/nothing"] {
        let get = exporter.get(path);
        let head = http::ask(exporter.address(), "HEAD", path, &[]).expect("an answer");
        assert_eq!(
            (head.status, head.body.as_str()),
            (get.status, ""),
            "{path}"
        );
        for name in ["content-type", "vary"] {
            assert_eq!(head.header(name), get.header(name), "{path}");
        }
        assert!(
            head.header("content-length")
                .is_some_and(|length| length != "0")
        );
    }
}

#[test]
fn a_head_is_no_scrape() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &[]);
    for _ in 0..3 {
        let head = http::ask(exporter.address(), "HEAD", "/metrics", &[]).expect("an answer");
        assert_eq!(head.status, 200);
    }
    assert_eq!(api.requests().total, 0, "nobody reads the counts");
    let scrapes = exporter
        .scrape()
        .value("metaaccess_exporter_scrapes_total", &[]);
    assert_eq!(scrapes, 1.0);
}

#[test]
fn other_paths_are_not_found_and_other_methods_not_allowed() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &[]);
    for path in ["/nothing", "/metrics/", "/-/reload/", "//", "/METRICS"] {
        assert_eq!(exporter.get(path).status, 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
        for path in ["/metrics", "/", "/-/healthy", "/-/ready"] {
            let answer = http::ask(exporter.address(), method, path, &[]).expect("an answer");
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"));
        }
    }
    assert_eq!(api.requests().total, 0, "none of it is a scrape");
}

#[test]
fn the_telemetry_path_can_be_chosen_and_the_start_page_leads_to_it() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &["--web.telemetry-path=/own/path"]);
    let page = exporter.get("/");
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(page.body.contains("href=\"/own/path\""));
    assert_eq!(exporter.get("/own/path").status, 200);
    assert_eq!(exporter.get("/metrics").status, 404);
}

#[test]
fn it_is_healthy_and_ready_while_the_api_is_down() {
    let api = Api::start(api::at_rest());
    api.inject(Fault::always(Kind::Hang));
    let exporter = Exporter::of(&api, &["--api.timeout=500ms"]);
    until(PATIENCE, "the failure is seen", || {
        let samples = exporter.scrape();
        (samples.failing("device") == ["timeout"]).then_some(())
    });
    for (path, says) in [("/-/healthy", "healthy"), ("/-/ready", "ready")] {
        let (answer, took) = timed(|| exporter.get(path));
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains(says), "{}", answer.body);
        assert!(took < Duration::from_millis(500), "{path} took {took:?}");
    }
}

#[test]
fn many_scrapes_may_use_one_connection() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &[]);
    let mut stream = TcpStream::connect(exporter.address()).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    for _ in 0..3 {
        stream
            .write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
            .expect("sent");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 200");
        let mut rest = Vec::new();
        while !rest.ends_with(b"healthy.\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("the rest");
            rest.push(byte[0]);
        }
    }
}

#[test]
fn either_signal_ends_it_cleanly() {
    let api = Api::start(api::alive());
    for signal in ["TERM", "INT"] {
        let exporter = Exporter::of(&api, &[]);
        exporter.scrape();
        exporter.signal(signal);
        let (ended, took) = timed(|| exporter.into_program().end(PATIENCE));
        assert_eq!(ended.code, Some(0), "SIG{signal}: {}", ended.err);
        assert!(took < Duration::from_secs(3), "SIG{signal}: {took:?}");
        assert!(ended.err.contains(&format!("signal=SIG{signal}")));
        assert!(ended.err.ends_with("message=stopped"), "{}", ended.err);
    }
}

#[test]
fn a_scrape_that_waits_for_a_hanging_api_is_still_answered_when_it_is_stopped() {
    let api = Api::start(api::at_rest());
    api.inject(Fault::always(Kind::Hang));
    let exporter = Exporter::of(&api, &["--api.timeout=1m"]);
    let timeout = [("X-Prometheus-Scrape-Timeout-Seconds", "2")];
    let scrape = http::send(exporter.address(), "GET", "/metrics", &timeout).expect("sent");
    until(PATIENCE, "the scrape waits", || {
        (api.requests().total > 0).then_some(())
    });
    let address = exporter.address();
    exporter.signal("TERM");
    let (ended, took) = timed(|| exporter.into_program().end(PATIENCE));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(took < Duration::from_secs(4), "{took:?}");
    let answer = http::receive(scrape).expect("an answer");
    assert!(!samples(&answer).is_up());
    assert!(TcpStream::connect(address).is_err(), "the door is closed");
}

#[test]
fn half_a_request_does_not_hold_up_the_end() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &[]);
    let mut half = TcpStream::connect(exporter.address()).expect("a connection");
    half.write_all(b"GET /metrics HTTP/1.1\r\nHost:")
        .expect("sent");
    let idle = TcpStream::connect(exporter.address()).expect("a connection");
    // Answered on a later connection, so the two before are accepted.
    exporter.scrape();
    exporter.signal("TERM");
    let (ended, took) = timed(|| exporter.into_program().end(PATIENCE));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(took < Duration::from_secs(12), "{took:?}");
    drop((half, idle));
}

#[test]
fn a_second_signal_is_no_reason_to_fail() {
    let api = Api::start(api::at_rest());
    api.inject(Fault::always(Kind::Hang));
    let exporter = Exporter::of(&api, &["--api.timeout=1m"]);
    let timeout = [("X-Prometheus-Scrape-Timeout-Seconds", "1.5")];
    let scrape = http::send(exporter.address(), "GET", "/metrics", &timeout).expect("sent");
    until(PATIENCE, "the scrape waits", || {
        (api.requests().total > 0).then_some(())
    });
    exporter.signal("TERM");
    exporter.signal("TERM");
    assert_eq!(exporter.into_program().end(PATIENCE).code, Some(0));
    assert_eq!(http::receive(scrape).expect("an answer").status, 200);
}

#[test]
fn a_port_in_use_is_said_with_the_flag_to_change() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address");
    let flag = format!("--web.listen-address={address}");
    let token = [("METAACCESS_ACCESS_TOKEN", api::TOKEN)];
    let ended = Program::exporter(&[flag], &token).end(PATIENCE);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    let last = ended.err.lines().last().expect("a line");
    assert!(last.contains("level=error"), "{last}");
    for said in ["--web.listen-address", &address.to_string()] {
        assert!(last.contains(said), "{said}: {last}");
    }
}

#[test]
fn it_listens_on_every_address_that_is_named() {
    let api = Api::start(Settings {
        rate: 0.0,
        ..api::alive()
    });
    let mut flags = api.flags();
    for address in ["127.0.0.1:0", "127.0.0.2:0", "127.0.0.1:0"] {
        flags.push(format!("--web.listen-address={address}"));
    }
    let exporter = Exporter::with(&flags);
    exporter.settle(&api);
    assert_eq!(exporter.addresses().len(), 3);
    for address in exporter.addresses() {
        let samples = samples(&http::get(*address, "/metrics"));
        assert_eq!(samples.counts(), api.counts());
    }
    assert_eq!(exporter.stop().code, Some(0));
}
