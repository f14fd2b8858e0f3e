//! The simulator over a real socket.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;

use super::{ACCESS_TOKEN, Fault, Kind, Settings, Simulator, Wait};
use crate::event::EventType;

/// A simulator on a port of its own; it stops when this is dropped.
struct Served {
    simulator: Simulator,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

async fn served(settings: Settings) -> Served {
    let simulator = Simulator::new(settings);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let serving = simulator.clone();
    let server = tokio::spawn(async move {
        let shutdown = async { drop(stopped.await) };
        serving.serve(listener, shutdown).await;
    });
    Served {
        simulator,
        address,
        stop: Some(stop),
        server,
    }
}

impl Served {
    /// All bytes of the answer to a request, up to the connection's end.
    async fn exchange(&self, request: String) -> io::Result<String> {
        let address = self.address;
        let exchange = move || {
            let mut stream = std::net::TcpStream::connect(address)?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            stream.write_all(request.as_bytes())?;
            let mut answer = Vec::new();
            stream.take(1 << 20).read_to_end(&mut answer)?;
            Ok(String::from_utf8_lossy(&answer).into_owned())
        };
        spawn_blocking(exchange).await.unwrap()
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let length = body.len();
        self.exchange(format!(
            "{method} {path} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
        .await
    }

    async fn logs(&self) -> io::Result<String> {
        let path =
            format!("/o/api/v2/logs?access_token={ACCESS_TOKEN}&limit=50&page=1&event_type=1");
        self.send("GET", &path, "").await
    }
}

async fn within_ten_seconds(come: impl Fn() -> bool) {
    let waiting = async {
        while !come() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .unwrap();
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

fn json(answer: &str) -> Value {
    serde_json::from_str(body(answer)).unwrap()
}

fn promised(answer: &str) -> usize {
    let length = answer
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    length.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_page_comes_over_the_wire_with_the_limit_s_headers() {
    let served = served(Settings::default()).await;
    let answer = served.logs().await.unwrap();
    assert_eq!(status(&answer), "200");
    assert!(answer.contains("\r\nx-ratelimit-remaining: 9\r\n"));
    let days = json(&answer)["logs"].as_array().unwrap().clone();
    let lines = days
        .iter()
        .map(|day| day["eventlog"].as_array().unwrap().len());
    assert_eq!(lines.sum::<usize>(), 50);
}

#[tokio::test]
async fn lines_that_are_posted_are_in_the_truth_and_on_the_page() {
    let served = served(Settings {
        rate: 0.0,
        history_hours: 0,
        ..Settings::default()
    })
    .await;
    let line = r#"{"event_type":"device","date":"2013-12-06","time":"17:28","version":"1.1.1.1","hostname":"TEST-R1W3Y","event":"Installed"}"#;
    let posted = served
        .send("POST", "/simulator/lines", &format!("[{line},{line}]"))
        .await
        .unwrap();
    assert_eq!(json(&posted)["appended"], 2);
    let truth = json(&served.send("GET", "/simulator/truth", "").await.unwrap());
    assert_eq!(truth["counts"][0]["count"], 2);
    assert_eq!(truth["logs"]["device"]["newest"], "2013-12-06T17:28");
    let page = served.logs().await.unwrap();
    let shown = "05:28|PM|MetaAccess (Version 1.1.1.1)|TEST-R1W3Y|Installed";
    assert_eq!(json(&page)["logs"][0]["eventlog"][1], shown);

    let refused = served
        .send("POST", "/simulator/lines", r#"[{"event_type":"both"}]"#)
        .await
        .unwrap();
    assert_eq!(status(&refused), "400");
}

#[tokio::test]
async fn requests_beyond_the_limit_are_refused_and_control_is_not_counted() {
    let served = served(Settings::default()).await;
    for _ in 0..10 {
        assert_eq!(status(&served.logs().await.unwrap()), "200");
    }
    assert_eq!(status(&served.logs().await.unwrap()), "429");
    let told = json(
        &served
            .send("GET", "/simulator/requests?list=1", "")
            .await
            .unwrap(),
    );
    assert_eq!(told["total"], 11);
    assert_eq!(told["most_in_any_window"], 11);
    assert_eq!(told["over_limit"], 1);
    assert_eq!(told["by_status"]["429"], 1);
    assert_eq!(told["requests"][10]["status"], 429);
}

#[tokio::test]
async fn a_body_that_is_cut_off_promises_more_than_it_holds_and_a_truncated_one_does_not() {
    let served = served(Settings::default()).await;
    served.simulator.inject(Fault::next(Kind::CutOff, 1));
    let cut = served.logs().await.unwrap();
    assert!(!body(&cut).is_empty());
    assert!(body(&cut).len() < promised(&cut));

    served.simulator.inject(Fault::next(Kind::Truncated, 1));
    let truncated = served.logs().await.unwrap();
    assert_eq!(body(&truncated).len(), promised(&truncated));
    assert!(serde_json::from_str::<Value>(body(&truncated)).is_err());
}

#[tokio::test]
async fn a_reset_connection_gives_an_error_and_no_byte() {
    let served = served(Settings::default()).await;
    served.simulator.inject(Fault::next(Kind::Reset, 1));
    let error = served.logs().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(status(&served.logs().await.unwrap()), "200");
}

#[tokio::test]
async fn an_endless_body_goes_on_until_the_client_leaves() {
    let served = served(Settings::default()).await;
    served.simulator.inject(Fault::next(Kind::Endless, 1));
    let endless = served.logs().await.unwrap();
    assert!(endless.len() >= 1 << 20);
    assert_eq!(status(&served.logs().await.unwrap()), "200");
}

#[tokio::test]
async fn faults_come_and_go_over_the_wire() {
    let served = served(Settings::default()).await;
    let fault = r#"{"kind":"redirect","location":"http://example.com/","target":"logs"}"#;
    assert_eq!(
        status(
            &served
                .send("POST", "/simulator/faults", fault)
                .await
                .unwrap()
        ),
        "200"
    );
    let redirect = served.logs().await.unwrap();
    assert_eq!(status(&redirect), "302");
    assert!(redirect.contains("\r\nlocation: http://example.com/\r\n"));
    served
        .send("DELETE", "/simulator/faults", "")
        .await
        .unwrap();
    assert_eq!(status(&served.logs().await.unwrap()), "200");
}

#[tokio::test]
async fn purges_pauses_and_drift_come_over_the_wire() {
    let served = served(Settings {
        speed: 0.0,
        ..Settings::default()
    })
    .await;
    let before = served.simulator.truth().lines();
    let purge = r#"{"event_type":"device","newest":3}"#;
    let purged = served
        .send("POST", "/simulator/purge", purge)
        .await
        .unwrap();
    assert_eq!(json(&purged)["purged"], 3);
    let drift = r#"{"lines":2,"every":1}"#;
    served
        .send("POST", "/simulator/drift", drift)
        .await
        .unwrap();
    served.send("POST", "/simulator/pause", "").await.unwrap();
    served.logs().await.unwrap();
    assert_eq!(served.simulator.truth().lines(), before);
    served.send("POST", "/simulator/resume", "").await.unwrap();
    served.logs().await.unwrap();
    assert_eq!(served.simulator.truth().lines(), before + 2);
    assert!(served.simulator.page(EventType::Admin, 50, 1).is_ok());
}

#[tokio::test]
async fn a_request_that_is_given_up_on_its_way_still_arrives_and_counts() {
    let served = served(Settings::default()).await;
    let way = Wait {
        ms: 100,
        spread_ms: 0,
    };
    served
        .simulator
        .inject(Fault::next(Kind::LateArrival(way), 1));
    let client = TcpStream::connect(served.address).await.unwrap();
    client.writable().await.unwrap();
    client
        .try_write(b"GET /o/api/v2/logs HTTP/1.1\r\nHost: example.com\r\n\r\n")
        .unwrap();
    within_ten_seconds(|| served.simulator.faults_in_force() == 0).await;
    drop(client);
    within_ten_seconds(|| served.simulator.requests().total == 1).await;
}

#[tokio::test]
async fn a_shutdown_ends_the_server_even_while_a_client_hangs() {
    let mut served = served(Settings::default()).await;
    served.simulator.inject(Fault::always(Kind::Hang));
    let (simulator, stop) = (served.simulator.clone(), served.stop.take().unwrap());
    let stop_when_asked = async move {
        within_ten_seconds(|| simulator.requests().total > 0).await;
        stop.send(()).unwrap();
    };
    let (cut, ()) = tokio::join!(served.logs(), stop_when_asked);
    assert!(cut.is_err() || cut.unwrap().is_empty());
    served.server.await.unwrap();
}
