//! What comes over a connection that no client would send.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;

use super::*;
use crate::config::{PasswordHash, WebConfig, WebFile};
use crate::fuzz_tests::{Broken, ensure, targets};
use crate::meters::Meters;
use crate::server::Porter;

targets! {
    requests, "http_request", SEEDS, are_answered;
}

const SEEDS: [&[u8]; 9] = [
    b"GET /metrics HTTP/1.1\r\nHost: localhost:19720\r\nUser-Agent: Prometheus/3.0.0\r\nAccept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2\r\nAccept-Encoding: gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n",
    b"GET /metrics?account=default&account=%C3%A9%00+x&name[]=up HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWxpY2U6c2VjcmV0\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"HEAD /metrics HTTP/1.1\r\nHost: x\r\naccept-encoding: gzip;q=0.5, identity;q=0.2, *;q=0\r\nauthorization: bAsIc   YWxpY2U6c2VjcmV0 \r\n\r\n",
    b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\nGET /-/ready HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"PUT /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\nAuthorization: Basic OjpAOg==\r\n\r\n",
    b"GET http://x/metrics HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

/// Of `alice:secret`. Nothing else is read as that: in base64 no bit of it is without meaning.
const CREDENTIALS: &[u8] = b"YWxpY2U6c2VjcmV0";

/// What may be answered.
const STATUSES: [&str; 11] = [
    "100", "200", "400", "401", "403", "404", "405", "413", "414", "429", "431",
];

/// One exporter for everybody, and one for alice.
static EXPORTERS: LazyLock<[Arc<Exporter>; 2]> = LazyLock::new(|| {
    let hash = bcrypt::hash("secret", 4).unwrap();
    let users = vec![("alice".to_owned(), PasswordHash::read(&hash).unwrap())];
    [Vec::new(), users].map(|users| {
        let meters = Arc::new(Meters::new().unwrap());
        let file = WebFile {
            path: PathBuf::new(),
            config: WebConfig {
                users,
                ..WebConfig::default()
            },
            digest: [0; 32],
        };
        Arc::new(Exporter {
            roster: Arc::default(),
            porter: Arc::new(Porter::new(Some(&file), [7; 32], Arc::clone(&meters))),
            meters,
            telemetry_path: "/metrics".to_owned(),
            timeout_offset: Duration::from_millis(500),
            scraper_key: [7; 16],
            reload: None,
            max_connections: 10,
        })
    })
});

fn are_answered(input: &[u8]) -> Result<bool, Broken> {
    let [everybody, alice] = &*EXPORTERS;
    let answer = talk(everybody, input)?;
    let is_taken = find(&answer, b"HTTP/1.1 200 ");
    let answer = talk(alice, input)?;
    let is_let_in = find(&answer, b"HTTP/1.1 200 ") || find(&answer, b"HTTP/1.0 200 ");
    ensure(!is_let_in || find(input, CREDENTIALS), || {
        format!("let in without a password: {}", answer.escape_ascii())
    })?;
    Ok(is_taken)
}

/// All that is answered until the connection ends, which it does. The time that is waited passes by
/// itself.
fn talk(exporter: &Arc<Exporter>, say: &[u8]) -> Result<Vec<u8>, Broken> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let answer = runtime.block_on(async {
        let (near, mut far) = tokio::io::duplex(100_000);
        let peer = (Ipv4Addr::LOCALHOST, 9).into();
        let graceful = GracefulShutdown::new();
        let answering = answer(
            near,
            peer,
            Arc::clone(exporter),
            Visit::new(),
            false,
            graceful.watcher(),
        );
        tokio::spawn(answering);
        // It may be that nobody listens to the end.
        let _ = far.write_all(say).await;
        let _ = far.shutdown().await;
        let mut answer = Vec::new();
        let reading = far.read_to_end(&mut answer);
        let read = tokio::time::timeout(Duration::from_secs(300), reading).await;
        read.is_ok_and(|read| read.is_ok()).then_some(answer)
    });
    let answer = answer.ok_or("the connection does not end")?;
    let text = String::from_utf8_lossy(&answer);
    let status = text
        .strip_prefix("HTTP/1.1 ")
        .or(text.strip_prefix("HTTP/1.0 "));
    let is_status = |status: &str| STATUSES.iter().any(|known| status.starts_with(known));
    let is_answer = answer.is_empty() || status.is_some_and(is_status);
    ensure(is_answer, || format!("{text:?} is no answer"))?;
    ensure(!text.contains("HTTP/1.1 500 "), || "it panicked".to_owned())?;
    Ok(answer)
}

fn find(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
