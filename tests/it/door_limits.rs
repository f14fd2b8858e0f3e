//! The door under strain: those who send too much, too slowly, or come in too great a number.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use metaaccess_exporter::simulator::{Fault, Kind};

use crate::api::{self, Api};
use crate::exporter::{Exporter, PATIENCE};
use crate::http::{self, Answer};
use crate::tools::tool;
use crate::wait::{throughout, timed, until};

fn connection(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream
}

/// What comes back until the connection ends, which an end by force is too.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn refused(exporter: &Exporter, reason: &str) -> f64 {
    let labels = [("reason", reason)];
    let name = "metaaccess_exporter_requests_refused_total";
    exporter.scrape().value(name, &labels)
}

/// Whether the other end has closed the connection, or sends something.
fn is_over(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("set");
    let over = stream.peek(&mut [0]).is_ok() || stream.take_error().is_ok_and(|e| e.is_some());
    stream.set_nonblocking(false).expect("set");
    over
}

#[test]
fn a_head_that_does_not_come_to_its_end_is_given_up_after_ten_seconds() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &[]);
    let silent = connection(exporter.address());
    let mut slow = connection(exporter.address());
    let head = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nUser-Agent: slow-";
    slow.write_all(head).expect("sent");
    let ((), took) = timed(|| {
        until(PATIENCE, "the slow head is given up", || {
            // Byte by byte it could go on for ever.
            let _ = slow.write_all(b"x");
            std::thread::sleep(Duration::from_millis(100));
            is_over(&slow).then_some(())
        });
    });
    assert!(took > Duration::from_secs(8), "{took:?}");
    until(PATIENCE, "the silent one is given up", || {
        is_over(&silent).then_some(())
    });
    assert_eq!(rest(silent), "");
}

#[test]
fn between_two_requests_a_connection_may_rest_longer_than_a_head_may_take() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &[]);
    let mut kept = http::Connection::to(exporter.address()).expect("a connection");
    assert_eq!(kept.get("/metrics", &[]).expect("an answer").status, 200);
    throughout(Duration::from_secs(12), || {});
    assert_eq!(kept.get("/-/healthy", &[]).expect("an answer").status, 200);
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &[]);
    let long = "x".repeat(17 * 1024);
    let mut stream = connection(exporter.address());
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {long}\r\n\r\n");
    // It may be refused before it is all sent.
    let _ = stream.write_all(head.as_bytes());
    let answer = rest(stream);
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let usual = [("Cookie", &*"x".repeat(4000))];
    let answer = http::ask(exporter.address(), "GET", "/", &usual);
    assert_eq!(answer.expect("an answer").status, 200);
}

#[test]
fn a_body_is_refused_without_being_read() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &[]);
    for (head, body) in [
        (
            "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n",
            0,
        ),
        (
            "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
            100_000,
        ),
        (
            "GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
            0,
        ),
    ] {
        let mut stream = connection(exporter.address());
        let whole = [head.as_bytes(), &vec![b'x'; body]].concat();
        stream.write_all(&whole).expect("sent");
        let answer = rest(stream);
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    assert_eq!(api.requests().total, 0, "none of it is a scrape");
    assert_eq!(refused(&exporter, "body"), 3.0);
}

#[test]
fn curl_is_told_that_no_body_is_taken() {
    let Some(mut curl) = tool("curl") else {
        return;
    };
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let body = folder.path().join("body");
    std::fs::write(&body, vec![b'x'; 4_000_000]).expect("written");
    curl.args([
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "--data-binary",
    ]);
    curl.arg(format!("@{}", body.display()));
    curl.arg(format!("http://{}/metrics", exporter.address()));
    let told = curl.output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&told.stdout), "413");
}

/// As many scrapes as there are places, which an API that hangs leaves without an answer for long.
fn take_all_places(exporter: &Exporter, places: usize) -> Vec<TcpStream> {
    let patient = [("X-Prometheus-Scrape-Timeout-Seconds", "60")];
    let scrape = || http::send(exporter.address(), "GET", "/metrics", &patient).expect("sent");
    let mut scrapes = Vec::new();
    until(PATIENCE, "all of them wait for an answer", || {
        // One that was not heard yet gives its place to the question below.
        scrapes.retain(|scrape| !is_over(scrape));
        scrapes.resize_with(places, scrape);
        std::thread::sleep(Duration::from_millis(50));
        let answer = http::ask(exporter.address(), "GET", "/", &[]);
        answer
            .is_ok_and(|answer| answer.status == 503)
            .then_some(())
    });
    scrapes
}

