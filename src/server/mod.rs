//! The door: `/metrics`, `/`, `/-/healthy`, `/-/ready` over HTTP/1.1.

mod deadline;
mod pages;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

use crate::catalogue::{SCRAPES, SCRAPES_STALE};
use crate::clock;
use crate::exposition;
use crate::meters::Meters;
use crate::process;
use crate::refresh::{Refresher, Waited};

/// For the head of a request, and between two requests of one connection: longer than most scrape
/// intervals, so that scrapers keep theirs.
const IDLE_AT_MOST: Duration = Duration::from_secs(120);

/// For the answers under way when the program is told to stop.
const DRAIN_AT_MOST: Duration = Duration::from_secs(10);

/// After a failed accept, such as for want of file descriptors.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// What is served.
#[derive(Debug)]
pub struct Exporter {
    pub refreshers: Vec<Refresher>,
    pub meters: Arc<Meters>,
    pub telemetry_path: String,
    /// How long before the scraper's own deadline an answer is sent.
    pub timeout_offset: Duration,
}

/// Serves until the shutdown comes, then lets the answers under way end, for ten seconds at most.
pub async fn serve(
    listeners: Vec<TcpListener>,
    exporter: Arc<Exporter>,
    shutdown: impl Future<Output = ()>,
) {
    let graceful = Arc::new(GracefulShutdown::new());
    let mut accepting = tokio::task::JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(
            listener,
            Arc::clone(&exporter),
            Arc::clone(&graceful),
        ));
    }
    shutdown.await;
    accepting.shutdown().await;
    let Some(graceful) = Arc::into_inner(graceful) else {
        return;
    };
    if tokio::time::timeout(DRAIN_AT_MOST, graceful.shutdown())
        .await
        .is_err()
    {
        warn!("some connections did not end in time and are cut off");
    }
}

async fn accept(listener: TcpListener, exporter: Arc<Exporter>, graceful: Arc<GracefulShutdown>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => connect(stream, &exporter, &graceful),
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(AFTER_FAILED_ACCEPT).await;
            }
        }
    }
}

fn connect(stream: TcpStream, exporter: &Arc<Exporter>, graceful: &GracefulShutdown) {
    // An answer is one write: waiting for more would only delay it.
    let _ = stream.set_nodelay(true);
    let exporter = Arc::clone(exporter);
    let answer = service_fn(move |request| {
        let exporter = Arc::clone(&exporter);
        async move { Ok::<_, Infallible>(exporter.answer(&request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_AT_MOST)
        .serve_connection(TokioIo::new(stream), answer);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(%error, "a connection ended early");
        }
    });
}

impl Exporter {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        let known = path == self.telemetry_path || pages::is_page(path);
        if !known {
            return pages::text(StatusCode::NOT_FOUND, "not found\n");
        }
        if *request.method() != Method::GET && *request.method() != Method::HEAD {
            let mut refusal = pages::text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            let allow = header::HeaderValue::from_static("GET, HEAD");
            refusal.headers_mut().insert(header::ALLOW, allow);
            return refusal;
        }
        if path == self.telemetry_path {
            self.metrics(request).await
        } else {
            pages::page(path, &self.telemetry_path)
        }
    }

    async fn metrics(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let now = clock::now();
        let timeout = request.headers().get(deadline::TIMEOUT_HEADER);
        let timeout = timeout.and_then(|value| value.to_str().ok());
        let deadline = now.plus(deadline::time_to_answer(timeout, self.timeout_offset));
        let mut stale = false;
        for refresher in &self.refreshers {
            stale |= refresher.refresh(now, deadline).await == Waited::Stale;
        }
        self.meters.add(SCRAPES, &[], 1);
        self.meters.add(SCRAPES_STALE, &[], u64::from(stale));
        let text = self.text();
        pages::answer(StatusCode::OK, exposition::CONTENT_TYPE, text)
    }

    fn text(&self) -> String {
        process::measure(&self.meters);
        let mut text = exposition::events_head();
        for refresher in &self.refreshers {
            text.push_str(&String::from_utf8_lossy(&refresher.events()));
            refresher.measure(&self.meters, clock::now());
        }
        text.push_str(&self.meters.text());
        text
    }
}
