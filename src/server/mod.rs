//! The door: `/metrics`, `/`, `/-/healthy`, `/-/ready` over HTTP/1.1.

mod body;
mod connection;
mod deadline;
mod delivery;
mod metrics;
mod pages;
mod patience;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tracing::warn;

use crate::meters::Meters;
use crate::refresh::Refresher;
use body::Parts;
use connection::connect;
use delivery::Delivery;

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
    /// With which scrapers are told apart, so that what is kept of them names nobody.
    pub scraper_key: [u8; 16],
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
            Ok((stream, peer)) => connect(stream, peer, &exporter, &graceful),
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(AFTER_FAILED_ACCEPT).await;
            }
        }
    }
}

impl Exporter {
    async fn answer(
        &self,
        request: &Request<Incoming>,
        peer: SocketAddr,
        delivery: Delivery,
    ) -> Response<Parts> {
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
            self.metrics(request, peer, delivery).await
        } else {
            pages::page(path, &self.telemetry_path)
        }
    }
}