#[test]
fn where_all_places_are_taken_health_is_told_and_all_else_refused_at_once() {
    let api = Api::start(api::at_rest());
    api.inject(Fault::always(Kind::Hang));
    let exporter = Exporter::of(&api, &["--web.max-connections=5", "--api.timeout=1m"]);
    let scrapes = take_all_places(&exporter, 5);
    let ask = |path: &str| -> Answer {
        let (answer, took) = timed(|| exporter.get(path));
        assert!(took < Duration::from_secs(2), "{path}: {took:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{path}");
        answer
    };
    for _ in 0..20 {
        assert_eq!(ask("/-/healthy").status, 200);
        assert_eq!(ask("/-/ready").status, 200);
        assert_eq!(ask("/metrics").status, 503);
    }
    // Those who say nothing in the places that are kept for a word do not keep them for long.
    let silent: Vec<_> = (0..40).map(|_| connection(exporter.address())).collect();
    until(
        Duration::from_secs(7),
        "there is a word for everybody again",
        || {
            let answer = http::ask(exporter.address(), "GET", "/-/healthy", &[]);
            answer
                .is_ok_and(|answer| answer.status == 200)
                .then_some(())
        },
    );
    drop((silent, scrapes));
    api.clear_faults();
    let samples = until(PATIENCE, "there are places again", || {
        let answer = http::ask(exporter.address(), "GET", "/metrics", &[]).ok()?;
        (answer.status == 200).then(|| crate::samples::Samples::parse(&answer.body))
    });
    let full = samples.value(
        "metaaccess_exporter_connections_refused_total",
        &[("reason", "full")],
    );
    assert!(full >= 60.0, "{full}");
}

#[test]
fn connections_that_ask_nothing_keep_out_nobody() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &["--web.max-connections=10"]);
    let mut scraper = http::Connection::to(exporter.address()).expect("a connection");
    assert_eq!(scraper.get("/metrics", &[]).expect("an answer").status, 200);
    let idle: Vec<_> = (0..100).map(|_| connection(exporter.address())).collect();
    let samples = exporter.scrape();
    let open = samples.value("metaaccess_exporter_connections", &[]);
    assert_eq!(open, 10.0);
    let reason = |reason| {
        let labels = [("reason", reason)];
        samples.value("metaaccess_exporter_connections_refused_total", &labels)
    };
    assert_eq!((reason("displaced"), reason("full")), (92.0, 0.0));
    // Who has asked before is the last to go.
    assert_eq!(scraper.get("/metrics", &[]).expect("an answer").status, 200);
    drop(idle);
}

#[test]
fn a_reload_by_request_is_forbidden_unless_it_is_enabled() {
    let api = Api::start(api::at_rest());
    let ask = |exporter: &Exporter, method: &str| {
        http::ask(exporter.address(), method, "/-/reload", &[]).expect("an answer")
    };
    let exporter = Exporter::of(&api, &[]);
    for method in ["GET", "POST", "PUT"] {
        let answer = ask(&exporter, method);
        assert_eq!(answer.status, 403, "{method}");
        assert!(answer.body.contains("--web.enable-lifecycle"));
    }
    let exporter = Exporter::of(&api, &["--web.enable-lifecycle"]);
    for method in ["GET", "HEAD", "DELETE"] {
        let answer = ask(&exporter, method);
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("POST, PUT"));
    }
    for method in ["POST", "PUT"] {
        assert_eq!(ask(&exporter, method).status, 200, "{method}");
    }
    assert_eq!(api.requests().total, 0, "none of it is a scrape");
}

#[test]
fn the_start_page_tells_how_the_account_stands() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &["--account.name=TEST-<A>"]);
    let page = || exporter.get("/").body;
    assert!(page().contains("1 in all: 0 up, 0 not, 1 not read yet"));
    exporter.settle(&api);
    let up = page();
    assert!(up.contains("1 in all: 1 up, 0 not"), "{up}");
    assert!(up.contains("<td>TEST-&lt;A&gt;</td><td>up</td>"), "{up}");
    assert!(up.contains(" s ago<br>admin: "), "{up}");
    api.inject(Fault::always(Kind::Status {
        status: 401,
        retry_after: None,
    }));
    until(PATIENCE, "the page says why", || {
        exporter.scrape();
        page().contains("device: unauthorized: ").then_some(())
    });
    assert!(!page().contains(api::TOKEN));
}
